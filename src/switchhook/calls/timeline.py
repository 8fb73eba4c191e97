"""One call on one axis: what is known of it and from whom, and the gaps between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHARE_OF_GAP = 0.12
SHORTEST_GAP_S = 5
_MARGIN = 0.02
_SHORTEST_S = 1.0
_TICKS = 6
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, at a time or from then `until_us`. Times are Unix microseconds.

    `lane` is who tells of it; `level` good, warn, bad, live or muted; `cause` is the one that it
    says, if any, in whose colour it is shown then. `about` is whether the time is only as exact as
    what it was reckoned from. `anchor` is where the page tells more.
    """

    at_us: int
    lane: str
    title: str
    detail: str = ""
    level: str = "muted"
    cause: str = ""
    until_us: int | None = None
    about: bool = False
    anchor: str = ""

    @property
    def end_us(self) -> int:
        return self.at_us if self.until_us is None else max(self.at_us, self.until_us)


class Gap(msgspec.Struct, frozen=True):
    """A stretch in which nobody told of anything."""

    from_us: int
    until_us: int

    @property
    def seconds(self) -> float:
        return (self.until_us - self.from_us) / 1_000_000


class Timeline(msgspec.Struct, frozen=True):
    """Entries in their order, the lanes that they are in, the gaps, and where the axis has marks.

    The axis goes from `from_us` to `until_us`.
    """

    from_us: int
    until_us: int
    entries: tuple[TimelineEntry, ...]
    lanes: tuple[str, ...]
    gaps: tuple[Gap, ...]
    ticks: tuple[int, ...]

    def place(self, at_us: int) -> float:
        """Where a time is on the axis, from 0 to 100."""
        share = (at_us - self.from_us) / (self.until_us - self.from_us)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    @property
    def length_s(self) -> float:
        """From the first that happened to the end of the last."""
        return self.seconds_after(self.began_us)

    def seconds_after(self, began_us: int) -> float:
        """How long after a moment the last ended."""
        return (max(each.end_us for each in self.entries) - began_us) / 1_000_000

    @property
    def began_us(self) -> int:
        """When the first thing happened."""
        return self.entries[0].at_us


def timeline(entries: Iterable[TimelineEntry], lanes: Sequence[str]) -> Timeline | None:
    """Lay entries out; lanes are in the order of `lanes`. None where there is nothing to show."""
    ordered = tuple(sorted(entries, key=lambda each: (each.at_us, lanes.index(each.lane))))
    if not ordered:
        return None
    first, last = ordered[0].at_us, max(each.end_us for each in ordered)
    length = max(last - first, int(_SHORTEST_S * 1_000_000))
    margin = int(length * _MARGIN)
    start, end = first - margin, first + length + margin
    used = {each.lane for each in ordered}
    return Timeline(
        from_us=start,
        until_us=end,
        entries=ordered,
        lanes=tuple(lane for lane in lanes if lane in used),
        gaps=_gaps(ordered, length),
        ticks=_ticks(start, end),
    )


def _gaps(entries: Sequence[TimelineEntry], length: int) -> tuple[Gap, ...]:
    least = max(length * SHARE_OF_GAP, SHORTEST_GAP_S * 1_000_000)
    gaps = []
    known = entries[0].end_us
    for each in entries[1:]:
        if each.at_us - known >= least:
            gaps.append(Gap(known, each.at_us))
        known = max(known, each.end_us)
    return tuple(gaps)


def _ticks(start: int, end: int) -> tuple[int, ...]:
    length = (end - start) / 1_000_000
    step = next((each for each in _STEPS_S if length / each <= _TICKS), None)
    step_us = (step or int(length / _TICKS)) * 1_000_000
    first = -(-start // step_us) * step_us
    return tuple(range(first, end + 1, step_us))
