"""Which faults strike: where, how often, how likely, and when."""

from __future__ import annotations

import random

import pytest

from switchhook.emulator.call.faults import Faults, FaultSite
from switchhook.emulator.plan.plan import Fault

HERE = FaultSite(account="a", number="n", flow="f", applet="bot")


class World:
    """Faults by a clock that is set by hand."""

    def __init__(self, *faults: Fault) -> None:
        self.now = 100.0
        self.faults = Faults(faults, lambda: self.now)

    def strikes(self, site: FaultSite = HERE) -> bool:
        return self.faults.strike("bot-refused", site, random.Random(1)) is not None


@pytest.mark.parametrize("key", ["account", "number", "flow", "applet"])
def test_a_fault_strikes_where_it_is_meant_to(key):
    world = World(Fault(what="bot-refused", **{key: getattr(HERE, key)}))
    elsewhere = {name: getattr(HERE, name) for name in HERE.__struct_fields__} | {key: "other"}
    assert world.strikes()
    assert not world.strikes(FaultSite(**elsewhere))


def test_it_is_used_up_after_its_count():
    world = World(Fault(what="bot-refused", count=2))
    assert [world.strikes() for _ in range(3)] == [True, True, False]
    assert world.faults.armed() == {}


def test_chance_decides_where_it_is_not_certain():
    faults = Faults((Fault(what="bot-refused", probability=0.25),), lambda: 0.0)
    chance = random.Random(7)
    struck = sum(faults.strike("bot-refused", HERE, chance) is not None for _ in range(1000))
    assert 200 < struck < 300


@pytest.mark.parametrize(
    ("fault", "strikes"),
    [
        (Fault(what="bot-refused"), [(0, True), (1e6, True)]),
        (Fault(what="bot-refused", after_s=20), [(19.9, False), (20, True), (1e6, True)]),
        (
            Fault(what="bot-refused", after_s=20, for_s=60),
            [(0, False), (20, True), (79.9, True), (80, False), (1e6, False)],
        ),
        (
            Fault(what="bot-refused", after_s=20, for_s=60, every_s=180),
            [(80, False), (199.9, False), (200, True), (259.9, True), (260, False), (380, True)],
        ),
    ],
)
def test_an_incident_begins_ends_and_comes_again(fault, strikes):
    """Its times count from when it is put in force: at the start, or by the control API."""
    world = World(fault)
    later = World()
    later.now = 500.0
    later.faults.add(fault)
    for age, expected in strikes:
        world.now, later.now = 100 + age, 500 + age
        assert (world.strikes(), later.strikes()) == (expected, expected), age


def test_what_is_taken_back_strikes_no_more():
    world = World(Fault(what="bot-refused"))
    (number,) = world.faults.armed()
    assert world.faults.remove(number)
    assert not world.faults.remove(number)
    assert not world.strikes()
