"""The queue in the ledger: nothing lost, nothing sent twice while somebody holds it."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import update

from delivery.test_delivery import FAILED, LEASE_MS, delivery
from switchhook.delivery import ledger as module
from switchhook.delivery.delivery import DeliveryState, SendResult, cancelled, claimed, settled
from switchhook.delivery.ledger import LedgerDeliveries, add, newest, oldest_ms, remove
from switchhook.server.tables import open_ledger

TAKEN = SendResult()


class Queue:
    """A table with a ledger of its own."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.table = LedgerDeliveries(self.ledger, "k")

    def add(self, *deliveries):
        with self.ledger.writing() as c:
            add(c, deliveries)

    def all(self):
        with self.ledger.reading() as c:
            return newest(c, "k", 10_000)

    def settle(self, held, result, now_ms):
        decide = partial(settled, attempt=held.attempts, result=result, now_ms=now_ms, chance=0.5)
        return self.table.change(held.id, decide)

    def cancel(self, held, now_ms):
        decide = partial(cancelled, attempt=held.attempts, reason="over", now_ms=now_ms)
        return self.table.change(held.id, decide)


@pytest.fixture
def queue(ledger):
    return Queue(ledger)


def test_there_is_one_for_each_message_and_destination(queue):
    queue.add(delivery(), delivery(destination="chat"))
    queue.table.claim("ops", 5, LEASE_MS)
    queue.add(delivery(), delivery(destination="chat"))
    assert [(each.destination, each.attempts) for each in queue.all()] == [("chat", 0), ("ops", 1)]


def test_one_is_claimed_at_a_time_the_oldest_first(queue):
    queue.add(delivery("new", created_ms=2), delivery("old", created_ms=1))
    queue.add(delivery("later", "chat", due_ms=100))
    assert queue.table.due(50) == ["ops"]
    assert queue.table.claim("chat", 50, LEASE_MS) is None
    held = queue.table.claim("ops", 50, LEASE_MS)
    assert held == claimed(delivery("old", created_ms=1), 50, LEASE_MS)
    assert queue.table.due(50) == []
    assert queue.table.claim("ops", 50, LEASE_MS) is None
    assert queue.settle(held, TAKEN, 60).state is DeliveryState.COMPLETED
    assert queue.table.claim("ops", 60, LEASE_MS).key == "new"
    assert [each.key for each in queue.table.live()] == ["later", "new"]


def test_a_claim_ends_and_who_comes_back_then_overwrites_nothing(queue):
    queue.add(delivery())
    gone = queue.table.claim("ops", 0, LEASE_MS)
    assert queue.table.due(LEASE_MS) == ["ops"]
    second = queue.table.claim("ops", LEASE_MS, LEASE_MS)
    assert second.attempts == 2
    for late in (TAKEN, FAILED):
        assert queue.settle(gone, late, LEASE_MS + 1) is None
    assert queue.cancel(gone, LEASE_MS + 1) is None
    assert queue.all() == [second]


def test_one_that_is_tried_no_more_makes_room_for_the_next(queue):
    queue.add(delivery("a", deadline_ms=10), delivery("b", created_ms=1))
    queue.table.claim("ops", 0, LEASE_MS)
    assert queue.table.claim("ops", LEASE_MS, LEASE_MS).key == "b"
    (_, first) = queue.all()
    assert (first.state, first.done_ms) == (DeliveryState.DISCARDED, LEASE_MS)


def test_of_too_many_that_wait_for_one_destination_the_oldest_are_discarded(queue, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    queue.add(*(delivery(f"{n}", created_ms=n) for n in range(5)))
    held = queue.table.claim("ops", 10, LEASE_MS)
    assert held.key == "0"
    queue.add(*(delivery(f"{n}", created_ms=n) for n in range(5, 8)))
    queue.add(*(delivery(f"{n}", "chat", created_ms=n) for n in range(5)))
    found = [each for each in queue.all() if each.state is DeliveryState.DISCARDED]
    assert [(each.key, each.destination) for each in found] == [("2", "ops"), ("1", "ops")]
    assert found[0].problem == "more than 5 messages wait"


def test_what_is_over_is_forgotten_beyond_a_bound_and_what_waits_is_not(queue, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    queue.add(delivery("waits", "down"))
    for n in range(1, 10):
        queue.add(delivery(f"{n}", created_ms=n))
        queue.settle(queue.table.claim("ops", n, LEASE_MS), TAKEN, n)
    assert [each.key for each in queue.all()] == ["9", "8", "7", "waits"]


def test_retention_removes_a_kind_by_age(queue):
    queue.add(*(delivery(f"{n}", created_ms=n) for n in range(1, 6)))
    with queue.ledger.writing() as c:
        assert oldest_ms(c, "k") == 1
        assert remove(c, "other", 9, 10) == 0
        assert remove(c, "k", 4, 2) == 2
        assert remove(c, "k", 4, 2) == 1
        assert oldest_ms(c, "k") == 4
        assert oldest_ms(c, "other") is None


def test_kinds_do_not_meet(queue):
    other = LedgerDeliveries(queue.ledger, "other")
    queue.add(delivery())
    assert other.due(5) == []
    assert other.claim("ops", 5, LEASE_MS) is None
    assert other.live() == []


def test_what_is_masked_in_a_payload_stays_masked(queue):
    queue.add(delivery())
    held = queue.table.claim("ops", 0, LEASE_MS)
    with queue.ledger.writing() as c:
        c.execute(update(module.TABLES.tables["deliveries"]).values(payload=b"\0"))
    queue.settle(held, FAILED, 1)
    queue.table.put([held])
    assert [each.payload for each in queue.all()] == [b"\0"]


class Workers(RuleBasedStateMachine):
    """Two workers at one queue, either of which may die or come back late."""

    held = Bundle("held")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.queue = Queue(open_ledger(Path(self.folder.name)))
        self.now_ms, self.count = 0, 0
        self.added, self.taken, self.leases = set(), {}, {}
        self.before = {}

    def teardown(self):
        self.queue.ledger.close()
        self.folder.cleanup()

    @initialize(count=st.integers(1, 4))
    def begin(self, count):
        for _ in range(count):
            self.add("ops", 3_600_000)

    @rule(destination=st.sampled_from(["ops", "chat"]), last_ms=st.integers(0, 3_600_000))
    def add(self, destination, last_ms):
        self.count += 1
        new = delivery(
            f"{self.count}",
            destination,
            created_ms=self.now_ms,
            due_ms=self.now_ms,
            deadline_ms=self.now_ms + last_ms,
        )
        self.queue.add(new)
        self.added.add(new.id)

    @rule(seconds=st.sampled_from([1, 5, 59, 60, 600]))
    def wait(self, seconds):
        self.now_ms += seconds * 1000

    @rule(target=held, destination=st.sampled_from(["ops", "chat"]))
    def claim(self, destination):
        due = self.queue.table.due(self.now_ms)
        found = self.queue.table.claim(destination, self.now_ms, LEASE_MS)
        assert found is None or destination in due
        if found is not None:
            live = self.leases.get(destination)
            assert live is None or live.due_ms <= self.now_ms or live.id in self.taken
            assert found.id not in self.taken
            self.leases[destination] = found
        return found

    @rule(held=held, result=st.sampled_from([TAKEN, FAILED, SendResult("429", 120.0)]))
    def come_back(self, held, result):
        """In time or late; who died never does."""
        if held is None:
            return
        after = self.queue.settle(held, result, self.now_ms)
        if after is not None:
            assert after.attempts == held.attempts
            self.end_lease(held)
            if after.state is DeliveryState.COMPLETED:
                self.taken[held.id] = after

    @rule(held=held)
    def is_over(self, held):
        if held is not None and self.queue.cancel(held, self.now_ms) is not None:
            self.end_lease(held)

    def end_lease(self, held):
        if self.leases.get(held.destination) == held:
            del self.leases[held.destination]

    @invariant()
    def nothing_is_lost_and_nothing_goes_back(self):
        found = {each.id: each for each in self.queue.all()}
        assert found.keys() == self.added
        for id, before in self.before.items():
            after = found[id]
            assert after.attempts >= before.attempts
            if before.final:
                assert after == before
        for each in found.values():
            assert each.final == (each.done_ms is not None)
            assert each.state is DeliveryState.AVAILABLE or each.attempts
        self.before = found


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
