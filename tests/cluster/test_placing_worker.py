"""The leader's thread that gives places."""

from __future__ import annotations

import pytest

from handed_over import EPOCH, FENCE, now_ms, record
from program import until
from switchhook.cluster.placing_worker import PlacingWorker


@pytest.fixture
def worker(shared):
    found = PlacingWorker(shared.url, FENCE)
    found.start()
    yield found
    assert found.stop()


def test_what_is_handed_over_gets_its_place(shared, worker):
    for seq in (1, 2, 3):
        shared.hand_over(1, [record(seq, now_ms())])
        until(lambda: len(shared.places()) == seq, "a place")  # noqa: B023 - asked at once
    assert worker.problem is None


def test_it_says_whose_clock_is_off(shared, worker):
    shared.node(3, "pune-1", clock_ms=-90_000)
    until(lambda: worker.problems.keys() == {3}, "what is odd")
    assert "the clock of pune-1" in worker.problems[3]
    shared.node(3, clock_ms=3)
    until(lambda: not worker.problems, "all well")


def test_it_says_what_holds_all_up(shared, worker):
    shared.connection.execute(
        "INSERT INTO cluster (one, id, key, base_node, base_seq) VALUES (1, 'c', '', 5, 1)"
    )
    shared.hand_over(1, [record(1, now_ms())])
    until(lambda: worker.problem, "what it says")
    shared.hand_over(5, [record(1, now_ms())])
    until(lambda: len(shared.places()) == 2 and worker.problem is None, "both places")


def test_it_goes_on_after_its_connection_was_ended(shared, worker):
    shared.hand_over(1, [record(1, now_ms())])
    until(lambda: len(shared.places()) == 1, "the first place")
    shared.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    shared.hand_over(1, [record(2, now_ms())])
    until(lambda: len(shared.places()) == 2, "the second place")


def test_it_says_that_another_leads(shared, worker):
    shared.connection.execute("UPDATE cluster_lease SET epoch = %s", (EPOCH + 1,))
    shared.hand_over(1, [record(1, now_ms())])
    until(lambda: worker.problem is not None, "what it says")
    assert "leads no more (epoch 1)" in worker.problem
    assert shared.places() == []
