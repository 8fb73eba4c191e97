"""The questions that were asked last, as the answer side remembers them."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from switchhook.journal.connections import SegmentConnections
    from switchhook.journal.listing import Listing
    from switchhook.journal.segment import SegmentFile

_ASKED_START = """SELECT seq FROM record INDEXED BY record_asked
WHERE asked IS NOT NULL AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1 OFFSET ?"""
_ASKED_COUNT = """SELECT count(*) FROM record INDEXED BY record_asked
WHERE asked IS NOT NULL AND seq BETWEEN ? AND ?"""


class AskedQuestions(NamedTuple):
    """The questions that were asked last, in the order of the journal: one array a column.

    `option` and `mono` are -1 where the record has none; `mono` and `at` are in ms.
    """

    seq: array[int]
    asked: array[int]
    option: array[int]
    mono: array[int]
    at: array[int]

    @classmethod
    def none(cls) -> AskedQuestions:
        return cls(array("q"), array("q"), array("q"), array("q"), array("q"))

    def remember(self, row: Any) -> None:
        """Add one, by its row: `seq, kind, at, mono, asked, option, …`."""
        self.seq.append(row[0])
        self.asked.append(row[4])
        self.option.append(-1 if row[5] is None else row[5])
        self.mono.append(-1 if row[3] is None else row[3])
        self.at.append(row[2])


def asked_spans(
    opened: SegmentConnections, listing: Listing, limit: int, oldest: int
) -> list[tuple[SegmentFile, int, int]]:
    """Find which part of which segments holds the newest `limit` questions, in order."""
    spans: list[tuple[SegmentFile, int, int]] = []
    for place in reversed(range(len(listing))):
        first, last = listing.span(place)
        if limit <= 0 or last < oldest:
            break
        segment, first = listing.segments[place], max(first, oldest)
        start = opened.rows(segment, _ASKED_START, (first, last, limit - 1))
        if start:
            first, limit = start[0][0], 0
        elif count := opened.rows(segment, _ASKED_COUNT, (first, last)):
            limit -= count[0][0]
        spans.append((segment, first, last))
    return spans[::-1]
