"""Which segment holds which records, as the folder was at one moment."""

from __future__ import annotations

from bisect import bisect_right

from switchhook.journal.segment import SegmentFile

MAX_SEQ = 2**63 - 1


class Listing:
    """The segments as they were at one moment."""

    def __init__(self, segments: list[SegmentFile]) -> None:
        self.segments = segments
        self._first_seqs = [segment.first_seq for segment in segments]

    def __len__(self) -> int:
        return len(self.segments)

    def place(self, seq: int) -> int:
        """Find the segment that holds `seq`, or the first one after it; there must be one."""
        return max(bisect_right(self._first_seqs, seq) - 1, 0)

    def span(self, place: int) -> tuple[int, int]:
        """Give the first and last seq for which a segment is the truth."""
        last = self._first_seqs[place + 1] - 1 if place + 1 < len(self.segments) else MAX_SEQ
        return self._first_seqs[place], last
