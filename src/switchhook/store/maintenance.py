"""What retention and erasure do to a store's tables, between two batches of the fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.journal.receipt import RecordKind
from switchhook.store.batch import Batch
from switchhook.store.folding import Folding
from switchhook.streams.parsed_record import parse_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.store.tables import KeptTables
    from switchhook.streams.parsed_record import ParsedRecord

_REFOLDED_AT_ONCE = 200


class OpenTables(Folding):
    """Tables, open for folding and for forgetting."""

    def __init__(self, tables: KeptTables, journal: JournalSource) -> None:
        super().__init__(tables, journal)
        self._kept = tables

    def refold(self, seqs: Sequence[int]) -> None:
        """Fold records and the others of their calls anew, from the journal as it is now.

        What is gone from it is gone here, as after a rebuild.
        """
        for start in range(0, len(seqs), _REFOLDED_AT_ONCE):
            together = self._kept.of_same_calls(seqs[start : start + _REFOLDED_AT_ONCE])
            records = self._journal.get_many(together)
            with self._changing():
                self._refold(together, [parse_record(each) for _, each in sorted(records.items())])
            self._look_again()

    def _refold(self, together: Sequence[int], records: Sequence[ParsedRecord]) -> None:
        batch, there = Batch(), {each.record.seq for each in records}
        damaged = self._kept.quarantined_among([seq for seq in together if seq not in there])
        batch.quarantine += damaged.items()
        placed = self._kept.placed(together)
        for facet, at in self._kept.take_out(together):
            batch.count_stream(facet, at, -1)
        taking, node = self._taking(batch, records), self._node_of_journal()
        for parsed in records:
            record = parsed.record
            if record.kind not in (RecordKind.LATE, RecordKind.COUNTERS):
                at = record.at if record.steady is None else record.steady
                taking.take(parsed, placed.get(record.seq, at), node)
        for counted in (batch.forms, batch.hits, batch.last_hits):
            counted.clear()  # they were when the records came
        self._stories.put(batch, self._stories.told(batch, node))
        self._write_rows(batch)
        self._kept.drop_unused_facets()

    def drop_before(self, seq: int, at: int) -> int:
        """Let go of everything before a record and its time; gives how many streams that were."""
        batch = Batch()
        with self._changing():
            streams = self._kept.drop_before(seq, at)
            for facet, first_at in streams:
                batch.count_stream(facet, first_at, -1)
            self._kept.write_tallies(batch.tallies)
            self._kept.drop_unused_facets()
        self._look_again()
        return len(streams)

    def oldest_kept(self, before_ms: int, most: int) -> tuple[int, int]:
        """The record, and its time, before which at most `most` streams older than that go."""
        return self._kept.oldest_kept(before_ms, most, self._placing.newest_ms)

    def records_of_number(self, number: str) -> list[int]:
        """The seqs of records that are known to name a number in E.164."""
        return self._kept.records_of_number(number)

    def keep_stories(self, after_seq: int, before_seq: int, limit: int) -> int | None:
        """Write down streams that one receipt told, before the journal lets go of that.

        Gives the seq to go on after; None at the end.
        """
        seqs = self._kept.untold(after_seq, before_seq, limit)
        with self._changing():
            self._stories.keep(seqs, self._node_of_journal())
        return seqs[-1] if len(seqs) == limit else None
