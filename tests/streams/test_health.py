"""What /healthz of the private port says of the fold, the store and what is complained of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from switchhook.errors import DataFolderError
from switchhook.streams.health import console_health


def said(*, lag=0, problem=None, running=True, quarantined=0, complaints=()):
    def count(_most):
        return quarantined, []

    def behind():
        if isinstance(lag, Exception):
            raise lag
        return lag

    folder: Any = SimpleNamespace(lag=behind, problem=problem, running=running)
    store: Any = SimpleNamespace(quarantined=count)
    return console_health(folder, store, complaints, "1.2.3")


def test_all_is_well():
    assert said(lag=7) == {
        "status": "ok",
        "problems": [],
        "fold_lag": 7,
        "version": "1.2.3",
        "node": None,
    }


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"complaints": ["a", "a"]}, "a"),
        ({"quarantined": 2}, "2 records could not be folded: see /api/v1/status"),
        ({"problem": "disk full"}, "the fold stands still: disk full"),
        ({"running": False}, "the fold does not run"),
    ],
)
def test_each_trouble_is_told_once(wrong, problem):
    found = said(**wrong)
    assert (found["status"], found["problems"]) == ("degraded", [problem])


def test_a_lag_that_can_not_be_read_is_not_known():
    found = said(lag=DataFolderError("/d", "it is gone", "bring it back"))
    assert found["fold_lag"] is None
    assert "it is gone" in found["problems"][0]


def test_a_reason_that_is_complained_of_is_not_told_again():
    assert said(problem="disk full", complaints=["disk full"])["problems"] == ["disk full"]
