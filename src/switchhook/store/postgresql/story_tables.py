"""What streams and calls were told of, as the tables in PostgreSQL have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.exotel.cause import Cause
from switchhook.store.digest import CALL, NOTE, hash_of
from switchhook.store.postgresql.rows import Writing
from switchhook.store.postgresql.statements import rows_of
from switchhook.store.tables import StoredStream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

_BUCKETS = 4
"""How far back a call's records are looked for: some 200,000 records, hours of the busiest site."""
_NEWEST_BUCKETS = 2
"""In which nearly all streams are that were seen before."""


class PostgresqlStoryTables:
    """A connection's tables of streams, their hashes and their calls."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._writing = Writing(connection)

    def stream_keys(self, bucket: int, after: int, limit: int) -> list[int]:
        rows = rows_of(
            self._connection,
            "SELECT key FROM store_key WHERE bucket = %s AND key > %s ORDER BY key LIMIT %s",
            *(bucket, after, limit),
        )
        return [key for (key,) in rows]

    def first_receipts(self, keys: Sequence[int], last: int) -> dict[int, int]:
        older = max(last + 1 - _NEWEST_BUCKETS, 0)
        found = self._first_receipts(keys, range(older, last + 1))
        if left := [key for key in keys if key not in found]:
            found |= self._first_receipts(left, range(older))
        return found

    def _first_receipts(self, keys: Sequence[int], buckets: range) -> dict[int, int]:
        rows = rows_of(
            self._connection,
            "SELECT DISTINCT ON (k.key) k.key, k.seq FROM unnest(%s::integer[]) AS b (bucket)"
            " CROSS JOIN unnest(%s::bigint[]) AS a (key)"
            " JOIN store_key k ON k.bucket = b.bucket AND k.key = a.key"
            " ORDER BY k.key, k.bucket DESC, k.seq",
            *(list(buckets), list(keys)),
        )
        return dict(rows)

    def streams(self, seqs: Sequence[int]) -> dict[int, StoredStream]:
        if not seqs:
            return {}
        rows = rows_of(
            self._connection,
            "SELECT seq, facet, at, story FROM store_stream WHERE seq = ANY(%s::bigint[])",
            list(seqs),
        )
        return {seq: StoredStream(*stream) for seq, *stream in rows}

    def running_of(self, calls: Mapping[str, int]) -> dict[str, list[int]]:
        facets = rows_of(
            self._connection,
            "SELECT id FROM store_facet WHERE cause = %s",
            str(Cause.RUNNING.value),
        )
        if not facets:
            return {}
        running = [number for (number,) in facets]
        return self._of_calls(calls, (CALL,), "JOIN store_stream s ON s.seq = m.seq"
                              " WHERE s.facet = ANY(%s::integer[])", running)  # fmt: skip

    def told_of(self, calls: Mapping[str, int]) -> dict[str, list[int]]:
        return self._of_calls(calls, (NOTE, CALL), "")

    def _of_calls(
        self, calls: Mapping[str, int], kinds: Sequence[int], also: str, *more: object
    ) -> dict[str, list[int]]:
        names = list(calls)
        asked = [
            (number, at, hash_of(kind, call))
            for number, call in enumerate(names)
            for kind in kinds
            for at in range(calls[call], max(calls[call] - _BUCKETS, -1), -1)
        ]
        rows = rows_of(
            self._connection,
            "SELECT a.number, m.seq FROM unnest(%s::integer[], %s::integer[], %s::bigint[])"  # noqa: S608 - our words
            " AS a (number, bucket, key)"
            f" JOIN store_mention m ON m.bucket = a.bucket AND m.key = a.key {also}",
            *map(list, zip(*asked, strict=True)),
            *more,
        )
        found: dict[str, list[int]] = {call: [] for call in names}
        for number, seq in rows:
            found[names[number]].append(seq)
        return found

    def keep_stories(self, stories: Mapping[int, bytes]) -> None:
        self._writing.many(
            "UPDATE store_stream s SET story = told.story FROM UNNEST AS told (seq, story)"
            " WHERE s.seq = told.seq",
            "bigint bytea",
            stories.items(),
        )
