"""When a node may let go of a part of its own journal: the database has it, and had it for long.

Times are by the database's clock, which a node's can't lead astray, but for `roll_due`: there it is
the clock of the records themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.journal.closed import Segment, SegmentState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORCED = 0.9
"""From this part of the journal's ceiling on, what was handed over goes before its time."""
_ROLL_SHARE = 10
_SHORTEST_ROLL_MS = HOUR_MS


class LocalLimits(msgspec.Struct, frozen=True):
    """How long segments stay, in hours after they were handed over, and what else bounds them.

    `raw_days` is how old records may get, 0 for ever; `ceiling_bytes` what all may weigh.
    """

    window_h: int
    raw_days: int
    ceiling_bytes: int


class Waiting(msgspec.Struct, frozen=True):
    """Closed segments that are not handed over, or not yet known to be kept twice."""

    segments: int = 0
    bytes: int = 0


def closed(segments: Sequence[Segment]) -> list[Segment]:
    """Those that nobody writes any more; what follows an open one is none of them.

    The newest is never among them: its name is what the journal counts on from.
    """
    found: list[Segment] = []
    for segment in segments[:-1]:
        if segment.state is SegmentState.OPEN:
            break
        found.append(segment)
    return found


def waiting(segments: Sequence[Segment], confirmed: int) -> Waiting:
    """What the database has yet to get; `confirmed` is up to where it is known to have all."""
    left = [each for each in closed(segments) if each.last_seq > confirmed]
    return Waiting(len(left), sum(each.bytes for each in left))


def may_go(
    segments: Sequence[Segment],
    confirmed_ms: Mapping[str, int],
    limits: LocalLimits,
    size_bytes: int,
    now_ms: int,
) -> Segment | None:
    """The oldest segment, if it may be deleted; None where it has to stay.

    `confirmed_ms` has since when each is known to be kept twice, by name.
    """
    oldest = next(iter(closed(segments)), None)
    if oldest is None:
        return None
    if oldest.state is SegmentState.SUPERSEDED or oldest.last_seq < oldest.first_seq:
        return oldest
    since = confirmed_ms.get(oldest.name)
    if since is None:
        return None
    over = now_ms - since >= limits.window_h * HOUR_MS
    expired = limits.raw_days > 0 and _ended_ms(oldest) < now_ms - limits.raw_days * DAY_MS
    forced = size_bytes >= limits.ceiling_bytes * FORCED
    return oldest if over or expired or forced else None


def _ended_ms(segment: Segment) -> int:
    """When its last record was; of a damaged one, whose times nobody knows, never."""
    return max(segment.first_at or 0, segment.last_at or 0) or 1 << 62


def roll_due(segments: Sequence[Segment], limits: LocalLimits, wall_ms: int) -> int | None:
    """The last seq of the open segment where it is so old that it would hold back what is in it."""
    newest = segments[-1] if segments else None
    if newest is None or newest.state is not SegmentState.OPEN or newest.last_at is None:
        return None
    # A first record of a clock that was ahead would keep it open for long.
    oldest = min(at for at in (newest.first_at, newest.last_at) if at is not None)
    stays_ms = limits.window_h * HOUR_MS
    if limits.raw_days:
        stays_ms = min(stays_ms, limits.raw_days * DAY_MS)
    due = wall_ms - oldest > max(stays_ms // _ROLL_SHARE, _SHORTEST_ROLL_MS)
    return newest.last_seq if due else None
