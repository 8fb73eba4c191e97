"""Looking for all that is held on one person: the journal, refused records, and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from switchhook.exotel.spellings import Spellings
from switchhook.journal.checking import damaged_in
from switchhook.retention.erased_calls import named_in
from switchhook.retention.erasure import damage_text
from switchhook.retention.person import NOT_REACHED, Person, held_record, held_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.exotel.spellings import ErasedNumber, Traces
    from switchhook.journal.closed import ClosedJournal
    from switchhook.journal.source import JournalSource
    from switchhook.retention.policy import RetentionLimits

_RECORDS = 500


class LedgerTexts(Protocol):
    """The ledger, as far as it is searched for texts."""

    def rows_with(self, traces: Traces) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows that hold what is looked for, each with its table's name."""

    def audit_mentions(self, masked: str) -> int:
        """How many entries of the audit log name somebody by a masked number."""


class PersonSearch:
    """Reads everything, in any thread; changes nothing."""

    def __init__(self, journal: JournalSource, closed: ClosedJournal, ledger: LedgerTexts) -> None:
        self._journal, self._closed, self._ledger = journal, closed, ledger

    def find(
        self,
        number: ErasedNumber,
        limits: RetentionLimits,
        going_on: Callable[[], bool] = lambda: True,
    ) -> Person:
        """The report on a number; as far as it has come once `going_on` says no."""
        traces = Spellings(number)
        records, searched, whole, after = [], 0, False, max(self._journal.first_seq() - 1, 0)
        damaged: list[tuple[int, int]] = []
        while going_on():
            batch = self._journal.read(after, _RECORDS)
            if not batch:
                whole = True
                break
            damaged += damaged_in(batch, after + 1)
            after = batch[-1].seq
            searched += len(batch)
            for record in batch:
                if times := traces.count(record.body):
                    sids = named_in(record.body).sids
                    held = held_record(record.seq, record.kind, record.at, sids, times, limits)
                    records.append(held)
        refused = sum(
            traces.count(self._closed.refused.read(name)) > 0
            for name in self._closed.refused.names()
        )
        rows = [held_row(table, row, limits) for table, row in self._ledger.rows_with(traces)]
        return Person(
            number=number.masked,
            searched=searched,
            until_seq=after,
            whole=whole,
            records=tuple(records),
            refused_files=refused,
            rows=tuple(rows),
            audit_mentions=self._ledger.audit_mentions(number.masked),
            not_reached=(*NOT_REACHED, *damage_text(damaged)),
        )
