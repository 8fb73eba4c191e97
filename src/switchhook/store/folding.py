"""Folding records into a store's tables, whichever engine keeps them: the one writer of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from switchhook.errors import JournalError
from switchhook.store.batch import Batch
from switchhook.store.buckets import bucket_of
from switchhook.store.digest import Digest
from switchhook.store.facets import Facets
from switchhook.store.forms import Forms
from switchhook.store.known_streams import KnownStreams
from switchhook.store.placing import Placing
from switchhook.store.stories import Stories
from switchhook.store.tables import Progress
from switchhook.store.taking import Taking, digests_of
from switchhook.streams.parsed_record import PassthruRecord, reason_of
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from switchhook.journal.source import JournalRecord, JournalSource
    from switchhook.store.tables import FoldTables
    from switchhook.store.taking import Undigested
    from switchhook.streams.facet import Facet
    from switchhook.streams.parsed_record import ParsedRecord

_FEWEST_READ, _READ_A_RECORD = 2_000, 100  # keys: some 3 ms, and more where much is to be folded


class Folding:
    """Tables, open for folding. `position` is the seq up to which all is in."""

    def __init__(self, tables: FoldTables, journal: JournalSource) -> None:
        self._tables, self._journal = tables, journal
        self._facets, self._forms = Facets(tables), Forms(tables)
        progress = tables.progress()
        self.node, self.position = progress.node, progress.seq
        self._placing = Placing(progress.axis, progress.newest_ms)
        self._known_streams = KnownStreams(tables, self.position, journal.last_seq())
        self._stories = Stories(tables, journal, self._facets)

    def fold(self, records: Sequence[ParsedRecord]) -> None:
        """Take records in, in one transaction; what can't be folded is quarantined alone."""
        try:
            self._fold(records)
        except Exception as error:
            if self._is_circumstance(error):
                raise
            for parsed in records:
                self._fold_alone(parsed)

    def _is_circumstance(self, error: Exception) -> bool:
        return isinstance(error, JournalError) or self._tables.is_circumstance(error)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """A transaction; what is remembered of the tables is forgotten where it is undone."""
        try:
            with self._tables.writing():
                yield
        except BaseException:
            self._look_again()
            raise

    def _fold_alone(self, parsed: ParsedRecord) -> None:
        try:
            self._fold([parsed])
        except Exception as error:
            if self._is_circumstance(error):
                raise
            batch, record = Batch(), parsed.record
            batch.quarantine.append((record.seq, reason_of(error)))
            with self._changing():
                self._write(batch, record, self._placing)
            self.position = record.seq

    def _fold(self, records: Sequence[ParsedRecord]) -> None:
        self._known_streams.read(max(_FEWEST_READ, _READ_A_RECORD * len(records)))
        placing = Placing(self._placing.axis, self._placing.newest_ms)
        last = records[-1].record
        self._number([each.facet for each in records if isinstance(each, PassthruRecord)])
        batch = self._taken(records, placing)
        told = self._stories.told(batch, self._node_of_journal())
        self._number(told.facets)
        self._stories.put(batch, told)
        with self._changing():
            self._write(batch, last, placing)
        # Only now is it in: COMMIT may find the disk full.
        self._known_streams.add(batch.begun)
        self.position, self._placing = last.seq, placing

    def _number(self, facets: Sequence[Facet]) -> None:
        """Have numbers for facets, new ones in a transaction of their own: they are rare."""
        if not all(map(self._facets.knows, facets)):
            with self._changing():
                for facet in facets:
                    self._facets.number(facet)

    def _taken(self, records: Sequence[ParsedRecord], placing: Placing) -> Batch:
        """What records become. It takes its time, and is done before anything is locked."""
        batch = Batch()
        taking, node = self._taking(batch, records), self._node_of_journal()
        for parsed in records:
            record = parsed.record
            at = record.at if record.damage else self._place(batch, record, placing)
            taking.take(parsed, at, node)
            yield_cpu()
        return batch

    def _taking(self, batch: Batch, records: Sequence[ParsedRecord]) -> Taking:
        digests = digests_of(records)
        newest = bucket_of(max((each.record.seq for each in records), default=0))
        known = self._known_streams.find(_streams_of(digests), newest)
        return Taking(batch, self._facets, self._journal, digests, known)

    def _place(self, batch: Batch, record: JournalRecord, placing: Placing) -> int:
        placed = placing.place(record)
        if placed.displaced:
            batch.displaced.append((record.seq, placed.at_ms))
        if placed.turn:
            batch.turns.append((record.seq, placed.at_ms))
        return placed.at_ms

    def _look_again(self) -> None:
        """Forget what is remembered of the tables: some of it may be undone."""
        self._facets.forget()
        self._forms.forget()

    def _write(self, batch: Batch, last: JournalRecord, placing: Placing) -> None:
        self._write_rows(batch)
        self._tables.advance(
            Progress(self.node, last.seq, last.at, placing.newest_ms, placing.axis)
        )

    def _write_rows(self, batch: Batch) -> None:
        self._tables.write(batch)
        if batch.calls:
            ended = Batch()
            self._stories.end_with_calls(ended, batch.calls, self._node_of_journal())
            if ended.retold:
                self._tables.write(ended)
                batch.tallies.update(ended.tallies)
        self._tables.write_tallies(batch.tallies)
        self._forms.write(batch.forms)

    def _node_of_journal(self) -> int:
        """What ids are made with: records of a journal of several nodes name their own."""
        if self.node is None:
            self.node = self._journal.node
        return self.node or 0


def _streams_of(digests: Mapping[int, Digest | Undigested]) -> set[int]:
    """The streams that some passthrus tell of, by the hash of each."""
    found = (each.stream for each in digests.values() if isinstance(each, Digest))
    return {key for key in found if key is not None}
