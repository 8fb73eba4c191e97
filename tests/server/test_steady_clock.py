"""What time the console takes it to be: the system's clock, but for its steps."""

from __future__ import annotations

import pytest

from switchhook.errors import SwitchhookError
from switchhook.journal.steady_time import Axis, follow
from switchhook.server.steady_clock import LOOK_MS, SteadyClock

WALL_MS, MONO_MS = 1_796_000_000_000, 5_000_000
HOUR_MS = 3_600_000


class Store:
    """What is folded, and how often it was asked for the clocks."""

    def __init__(self) -> None:
        self.known: Axis | None = None
        self.folded = self.asked = 0
        self.problem: SwitchhookError | None = None

    def axis(self) -> Axis | None:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return self.known

    def position(self) -> int:
        return self.folded

    def fold(self, seq: int) -> None:
        self.known, self.folded = follow(None, WALL_MS, MONO_MS), seq


class Machine:
    """Its two clocks."""

    def __init__(self) -> None:
        self.wall_ms, self.mono_ms = WALL_MS, MONO_MS

    def pass_time(self, ms: int) -> None:
        self.wall_ms += ms
        self.mono_ms += ms


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(store: Store, machine: Machine) -> SteadyClock:
    """Of a machine whose records since its start begin at 7."""
    return SteadyClock(
        store, lambda: 7, wall_ms=lambda: machine.wall_ms, mono_ms=lambda: machine.mono_ms
    )


def test_it_is_the_systems_clock_until_a_record_of_this_start_is_folded(clock, store, machine):
    store.fold(6)
    machine.wall_ms += HOUR_MS
    assert clock.axis() is None
    assert clock.now_ms() == machine.wall_ms
    store.fold(7)
    assert clock.now_ms() == WALL_MS  # at once


def test_it_goes_on_evenly_while_the_systems_clock_steps(clock, store, machine):
    store.fold(7)
    assert clock.now_ms() == WALL_MS
    machine.pass_time(1_000)
    machine.wall_ms -= HOUR_MS
    assert clock.now_ms() == WALL_MS + 1_000
    step = clock.step()
    assert step is not None
    assert step.by_ms == -HOUR_MS


def test_what_was_known_holds_while_the_store_cant_be_read(clock, store, machine):
    store.fold(7)
    assert clock.now_ms() == WALL_MS
    store.problem = SwitchhookError("a store", "is away", "wait")
    machine.pass_time(LOOK_MS)
    machine.wall_ms += HOUR_MS
    assert clock.now_ms() == WALL_MS + LOOK_MS


def test_whoever_asks_often_asks_the_store_seldom(clock, store, machine):
    store.fold(7)
    for _ in range(100):
        clock.now_ms()
    assert store.asked == 1
    machine.pass_time(LOOK_MS)
    clock.now_ms()
    assert store.asked == 2
