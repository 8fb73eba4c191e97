"""Whether people can be told: a destination that takes no message is told of to the others."""

from __future__ import annotations

import threading

import pytest

from alerts.test_engine import ALL, Bench, settle
from patience import PATIENCE_S
from switchhook.alerts.metrics import destination_figures
from switchhook.delivery.worker import LEASE_MS
from switchhook.overview.known_troubles import Known, known_troubles


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    bench.severities = {"ops": ALL, "pager": ALL}
    bench.sources.append(lambda now_ms: destination_figures(bench.engine.sender, now_ms))
    bench.start()
    yield bench
    bench.ledger.close()


def figures(bench):
    found = destination_figures(bench.engine.sender, bench.clock())
    return {figure.label("destination"): (figure.value, figure.since_ms) for figure in found}


def test_it_is_told_of_to_the_others_and_ends_with_the_next_that_is_taken(bench):
    bench.post.problems["pager"] = ["503 of the service"] * 4
    bench.world.throttled(1)
    bench.step()
    began_ms = bench.clock()
    assert figures(bench) == {"ops": (0, None), "pager": (0, began_ms)}
    bench.step(20)
    assert figures(bench)["pager"] == (20, began_ms)
    for _ in range(2):
        bench.step(21)
    titles = [title for to, title in bench.post.sent if to == "ops"]
    assert titles[1:] == ["A destination of alerts takes no messages (pager)"]
    (known,) = known_troubles(Known(silent=bench.engine.sender.silent()))
    assert known.what == "Pager takes no alerts: 503 of the service."
    assert "switchhook alerts test pager" in known.todo
    bench.step(200)
    assert figures(bench) == {"ops": (0, None), "pager": (0, None)}
    bench.step(2)
    assert bench.post.sent[-1][1].endswith("resolved")


def test_one_that_hangs_takes_nothing_either(bench):
    gate = bench.post.gates["pager"] = threading.Event()
    bench.world.throttled(1)
    bench.clock.pass_s(1)
    bench.engine.step()
    worker = bench.engine.sender.worker
    worker.step()
    with worker.idle:
        assert worker.idle.wait_for(lambda: set(worker._sending) == {"pager"}, PATIENCE_S)
    bench.clock.pass_s(LEASE_MS / 1000)
    worker.step()
    (silent,) = bench.engine.sender.silent()
    assert (silent.name, silent.problem) == ("pager", "no answer within 60 s")
    gate.set()
    settle(bench.engine)
    with worker.idle:
        assert worker.idle.wait_for(lambda: not worker._sending, PATIENCE_S)
    assert bench.engine.sender.silent() == [], "it was only late"


def test_a_test_that_arrives_or_not_says_it_too(bench):
    bench.post.problems["ops"] = ["raise"]
    bench.engine.test("ops", "asha")
    (silent,) = bench.engine.sender.silent()
    assert (silent.name, silent.problem) == ("ops", "sending failed with RuntimeError")
    bench.engine.test("ops", "asha")
    assert bench.engine.sender.silent() == []


def test_one_that_is_no_longer_there_is_silent_no_more(bench):
    bench.post.problems["pager"] = ["gone"]
    bench.engine.test("pager", "asha")
    bench.severities = {"ops": ALL}
    bench.engine.sender.destinations = bench.start().sender.destinations
    assert figures(bench) == {"ops": (None, None)}, "it was not tried since the start"
