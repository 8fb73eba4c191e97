"""Where a moment belongs in time when the system's clock steps: a steady time, and how far off.

The system's clock (`wall`) may step forward and back, and may start at 1970; the monotonic one
(`mono`) goes on evenly until the machine starts anew. Steady time is the system's as it was before
a step, going on by the monotonic clock: a step and back moves nothing. A clock that stays where it
stepped to is believed after a while. What is kept is the system's time as it was; windows, ages and
order in time go by the steady one. All times are in ms.

The same records give the same steady times again, whoever follows them and whenever.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from switchhook.exotel.times import IST
from switchhook.metrics import duration_text

TOLERANCE_MS = 2_000
"""By less than this no clock is said to step: that is drift, which is followed."""
BELIEVED_MS = 900_000
"""A clock that stays for so long where it stepped to is right."""
TOLD_MS = 300_000
"""For so long it is told of a step after it is over."""
SENSIBLE_MS = 1_735_689_600_000
"""2025-01-01, before the first release: a clock that says less was never set."""
_JITTER_MS = 60_000  # records are queued a little out of the order of their monotonic times


class Step(msgspec.Struct, frozen=True):
    """A step of the system's clock: by how much, when by steady time, and for how long.

    `lasted_ms` is None while it goes on; `believed` is whether the clock stayed where it went.
    """

    by_ms: int
    at_ms: int
    lasted_ms: int | None = None
    believed: bool = False


class Axis(msgspec.Struct, frozen=True, omit_defaults=True):
    """Steady time: `offset_ms` is what it is ahead of the monotonic clock.

    `mono_ms` and `at_ms` are the newest moment that was followed, `off_ms` by how much the system's
    clock was ahead of steady time then. `candidate_ms` is the offset that a clock that stepped has
    had since `since_ms` (monotonic). `unset` is whether steady time itself is but a guess, as the
    clock was never set. `step` is the last one; it was over at `over_ms` (monotonic).
    """

    offset_ms: int
    mono_ms: int
    at_ms: int
    off_ms: int = 0
    candidate_ms: int | None = None
    since_ms: int = 0
    unset: bool = False
    step: Step | None = None
    over_ms: int = 0

    @property
    def steps(self) -> bool:
        """Whether the system's clock is not where steady time is."""
        return abs(self.off_ms) > TOLERANCE_MS


def follow(axis: Axis | None, wall_ms: int, mono_ms: int, *, boot: bool = False) -> Axis:
    """Steady time at a later moment; `boot` is whether the machine started since."""
    if axis is None:
        return Axis(wall_ms - mono_ms, mono_ms, wall_ms, unset=wall_ms < SENSIBLE_MS)
    if boot or mono_ms < axis.mono_ms - _JITTER_MS:
        return _started(axis, wall_ms, mono_ms)
    offset = wall_ms - mono_ms
    if abs(offset - axis.offset_ms) <= TOLERANCE_MS:
        return _right(axis, offset, mono_ms)
    if axis.unset and offset > axis.offset_ms and wall_ms >= SENSIBLE_MS:
        return _believed(axis, offset, mono_ms)
    candidate = axis.candidate_ms
    if candidate is None or abs(offset - candidate) > TOLERANCE_MS:
        return _stepped(axis, offset, mono_ms)
    if mono_ms - axis.since_ms >= BELIEVED_MS:
        return _believed(axis, offset, mono_ms)
    return msgspec.structs.replace(
        axis,
        mono_ms=max(mono_ms, axis.mono_ms),
        at_ms=mono_ms + axis.offset_ms,
        off_ms=offset - axis.offset_ms,
        candidate_ms=offset,
    )


def recent_step(axis: Axis, mono_ms: int) -> Step | None:
    """The step that people are told of: it goes on, or was over only lately."""
    if axis.step is None:
        return None
    if axis.step.lasted_ms is None:
        return axis.step
    return axis.step if mono_ms - axis.over_ms < TOLD_MS else None


def _started(axis: Axis, wall_ms: int, mono_ms: int) -> Axis:
    """After a start of the machine nothing but its clock says how long it was off."""
    newest = axis.at_ms
    if wall_ms >= newest - TOLERANCE_MS:
        return Axis(wall_ms - mono_ms, mono_ms, wall_ms, unset=wall_ms < SENSIBLE_MS)
    behind = wall_ms - newest
    return Axis(
        newest - mono_ms,
        mono_ms,
        newest,
        off_ms=behind,
        candidate_ms=wall_ms - mono_ms,
        since_ms=mono_ms,
        unset=True,
        step=Step(behind, newest),
    )


def _right(axis: Axis, offset: int, mono_ms: int) -> Axis:
    step, over = axis.step, axis.over_ms
    if step is not None and step.lasted_ms is None:
        lasted = max(mono_ms + axis.offset_ms - step.at_ms, 0)
        step, over = msgspec.structs.replace(step, lasted_ms=lasted), mono_ms
    return Axis(
        offset,
        max(mono_ms, axis.mono_ms),
        mono_ms + offset,
        unset=axis.unset and mono_ms + offset < SENSIBLE_MS,
        step=step,
        over_ms=over,
    )


def _stepped(axis: Axis, offset: int, mono_ms: int) -> Axis:
    at_ms, off_ms = mono_ms + axis.offset_ms, offset - axis.offset_ms
    going_on = axis.step if axis.step is not None and axis.step.lasted_ms is None else None
    since = at_ms if going_on is None else going_on.at_ms
    return msgspec.structs.replace(
        axis,
        mono_ms=max(mono_ms, axis.mono_ms),
        at_ms=at_ms,
        off_ms=off_ms,
        candidate_ms=offset,
        since_ms=mono_ms,
        step=Step(off_ms, since),
    )


def _believed(axis: Axis, offset: int, mono_ms: int) -> Axis:
    by_ms, at_ms = offset - axis.offset_ms, mono_ms + axis.offset_ms
    going_on = axis.step if axis.step is not None and axis.step.lasted_ms is None else None
    begun = at_ms if going_on is None else going_on.at_ms
    step = Step(by_ms, begun, max(at_ms - begun, 0), believed=True)
    return Axis(offset, max(mono_ms, axis.mono_ms), mono_ms + offset, step=step, over_ms=mono_ms)


def step_text(step: Step) -> str:
    """A step in a sentence without its full stop: by how much, when, and whether it is over."""
    when = datetime.fromtimestamp(step.at_ms / 1000, UTC).astimezone(IST).strftime("%d %b %H:%M:%S")
    sign = "+" if step.by_ms > 0 else "−"
    said = f"by {sign}{duration_text(abs(step.by_ms) / 1000)} at {when} IST"
    if step.lasted_ms is None:
        return f"the system's clock stepped {said} and is still off"
    if step.believed:
        return f"the system's clock was set {said}"
    return f"the system's clock stepped {said}, for {duration_text(step.lasted_ms / 1000)}"
