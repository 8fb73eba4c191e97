"""What somebody hears who waits for an erasure that others carry out, and that they may leave."""

from __future__ import annotations

from typing import Any

import pytest

from node_rows import node, view
from switchhook.cli import erasing_waits
from switchhook.cli.erasing_waits import nodes_lines, wait
from switchhook.cluster.view import NodeState as State
from switchhook.errors import LedgerError
from switchhook.retention.erasure import Erasure, NodeErased, NodeState, Phase, proof_of

NODES = (node(11, "a"), node(22, "b", seen_ago_s=300.0), node(33, "c"))
RETURNS = (
    "a node that is away erases by itself once it returns; if it never does, `switchhook cluster"
    " leave NODE`, and erase its disk"
)


def told(**states):
    """What the nodes say, by their names."""
    numbers = {each.name: each.node for each in NODES}
    return tuple(
        NodeErased(numbers[name], name, NodeState(state)) for name, state in states.items()
    )


@pytest.mark.parametrize(
    ("states", "lines"),
    [
        ({}, []),
        (
            {"a": "done", "b": "wished", "c": "running"},
            [
                "a: done",
                "b: awaited, has not begun, away for 5 min",
                "c: awaited, is at it",
                RETURNS,
            ],
        ),
        (
            {"a": "wished", "c": "wished"},
            ["a: awaited, has not begun", "c: awaited, has not begun"],
        ),
        ({"a": "done", "b": "done"}, ["a: done", "b: done"]),
        ({"b": "left"}, ["b: left the cluster, and is not waited for"]),
    ],
)
def test_each_node_is_named_with_how_far_it_is(states, lines):
    assert nodes_lines(told(**states), view(*NODES)) == lines


def test_that_nobody_leads_is_said_first():
    lines = nodes_lines(told(a="wished"), view(*NODES, leader=None))
    assert lines[0] == "no node leads: it goes on once one does"


def test_who_left_is_missed_by_nobody():
    gone = (node(11, "a"), node(22, "b", seen_ago_s=300.0, state=State.LEFT))
    assert view(*gone).away == {}
    assert view(*NODES).away == {22: 300.0}


class Keeper:
    """Gives the proof of an erasure at each look, or what fails then."""

    def __init__(self, *looks):
        self.looks = list(looks)

    def proof(self, _id):
        found = self.looks.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found


def proof(phase):
    erasure = Erasure(
        id="e1", number=None, masked="+91…", by="asha", asked_ms=1, until_seq=9, phase=phase
    )
    return proof_of(erasure)


GOING, DONE = proof(Phase.NODES), proof(Phase.DONE)


def waited(*looks):
    keeper: Any = Keeper(*looks)
    return wait(keeper, "e1", None)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(erasing_waits, "ALONE_S", 0)


def test_it_ends_with_the_proof_also_over_a_database_that_is_away_for_a_while(capsys):
    away = LedgerError("of all", "it is away", "wait")
    assert waited(GOING, away, away, GOING, DONE) is DONE
    said = capsys.readouterr().err
    assert said.count("it is away") == 1
    assert "goes on once that is mended" in said


def test_who_leaves_is_told_that_it_goes_on(capsys):
    with pytest.raises(KeyboardInterrupt):
        waited(GOING, KeyboardInterrupt())
    assert "the erasure e1 is not done yet, and it goes on by itself" in capsys.readouterr().err
