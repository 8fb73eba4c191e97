"""What is wrong with a machine, in words: of the only one as ever, of a node with its name."""

from __future__ import annotations

import pytest

from switchhook.overview.machine_metrics import SeenMachine, machine_figures
from switchhook.overview.machine_troubles import machine_troubles
from switchhook.system.machine import Machine
from switchhook.troubles.metrics import key_of

FULL = Machine(free_share=0.01, asked=True, answers=True)
SILENT = Machine(free_share=0.5, asked=True, answers=False)


def told(machine, node="", **more):
    seen = SeenMachine(machine=machine, at_ms=1, node=node, **more)
    return {each.key: each for each in machine_troubles(seen)}


@pytest.mark.parametrize(
    ("machine", "figure", "what"),
    [
        (FULL, "disk.free_share", "The disk of node mumbai-1 is full: 1 % is free."),
        (
            Machine(free_share=0.08),
            "disk.free_share",
            "The disk of node mumbai-1 is nearly full: 8 % is free.",
        ),
        (
            Machine(free_share=0.0, asked=True, waiting=True),
            "receipts.waiting",
            "Receipts wait in memory of node mumbai-1, as its disk is full.",
        ),
        (
            Machine(free_share=0.5, asked=True, waiting=True),
            "receipts.waiting",
            "Receipts wait in memory of node mumbai-1, as its disk does not take them.",
        ),
        (SILENT, "answer.unreachable", "Node mumbai-1 does not answer callers."),
        (
            Machine(free_share=0.0, asked=True, answers=False),
            "answer.unreachable",
            "Node mumbai-1 does not answer callers, and its disk is full.",
        ),
        (
            Machine(refused=2, refusal="rules of endpoint sales: no such name; those of … go on"),
            "rules.refused",
            "Rules of endpoint sales on node mumbai-1: no such name.",
        ),
        (
            Machine(damaged=1, damage="the identity is damaged", mend="restore it"),
            "files.damaged",
            "The identity is damaged on node mumbai-1.",
        ),
    ],
)
def test_of_a_node_its_name_is_said(machine, figure, what):
    found = told(machine, "mumbai-1")[key_of(figure, (("node", "mumbai-1"),))]
    assert found.what == what
    assert found.todo
    assert found.fault


def test_their_keys_are_those_of_the_figures():
    machine = Machine(free_share=0.0, asked=True, answers=False, waiting=True, refused=1, damaged=1)
    seen = SeenMachine(machine=machine, at_ms=1, node="mumbai-1")
    figures = {key_of(each.name, each.labels) for each in machine_figures(lambda _: [seen])(1)}
    assert {each.key for each in machine_troubles(seen)} < figures


def test_alone_what_is_damaged_or_silent_is_told_by_itself():
    assert told(Machine(damaged=1, damage="it is", free_share=0.5)).keys() == {"disk.free_share:"}
    assert told(SILENT).keys() == {"disk.free_share:"}


def test_nobody_is_told_of_one_that_left():
    assert told(FULL, "mumbai-1", gone=True) == {}
