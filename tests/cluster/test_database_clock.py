"""What is known of the database's clock is off by half of a short round trip at most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.cluster.database_clock import SHORT_S, DatabaseClock

NOW_MS = 1_795_000_000_000


class World:
    """A machine whose clock is `ahead_ms` of the database's; `now_s` never steps."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms, self.now_s = ahead_ms, 1000.0
        self.clock = DatabaseClock(lambda: self.now_s, lambda: self.database_ms + self.ahead_ms)

    @property
    def database_ms(self) -> int:
        return NOW_MS + round((self.now_s - 1000) * 1000)

    def ask(self, there_s: float, back_s: float) -> None:
        """A round trip: so long there, and so long back."""
        asked_s = self.now_s
        self.now_s += there_s
        said_ms = self.database_ms
        self.now_s += back_s
        self.clock.heard(asked_s, said_ms)


times = st.floats(0, SHORT_S / 2)


@given(ahead_ms=st.integers(-(10**9), 10**9), there_s=times, back_s=times, later_s=times)
def test_the_difference_is_known_as_well_as_half_a_round_trip_tells(
    ahead_ms, there_s, back_s, later_s
):
    world = World(ahead_ms)
    world.ask(there_s, back_s)
    world.now_s += later_s
    error_ms = (there_s + back_s) / 2 * 1000 + 2
    assert world.clock.own_ahead_ms() == pytest.approx(ahead_ms, abs=error_ms)
    assert world.clock.now_ms() == pytest.approx(world.database_ms, abs=error_ms)


@pytest.mark.parametrize(("there_s", "back_s"), [(0, 19), (19, 0), (9, 10)])
def test_what_comes_late_tells_no_difference(there_s, back_s):
    world = World()
    world.ask(there_s, back_s)
    assert world.clock.own_ahead_ms() == 0
    assert world.clock.now_ms() == pytest.approx(world.database_ms, abs=9_501)
    world.ask(0.1, 0.1)
    assert world.clock.now_ms() == pytest.approx(world.database_ms, abs=2)
    world.ask(there_s, back_s)
    assert world.clock.now_ms() == pytest.approx(world.database_ms, abs=2)


def test_of_late_ones_the_soonest_counts():
    world = World()
    world.ask(10, 0)
    world.ask(0, 3)
    assert world.clock.now_ms() == pytest.approx(world.database_ms, abs=1_501)
    world.ask(10, 0)
    assert world.clock.now_ms() == pytest.approx(world.database_ms, abs=1_501)


def test_before_it_is_heard_the_systems_clock_is_all_there_is():
    world = World(5)
    assert world.clock.now_ms() == NOW_MS + 5
    assert world.clock.own_ahead_ms() == 0


def test_a_step_of_the_systems_clock_is_seen_at_once():
    world = World()
    world.ask(0.01, 0.01)
    world.ahead_ms = 60_000
    assert world.clock.own_ahead_ms() == pytest.approx(60_000, abs=12)
    assert world.clock.now_ms() == pytest.approx(world.database_ms, abs=12)
