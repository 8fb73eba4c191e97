"""What keeps retention from believing a clock that is wrong: a time of its own, and bounds.

Nothing brings back what was removed, so retention goes by a time that it trusts: what it last
trusted, and as long as it ran since. A clock that is far ahead of that holds it, said as trouble,
until it has said the same for a week. Whatever the clock says, no more than a twentieth of what is
there goes in an hour. All times are in ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS
from switchhook.metrics import duration_text
from switchhook.retention.policy import DeleteRows, DeleteSegment, next_step

if TYPE_CHECKING:
    from switchhook.retention.policy import Holdings, RetentionLimits

FAR_MS = 2 * DAY_MS
"""By no more than this a clock may be ahead of what was kept and how long retention ran."""
TRUSTED_MS = 7 * DAY_MS
"""A clock that is ahead for so long is right."""


class Trusted(msgspec.Struct, frozen=True):
    """The time that retention trusts, and for how long the clock has been far from it."""

    now_ms: int
    waited_ms: int = 0

    def later(self, clock_ms: int, passed_ms: int) -> Trusted:
        """The same after a while that was measured by a steady clock."""
        due_ms = self.now_ms + passed_ms
        if abs(clock_ms - due_ms) <= FAR_MS:
            return Trusted(clock_ms)
        waited_ms = self.waited_ms + passed_ms
        return Trusted(clock_ms) if waited_ms >= TRUSTED_MS else Trusted(due_ms, waited_ms)

    def before(self, clock_ms: int) -> int:
        """What retention may take for now: nothing is removed too early by either."""
        return min(self.now_ms, clock_ms)


def first_trusted(holdings: Holdings, clock_ms: int) -> Trusted:
    """What to trust at the very first: the newest that was kept, where that isn't in the future."""
    last = [each.last_at for each in holdings.segments if each.last_at is not None]
    return Trusted(min(last[-1], clock_ms) if last else clock_ms)


class Held(msgspec.Struct, frozen=True):
    """That retention waits: by how much the clock is ahead, and for how long it still waits."""

    ahead_ms: int
    left_ms: int


def held(
    holdings: Holdings, limits: RetentionLimits, trusted: Trusted, clock_ms: int
) -> Held | None:
    """Whether the clock alone would have something removed; None where nothing is held."""
    ahead_ms = clock_ms - trusted.now_ms
    if ahead_ms <= FAR_MS:
        return None
    due = next_step(holdings, limits, clock_ms)
    if not isinstance(due, DeleteRows | DeleteSegment):
        return None
    return Held(ahead_ms, max(TRUSTED_MS - trusted.waited_ms, 0))


def held_text(held: Held) -> str:
    """That retention waits, in a sentence without its full stop, with what to do."""
    ahead, left = duration_text(held.ahead_ms / 1000), duration_text(held.left_ms / 1000)
    return (
        f"retention waits: the clock is {ahead} ahead of what was kept and how long this ran; set"
        f" it right, or wait {left} for retention to go on by it"
    )
