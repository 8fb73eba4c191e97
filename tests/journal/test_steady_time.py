"""Steady time: what a step of the system's clock leaves as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.journal.steady_time import (
    BELIEVED_MS,
    SENSIBLE_MS,
    TOLD_MS,
    TOLERANCE_MS,
    Axis,
    follow,
    recent_step,
    step_text,
)

START = 1_795_000_000_000
S, H, DAY = 1000, 3_600_000, 86_400_000


def followed(*moments: tuple[int, int]) -> list[Axis]:
    """An axis at (ms since the start, by how much the clock is off then)."""
    axis, found = None, []
    for mono, off in moments:
        axis = follow(axis, START + mono + off, mono)
        found.append(axis)
    return found


@pytest.mark.parametrize("by_ms", [9 * H, -9 * H, 500 * DAY, -START, 30 * S, 5 * 365 * DAY])
def test_a_step_and_back_moves_nothing(by_ms):
    axes = followed((0, 0), (10 * S, by_ms), (14 * S, by_ms), (15 * S, 0), (20 * S, 0))
    assert [axis.at_ms - START for axis in axes] == [0, 10 * S, 14 * S, 15 * S, 20 * S]
    assert [axis.off_ms for axis in axes] == [0, by_ms, by_ms, 0, 0]
    assert [axis.steps for axis in axes] == [False, True, True, False, False]
    step = axes[-1].step
    assert step is not None
    assert (step.by_ms, step.at_ms, step.lasted_ms) == (by_ms, START + 10 * S, 5 * S)


def test_a_clock_that_stays_is_believed():
    last = 10 * S + BELIEVED_MS
    axes = followed((0, 0), (10 * S, H), (last - 1, H), (last, H), (last + S, H))
    assert [axis.at_ms - START for axis in axes[2:]] == [last - 1, last + H, last + S + H]
    step = axes[-1].step
    assert step is not None
    assert step.believed
    assert recent_step(axes[-1], last + TOLD_MS - 1) == step
    assert recent_step(axes[-1], last + TOLD_MS) is None


def test_a_clock_that_steps_again_and_again_is_not_believed():
    moments = [(10 * S + each * 60 * S, (each % 2 + 1) * H) for each in range(60)]
    axes = followed((0, 0), *moments)
    assert all(
        axis.at_ms - START == mono for axis, (mono, _) in zip(axes[1:], moments, strict=True)
    )
    step = axes[-1].step
    assert step is not None
    assert step.at_ms == START + 10 * S, "it is one trouble, since it began"


def test_drift_is_followed():
    """A clock that NTP slews may go away from the monotonic one without end."""
    axes = followed(*((each * 60 * S, each * (TOLERANCE_MS - 1)) for each in range(100)))
    assert not any(axis.steps for axis in axes)
    assert axes[-1].at_ms == START + 99 * 60 * S + 99 * (TOLERANCE_MS - 1)


def test_a_clock_that_begins_at_1970_is_believed_as_soon_as_it_is_set():
    axis = follow(None, 5 * S, 5 * S)
    assert axis.unset
    axis = follow(axis, START, 9 * S)
    assert (axis.at_ms, axis.unset) == (START, False)
    glitch = follow(axis, START + 9 * H + S, 10 * S)
    assert glitch.at_ms == START + S, "that was for once"


def test_a_machine_that_starts_at_1970_goes_on_from_what_was_kept():
    before = followed((0, 0), (1000 * S, 0))[-1]
    axis = follow(before, 3 * S, 3 * S, boot=True)
    assert axis.at_ms == before.at_ms
    assert axis.steps
    axis = follow(axis, 8 * S, 8 * S)
    assert axis.at_ms == before.at_ms + 5 * S
    axis = follow(axis, START + H, 9 * S)
    assert (axis.at_ms, axis.steps) == (START + H, False)


def test_a_start_of_the_machine_is_seen_by_its_clock_too():
    before = followed((0, 0), (1000 * S, 0))[-1]
    for boot in (True, False):
        axis = follow(before, START + H, 4 * S, boot=boot)
        assert (axis.at_ms, axis.steps, axis.step) == (START + H, False, None)


@pytest.mark.parametrize(
    "moments, said",
    [
        (((S, 9 * H),), "stepped by +9 h at 18 Nov 16:36:41 IST and is still off"),
        (((S, -9 * H), (2 * S, 0)), "stepped by −9 h at 18 Nov 16:36:41 IST, for 1 s"),
        (((S, 500 * DAY),), "stepped by +500 days at 18 Nov 16:36:41 IST and is still off"),
        (((S, H), (S + BELIEVED_MS, H)), "was set by +60 min at 18 Nov 16:36:41 IST"),
    ],
)
def test_a_step_is_said_by_how_much_and_when(moments, said):
    step = followed((0, 0), *moments)[-1].step
    assert step is not None
    assert step_text(step) == f"the system's clock {said}"


offsets = st.one_of(st.just(0), st.integers(-SENSIBLE_MS, SENSIBLE_MS))


@given(st.lists(st.tuples(st.integers(1, 30 * S), offsets), max_size=40))
def test_steady_time_goes_with_the_monotonic_clock_while_steps_are_short(moments):
    """Whatever the clock says, for less than it takes to be believed."""
    axis, mono = follow(None, START, 0), 0
    for passed, off in moments:
        mono += passed
        wall = START + mono + off
        if mono >= BELIEVED_MS:
            break
        axis = follow(axis, wall, mono)
        assert abs(axis.at_ms - START - mono) <= TOLERANCE_MS * len(moments)
