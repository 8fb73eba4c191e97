"""How promises went that ended lately: how many were kept within their time, and how soon. Pure.

*Within their time* counts what was owed to its end: kept ones, against those that expired or broke.
A caller who was served after all, whose call was not what it said, or whose promise a person
cancelled, was not owed anything any more. A promise is never dialled after its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.promise import PromiseEvent, PromiseState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of promises that ended since `since_ms`, by what ended them; seconds to the callback.

    Seconds are from when a promise was made to when the callback was dialled. `in_time` is a share,
    None where nothing was owed to its end; seconds are None where none was kept.
    """

    since_ms: int
    kept: int = 0
    broken: int = 0
    dropped: int = 0
    by_event: dict[PromiseEvent, int] = {}
    in_time: float | None = None
    median_s: float | None = None
    p90_s: float | None = None

    @property
    def owed(self) -> int:
        """Those that were owed to their end."""
        return self.kept + self.broken + self.by_event.get(PromiseEvent.EXPIRED, 0)


def lately(
    ended: Mapping[tuple[PromiseState, PromiseEvent], int],
    took_ms: Iterable[int],
    since_ms: int,
) -> Lately:
    """What became of promises that ended since a moment.

    `ended` counts them by state and by what brought them there; `took_ms` are the times to the
    callback of those that were kept.
    """
    states = dict.fromkeys(PromiseState, 0)
    events: dict[PromiseEvent, int] = {}
    for (state, event), count in ended.items():
        states[state] += count
        events[event] = events.get(event, 0) + count
    kept, broken = states[PromiseState.KEPT], states[PromiseState.BROKEN]
    owed = kept + broken + events.get(PromiseEvent.EXPIRED, 0)
    took = sorted(max(each, 0) for each in took_ms)
    return Lately(
        since_ms=since_ms,
        kept=kept,
        broken=broken,
        dropped=states[PromiseState.DROPPED],
        by_event=events,
        in_time=kept / owed if owed else None,
        median_s=_within(took, 0.5),
        p90_s=_within(took, 0.9),
    )


def _within(took_ms: Sequence[int], share: float) -> float | None:
    """The least of the times, in seconds, within which that share of all was called."""
    if not took_ms:
        return None
    at = max(-(-len(took_ms) * round(share * 100) // 100) - 1, 0)
    return took_ms[at] / 1000
