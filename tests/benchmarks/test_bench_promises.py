"""The bench of promises: a real console over them, and its figures in the report."""

import os

import pytest

from benchmarks import promises
from benchmarks.machine import Cores
from benchmarks.promises import MOST_IDLE, PromisesResult, fill, measure, table
from callbacks.some_promises import T
from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.queue_ledger import PromiseQueue


def test_what_it_makes_are_promises_that_are_due(ledger):
    fill(ledger, 20, T)
    lists = PromiseLists(ledger)
    assert lists.count(PromiseFilter()) == 20
    assert lists.counts(T).due == {"bench": 20}
    assert len(PromiseQueue(ledger).due("bench", T, 50)) == 20
    (step,) = lists.history(7)
    assert step.state == "open"


@pytest.mark.process
def test_a_console_is_asked_and_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(promises, "SETTLE_S", 0.1)
    monkeypatch.setattr(promises, "IDLE_S", 0.5)
    core = min(os.sched_getaffinity(0))
    said: list[str] = []
    found = measure(tmp_path, Cores(core, (core,)), 1, said.append, 30)
    assert found.promises == 30
    assert {len(took) for took in found.pages.values()} == {10}
    assert all(each > 0 for took in found.pages.values() for each in took)
    assert 0 < found.idle < 2
    assert "30 open promises" in said[0]


def test_its_figures_are_told():
    found = PromisesResult(100_000, {"/promises": [20.0, 10.0]}, 0.04, 0.03, {"peak": 120.0})
    assert found.cost == pytest.approx(0.01)
    assert found.cost < MOST_IDLE
    lines = table(found)
    assert lines[0].startswith("| First byte, 100,000 open promises")
    assert lines[2] == "| /promises | 10.0 | 10.0 | 20.0 | 20.0 | 2 |"
    assert "takes 4.0% of a core, without any 3.0%" in lines[4]
    assert table(None) == []
