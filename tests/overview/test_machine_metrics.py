"""Figures of machines: the one that there is, or each node's, whether it is heard of or not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from switchhook.metrics import KNOWN
from switchhook.overview.machine_metrics import NAMES, SeenMachine, machine_figures, room_of
from switchhook.system.machine import Machine

NOW = 1_795_000_000_000
WELL = Machine(
    free_share=0.4,
    free_bytes=4e9,
    refused=2,
    damaged=0,
    asked=True,
    answers=True,
    waiting=False,
)


def figures(*machines):
    return list(machine_figures(lambda _now_ms: machines)(NOW))


def values(*machines):
    return {
        (each.name, *(text for _, text in each.labels)): each.value for each in figures(*machines)
    }


def test_the_disk(tmp_path):
    share, free = room_of(tmp_path)(NOW)
    assert share is not None
    assert 0 <= share <= 1
    assert free is not None
    assert free > 0
    assert room_of(tmp_path / "gone")(NOW) == (None, None)


def test_the_fullest_disk_counts(tmp_path):
    """A journal or a store on a disk of its own that is full is no less full for the others."""
    (tmp_path / "journal").mkdir()
    room = {tmp_path: 50, tmp_path / "journal": 1}

    def look_at(path):
        return SimpleNamespace(f_blocks=100, f_bavail=room[path], f_frsize=4096)

    assert room_of(tmp_path, look_at)(NOW) == (0.01, 4096)


def test_one_machine_has_no_name():
    assert values(SeenMachine(machine=WELL, at_ms=NOW)) == {
        ("disk.free_share",): 0.4,
        ("disk.free_bytes",): 4e9,
        ("rules.refused",): 2,
        ("files.damaged",): 0,
        ("answer.unreachable",): 0,
        ("receipts.waiting",): 0,
    }


def test_several_are_told_apart():
    full = Machine(free_share=0.01, asked=True, answers=False)
    found = values(
        SeenMachine(machine=WELL, at_ms=NOW, node="a"),
        SeenMachine(machine=full, at_ms=NOW, node="b"),
    )
    assert (found["disk.free_share", "a"], found["disk.free_share", "b"]) == (0.4, 0.01)
    assert (found["answer.unreachable", "a"], found["answer.unreachable", "b"]) == (0, 1)
    assert ("receipts.waiting", "b") not in found


@pytest.mark.parametrize(
    ("machine", "missing"),
    [
        (Machine(), {"answer.unreachable", "receipts.waiting"}),
        (Machine(asked=True, answers=False), {"receipts.waiting"}),
        (WELL, set()),
    ],
)
def test_what_nobody_asks_is_no_figure(machine, missing):
    found = figures(SeenMachine(machine=machine, at_ms=NOW))
    assert set(NAMES) - {each.name for each in found} == missing


def test_of_one_that_has_not_looked_yet_nothing_is_known():
    assert {each.value for each in figures(SeenMachine(machine=Machine(), at_ms=NOW))} == {None}


def test_of_one_that_is_away_nothing_is_known_and_since_when():
    away = SeenMachine(machine=WELL, at_ms=NOW, node="b", away_since_ms=NOW - 60_000)
    found = figures(away)
    assert {each.name for each in found} == set(NAMES)
    assert {(each.value, each.cases, each.since_ms, each.gone) for each in found} == {
        (None, 0, NOW - 60_000, False)
    }


def test_one_that_left_is_gone():
    left = figures(SeenMachine(machine=WELL, at_ms=NOW, node="b", gone=True))
    assert {(each.name, each.gone) for each in left} == {(name, True) for name in NAMES}


def test_each_is_known_by_its_node():
    assert {KNOWN[name].labels for name in NAMES} == {("node",)}
