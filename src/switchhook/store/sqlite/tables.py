"""The tables of the store's file, as folding, retention and erasure ask and change them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from switchhook.exotel.cause import Cause
from switchhook.sqlite_file import transaction
from switchhook.store.digest import CALL, NOTE, hash_of
from switchhook.store.placing import decode_axis, encode_axis
from switchhook.store.sqlite import deletion, rows
from switchhook.store.sqlite.healing import FAILURES
from switchhook.store.tables import Progress, StoredStream
from switchhook.streams.facet import Facet

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import apsw

    from switchhook.store.batch import Batch

WORDS = "endpoint, status, cause, option, kind, host, exophone"
_BUCKETS = 4
"""How far back a call's records are looked for: some 200,000 records, hours of the busiest site."""


class SqliteFoldTables:
    """The tables of a file that is folded into: `store.tables.FoldTables`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def progress(self) -> Progress:
        node, seq, at, blob = self._connection.execute(
            "SELECT node, seq, at, axis FROM progress"
        ).get
        axis = None if blob is None else decode_axis(blob)
        return Progress(node, seq, at, at if axis is None else axis.at_ms, axis)

    def writing(self) -> AbstractContextManager[None]:
        return transaction(self._connection)

    def is_circumstance(self, error: Exception) -> bool:
        return isinstance(error, FAILURES)

    def find_facet(self, facet: Facet) -> int | None:
        row = self._connection.execute(
            "SELECT id FROM facet WHERE endpoint = ? AND status = ? AND cause = ? AND option = ?"
            " AND kind = ? AND host = ? AND exophone = ?",
            astuple(facet),
        ).fetchone()
        return None if row is None else row[0]

    def add_facet(self, facet: Facet) -> int:
        row = self._connection.execute(
            f"INSERT INTO facet ({WORDS}) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",  # noqa: S608 - our words
            astuple(facet),
        ).fetchone()
        assert row is not None
        number: int = row[0]
        return number

    def count_facets(self) -> int:
        count: int = self._connection.execute("SELECT count(*) FROM facet").get
        return count

    def form_values(self, hour: int, endpoint: str, aspect: str) -> set[str]:
        rows = self._connection.execute(
            "SELECT value FROM form WHERE hour = ? AND endpoint = ? AND aspect = ?",
            (hour, endpoint, aspect),
        )
        return {text for (text,) in rows}

    def write_forms(self, rows: Mapping[tuple[int, str, str, str], int]) -> None:
        self._connection.executemany(
            "INSERT INTO form VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(*key, count) for key, count in rows.items()],
        )

    def stream_keys(self, bucket: int, after: int, limit: int) -> list[int]:
        rows = self._connection.execute(
            "SELECT key FROM stream_key WHERE bucket = ? AND key > ? ORDER BY key LIMIT ?",
            (bucket, after, limit),
        )
        return [key for (key,) in rows]

    def first_receipts(self, keys: Sequence[int], last: int) -> dict[int, int]:
        found = {}
        for key in keys:
            for bucket in range(last, -1, -1):
                row = self._connection.execute(
                    "SELECT seq FROM stream_key WHERE bucket = ? AND key = ?", (bucket, key)
                ).fetchone()
                if row is not None:
                    found[key] = row[0]
                    break
        return found

    def streams(self, seqs: Sequence[int]) -> dict[int, StoredStream]:
        found = {}
        for seq in seqs:
            row = self._connection.execute(
                "SELECT facet, at, story FROM stream WHERE seq = ?", (seq,)
            ).fetchone()
            if row is not None:
                found[seq] = StoredStream(*row)
        return found

    def running_of(self, calls: Mapping[str, int]) -> dict[str, list[int]]:
        running = [
            str(number)
            for (number,) in self._connection.execute(
                "SELECT id FROM facet WHERE cause = ?", (Cause.RUNNING.value,)
            )
        ]
        if not running:
            return {}
        sql = (
            "SELECT s.seq FROM mention m CROSS JOIN stream s ON s.seq = m.seq"  # noqa: S608 - numbers
            f" WHERE m.bucket = ? AND m.key = ? AND s.facet IN ({','.join(running)})"
        )
        return {call: self._of_call(sql, CALL, call, at) for call, at in calls.items()}

    def told_of(self, calls: Mapping[str, int]) -> dict[str, list[int]]:
        sql = "SELECT seq FROM mention WHERE bucket = ? AND key = ?"
        return {
            call: [seq for kind in (NOTE, CALL) for seq in self._of_call(sql, kind, call, bucket)]
            for call, bucket in calls.items()
        }

    def _of_call(self, sql: str, kind: int, call_sid: str, bucket: int) -> list[int]:
        key, buckets = hash_of(kind, call_sid), range(bucket, max(bucket - _BUCKETS, -1), -1)
        return [seq for at in buckets for (seq,) in self._connection.execute(sql, (at, key))]

    def keep_stories(self, stories: Mapping[int, bytes]) -> None:
        self._connection.executemany(
            "UPDATE stream SET story = ? WHERE seq = ?",
            [(story, seq) for seq, story in stories.items()],
        )

    def write(self, batch: Batch) -> None:
        rows.write(self._connection, batch)

    def write_tallies(self, tallies: Counter[tuple[int, int]]) -> None:
        rows.write_tallies(self._connection, tallies)

    def advance(self, progress: Progress) -> None:
        axis = None if progress.axis is None else encode_axis(progress.axis)
        self._connection.execute(
            "UPDATE progress SET node = ?, seq = ?, at = ?, axis = ?",
            (progress.node, progress.seq, progress.at, axis),
        )


class SqliteTables(SqliteFoldTables):
    """The tables as retention and erasure change them, too: `store.tables.KeptTables`."""

    def of_same_calls(self, seqs: Sequence[int]) -> list[int]:
        return deletion.of_same_calls(self._connection, seqs)

    def records_of_number(self, number: str) -> list[int]:
        return deletion.records_of_number(self._connection, number)

    def quarantined_among(self, seqs: Sequence[int]) -> dict[int, str]:
        rows = self._connection.execute(
            "SELECT seq, reason FROM quarantine WHERE seq IN (SELECT value FROM json_each(?))",
            (json.dumps(list(seqs)),),
        )
        return dict(rows)

    def placed(self, seqs: Iterable[int]) -> dict[int, int]:
        rows = self._connection.execute(
            "SELECT seq, at FROM displaced WHERE seq IN (SELECT value FROM json_each(?))",
            (json.dumps(list(seqs)),),
        )
        return dict(rows)

    def take_out(self, seqs: Sequence[int]) -> list[tuple[int, int]]:
        return deletion.take_out(self._connection, seqs)

    def drop_before(self, seq: int, at: int) -> list[tuple[int, int]]:
        return deletion.drop_before(self._connection, seq, at)

    def drop_unused_facets(self) -> None:
        deletion.drop_unused_facets(self._connection)

    def oldest_kept(self, before_ms: int, most: int, newest_ms: int) -> tuple[int, int]:
        sql = "SELECT seq, at FROM stream ORDER BY seq LIMIT ?"
        rows = list(self._connection.execute(sql, (most + 1,)))
        seq = at = 0
        for seq, at in rows:
            if at > newest_ms:  # of a clock wrong for long: it was before what came next
                sql = "SELECT at FROM turn WHERE seq > ? AND at <= ? ORDER BY seq LIMIT 1"
                at = self._connection.execute(sql, (seq, newest_ms)).get or newest_ms
            if at >= before_ms:
                return seq, at
        if seq and len(rows) <= most:
            return seq + 1, at + 1
        return seq, at

    def untold(self, after_seq: int, before_seq: int, limit: int) -> list[int]:
        rows = self._connection.execute(
            "SELECT seq FROM stream WHERE seq > ? AND seq < ? AND story IS NULL"
            " ORDER BY seq LIMIT ?",
            (after_seq, before_seq, limit),
        )
        return [seq for (seq,) in rows]
