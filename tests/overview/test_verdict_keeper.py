"""The newest verdict is there at once, and says when it is none any more."""

from __future__ import annotations

import threading

import pytest

from patience import PATIENCE_S
from switchhook.metrics import Figure
from switchhook.overview.trouble import VerdictInput
from switchhook.overview.verdict import Level
from switchhook.overview.verdict_keeper import STALE_MS, VerdictKeeper

NOW = 1_764_050_400_000


class Clock:
    now_ms = NOW

    def __call__(self):
        return self.now_ms


def seen():
    return VerdictInput(figures=(Figure("streams.count", 0.0, NOW),), last_ms=NOW)


def test_it_begins_unknown_and_then_knows():
    told = []
    keeper = VerdictKeeper(seen, Clock(), lambda *each: told.append(each))
    assert keeper.now().level is Level.UNKNOWN
    keeper.refresh()
    keeper.refresh()
    assert keeper.now().level is Level.GOOD
    assert told == [(keeper.now(), NOW)] * 2


def test_a_verdict_that_nobody_renews_is_not_shown():
    clock = Clock()
    keeper = VerdictKeeper(seen, clock, mono_ms=clock)
    keeper.refresh()
    clock.now_ms += STALE_MS + 1000
    state = keeper.now()
    assert state.level is Level.UNKNOWN
    assert state.what == "Unknown: nobody has looked for 31 s."
    assert state.fault == "At fault: Switchhook itself."


def test_it_goes_on_after_a_failure(monkeypatch):
    monkeypatch.setattr("switchhook.overview.verdict_keeper.EVERY_S", 0.001)
    looks = iter([OSError("full"), OSError("full")])
    done = threading.Event()

    def look():
        failure = next(looks, None)
        if failure is not None:
            raise failure
        return seen()

    keeper = VerdictKeeper(look, Clock(), lambda *_: done.set())
    keeper.start()
    assert done.wait(PATIENCE_S)
    keeper.stop()
    assert keeper.now().level is Level.GOOD


@pytest.mark.parametrize("started", [True, False])
def test_it_ends(started):
    keeper = VerdictKeeper(seen, Clock())
    if started:
        keeper.start()
    keeper.stop()
    assert not keeper._repeating.runs
