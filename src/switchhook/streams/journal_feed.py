"""The journal's records for those who must hear each once and in order, across restarts.

The fold tells of what is new; what it told before the start, and what memory did not hold while
nobody listened, is read from the journal again. `as_of` is up to when everything was heard.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.journal.source import moment_of
from switchhook.streams.parsed_record import parse_records
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.journal.source import JournalRecord, JournalSource
    from switchhook.streams.fold import Folded
    from switchhook.streams.parsed_record import ParsedRecord

    Hear = Callable[[ParsedRecord, Mapping[int, int]], None]

_BATCH = 2_000
MOST_WAITING = 20_000
"""Parsed records in memory; what is more is read again."""


class Moment(msgspec.Struct, frozen=True):
    """A moment, in Unix time and by the monotonic clock, in ms."""

    at_ms: int
    mono_ms: int


class JournalFeed:
    """See above. The fold's thread tells it, one other takes."""

    def __init__(self, journal: JournalSource) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._waiting: deque[Folded] = deque()
        self._count = 0
        self._read_to = 0
        self._listens = False
        self._seen: deque[tuple[int, Moment]] = deque(maxlen=10_000)
        self.through, self.through_ms = 0, 0
        self.as_of: Moment | None = None

    def begin(self, after: int) -> None:
        """Hear of everything after a record, and of what is new. Raises JournalError."""
        end = self._journal.last_seq()
        with self._lock:
            self.through, self._read_to, self._listens = after, max(end, self._read_to), True

    def start_at(self, seq: int) -> None:
        """Everything up to a record is of no interest."""
        with self._lock:
            self.through, self._read_to = max(self.through, seq), max(self._read_to, seq)

    def listen(self, wanted: bool) -> None:
        """Hear of what is new from now on, or only of how far it is."""
        with self._lock:
            self._listens = wanted
            if not wanted:
                self._waiting.clear()
                self._count = 0
                self.through = max(self.through, self._read_to)

    def folded(self, folded: Folded) -> None:
        """Observe the fold."""
        last = max(folded.records[-1].record.seq, folded.position)
        with self._lock:
            if not self._listens:
                self.through = max(self.through, last)
                self._read_to = max(self._read_to, last)
                self.through_ms = max(self.through_ms, moment_of(folded.records[-1].record))
                return
            self._waiting.append(folded)
            self._count += len(folded.records)
            if self._count > MOST_WAITING:
                self._waiting.clear()
                self._count = 0
                self._read_to = max(self._read_to, last)

    def hear(self, hear: Hear, for_s: float) -> bool:
        """Hand on what there is, for about so long; whether there is more. Raises JournalError."""
        until = time.monotonic() + for_s
        while self.through < self._read_to:
            records = [
                each
                for each in self._journal.read(self.through, _BATCH)
                if each.seq <= self._read_to
            ]
            for parsed in parse_records(records, yield_cpu):
                hear(parsed, {})
            # What is no longer there was removed: nobody can hear of it.
            last = records[-1] if records else None
            self._heard(self._read_to if last is None else last.seq, last)
            if time.monotonic() > until:
                return True
        while True:
            with self._lock:
                if not self._waiting or self.through < self._read_to:
                    return bool(self._waiting) or self.through < self._read_to
                folded = self._waiting.popleft()
                self._count -= len(folded.records)
            for parsed in folded.records:
                if parsed.record.seq > self.through:
                    hear(parsed, folded.placed)
            newest = folded.records[-1].record
            self._heard(max(newest.seq, folded.position), newest)

    def _heard(self, seq: int, last: JournalRecord | None) -> None:
        with self._lock:
            self.through = max(self.through, seq)
            if last is not None:
                self.through_ms = max(self.through_ms, moment_of(last))

    def look(self, now: Moment) -> None:
        """See how far the journal is, by which `as_of` is known. Raises JournalError."""
        end = self._journal.last_seq()
        self._seen.append((end, now))
        while self._seen and self._seen[0][0] <= self.through:
            self.as_of = self._seen.popleft()[1]
