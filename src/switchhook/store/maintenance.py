"""What retention and erasure do to a store's file, between two batches of the fold."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from switchhook.journal.receipt import RecordKind
from switchhook.store.batch import Batch
from switchhook.store.deletion import (
    drop_before,
    drop_unused_facets,
    of_same_calls,
    records_of_number,
    take_out,
)
from switchhook.store.folding import Folding
from switchhook.store.placing import times_of
from switchhook.streams.parsed_record import parse_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_REFOLDED_AT_ONCE = 200


class OpenStore(Folding):
    """A store's file, open for folding and for forgetting."""

    def refold(self, seqs: Sequence[int]) -> None:
        """Fold records and the others of their calls anew, from the journal as it is now.

        What is gone from it is gone here, as after a rebuild.
        """
        for start in range(0, len(seqs), _REFOLDED_AT_ONCE):
            together = of_same_calls(self._connection, seqs[start : start + _REFOLDED_AT_ONCE])
            records, asked = self._journal.get_many(together), set(together)
            damaged = [
                (seq, reason)
                for seq, reason in self._connection.execute("SELECT seq, reason FROM quarantine")
                if seq in asked and seq not in records
            ]
            batch = Batch()
            with self._changing():
                take_out(self._connection, batch, together)
                batch.quarantine += damaged
                time_of = times_of(self._connection)
                for seq, record in sorted(records.items()):
                    if record.kind not in (RecordKind.LATE, RecordKind.COUNTERS):
                        self._take(batch, parse_record(record), time_of(seq, record.at))
                for counted in (batch.forms, batch.hits, batch.last_hits):
                    counted.clear()  # they were when the records came
                self._write_rows(batch)
                drop_unused_facets(self._connection)
            self._look_again()

    def drop_before(self, seq: int, at: int) -> int:
        """Let go of everything before a record and its time; gives how many streams that were."""
        batch = Batch()
        with self._changing():
            count = drop_before(self._connection, batch, seq, at)
            batch.write_tallies(self._connection)
            drop_unused_facets(self._connection)
        self._look_again()
        return count

    def oldest_kept(self, before_ms: int, most: int) -> tuple[int, int]:
        """The record, and its time, before which about `most` streams older than that go."""
        rows = self._connection.execute(
            "SELECT seq, at FROM stream ORDER BY seq LIMIT ?", (most + 1,)
        )
        newest = self._placing.newest_ms
        seq = at = 0
        for seq, at in rows:
            if at > newest:  # of a clock that was wrong for long: it was before what came next
                sql = "SELECT at FROM turn WHERE seq > ? AND at <= ? ORDER BY seq LIMIT 1"
                at = self._connection.execute(sql, (seq, newest)).get or newest
            if at >= before_ms:
                return seq, at
        if seq and self._connection.execute("SELECT max(seq) FROM stream").get == seq:
            return seq + 1, at + 1
        return seq, at

    def records_of_number(self, number: str) -> list[int]:
        """The seqs of records that are known to name a number in E.164."""
        return records_of_number(self._connection, number)

    def checkpoint(self) -> None:
        """Write what the log has into the file, and empty it."""
        with suppress(apsw.BusyError):  # somebody reads: what is left in it is found, and said
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def copy_to(self, path: Path) -> None:
        """Write what is used of the file to another one."""
        self._connection.execute("VACUUM INTO ?", (str(path),))
        path.chmod(0o600)

    def keep_stories(self, after_seq: int, before_seq: int, limit: int) -> int | None:
        """Write down streams that one receipt told, before the journal lets go of that.

        Gives the seq to go on after; None at the end.
        """
        rows = self._connection.execute(
            "SELECT seq FROM stream WHERE seq > ? AND seq < ? AND story IS NULL"
            " ORDER BY seq LIMIT ?",
            (after_seq, before_seq, limit),
        )
        seqs = [seq for (seq,) in rows]
        with self._changing():
            self._stories.keep(seqs, self._node_of_journal())
        return seqs[-1] if len(seqs) == limit else None
