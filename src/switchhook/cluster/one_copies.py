"""The answers that left with one copy and are not handed over yet: those of a node's own journal.

What is handed over is counted by the database (`cluster_handed.one_copy`). Nothing is read while
the hand-over keeps up.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from switchhook.journal.record_kind import RecordKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.journal.source import JournalRecord

_MOST_READ = 2_000
"""Records of one look."""


class OwnRecords(Protocol):
    """The journal of the node."""

    def read(self, after_seq: int, limit: int) -> Sequence[JournalRecord]: ...


class OneCopies:
    """Counts them; one thread looks."""

    def __init__(self, journal: OwnRecords) -> None:
        self._journal = journal
        self.through = 0
        """Up to which record they are counted."""
        self._marks: deque[int] = deque()

    def waiting(self, handed: int) -> int:
        """How many marks come after the record that was handed over last; by and by where many do.

        Raises JournalError.
        """
        while self._marks and self._marks[0] <= handed:
            self._marks.popleft()
        self.through = max(self.through, handed)
        for record in self._journal.read(self.through, _MOST_READ):
            self.through = record.seq
            if record.kind == RecordKind.ONE_COPY:
                self._marks.append(record.seq)
        return len(self._marks)
