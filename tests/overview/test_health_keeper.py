"""Who looks at both programs again and again."""

from __future__ import annotations

import threading

import pytest

from patience import PATIENCE_S
from switchhook.errors import DataFolderError
from switchhook.overview import health_keeper
from switchhook.overview.health import Said
from switchhook.overview.health_keeper import HealthKeeper


def test_what_was_seen_last_is_given_at_once():
    asked = []
    keeper = HealthKeeper(lambda: asked.append(1), lambda: Said(1000, "ok"))
    assert keeper.now().answer is None
    assert keeper.now() is keeper.now()
    assert asked == [1]
    assert keeper.now().gist == [("ok", ())]


def test_it_looks_on_also_after_a_failure(monkeypatch):
    monkeypatch.setattr(health_keeper, "EVERY_S", 0.001)
    looked, times = threading.Event(), iter(range(1000, 100_000))
    failed = []

    def console():
        at = next(times)
        if at == 1001:
            failed.append(at)
            raise DataFolderError("/data", "it is gone", "bring it back")
        if at > 1002:
            looked.set()
        return Said(at, "ok")

    keeper = HealthKeeper(lambda: Said(1, "ok"), console)
    keeper.start()
    assert looked.wait(PATIENCE_S)
    keeper.stop()
    assert failed == [1001]
    assert keeper.now().answer.said.status == "ok"


@pytest.mark.parametrize("status", ["ok", "degraded"])
def test_the_gist_changes_only_with_what_is_said(status):
    times = iter(range(100))
    keeper = HealthKeeper(lambda: None, lambda: Said(next(times), status))
    assert keeper.refresh().gist == keeper.refresh().gist
