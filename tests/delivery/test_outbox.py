"""The queue while the ledger can't be written: it goes on from memory, and is kept later."""

from __future__ import annotations

from functools import partial

import pytest

from delivery.test_delivery import FAILED, LEASE_MS, delivery
from delivery.test_ledger import TAKEN, Queue
from switchhook.delivery import outbox as module
from switchhook.delivery.delivery import DeliveryState, settled
from switchhook.delivery.outbox import PATIENCE_MS, Outbox
from switchhook.errors import LedgerError
from switchhook.ledger.database import Ledger


class Here(Queue):
    """An outbox whose ledger can be full, or gone."""

    def __init__(self, ledger, monkeypatch):
        super().__init__(ledger)
        self.outbox, self.patch = Outbox(self.table), monkeypatch

    def cannot(self, *names):
        def refuse(*_):
            raise LedgerError("l", "database or disk is full", "make room on its disk")

        for name in names:
            self.patch.setattr(Ledger, name, refuse)

    def can(self):
        self.patch.undo()

    def send(self, now_ms, result):
        """One attempt at ops; what became of it."""
        held = self.outbox.claim("ops", now_ms, LEASE_MS)
        if held is None:
            return None
        return self.outbox.settle(held, deciding(held, result, now_ms))


def deciding(held, result, now_ms):
    return partial(settled, attempt=held.attempts, result=result, now_ms=now_ms, chance=0.5)


@pytest.fixture
def here(ledger, monkeypatch):
    here = Here(ledger, monkeypatch)
    yield here
    here.can()


@pytest.fixture
def shared(here):
    """Another node may lead next."""
    here.table.shared = True
    here.outbox = Outbox(here.table)
    return here


@pytest.mark.parametrize("broken", [("writing",), ("writing", "reading")])
def test_where_nodes_share_the_ledger_nothing_is_sent_that_it_did_not_give(shared, broken):
    """It refuses us, as another leads: whoever does sends the same."""
    shared.add(delivery("a"))
    shared.cannot(*broken)
    shared.outbox.hold([delivery("b", created_ms=1)])
    for now_ms in (5, PATIENCE_MS, 10 * PATIENCE_MS):
        assert shared.outbox.due(now_ms) == []
        assert shared.send(now_ms, TAKEN) is None
    shared.can()
    assert shared.outbox.due(5) == ["ops"]
    assert [shared.send(5, TAKEN).key, shared.send(5, TAKEN).key] == ["a", "b"]


def test_what_came_of_it_is_kept_later_where_nodes_share_the_ledger(shared):
    shared.add(delivery("a"))
    shared.cannot("writing")
    held = shared.outbox.claim("ops", 5, LEASE_MS)
    assert held is None
    shared.can()
    held = shared.outbox.claim("ops", 5, LEASE_MS)
    shared.cannot("writing")
    assert shared.outbox.settle(held, deciding(held, TAKEN, 6)).state is DeliveryState.COMPLETED
    shared.can()
    assert shared.outbox.due(2 * LEASE_MS) == []
    (kept,) = shared.all()
    assert kept.state is DeliveryState.COMPLETED


def test_who_leads_next_sends_at_once_what_was_being_sent(shared):
    """By the same id; whoever led before has no say any more how it went."""
    shared.add(delivery("a"), delivery("b", created_ms=1))
    before = shared.outbox.claim("ops", 5, LEASE_MS)
    assert shared.outbox.due(6) == []
    following = Outbox(shared.table)
    assert following.due(7) == ["ops"]
    again = following.claim("ops", 7, LEASE_MS)
    assert (again.key, again.public_id, again.attempts) == ("a", before.public_id, 2)
    assert following.due(8) == [], "once, as it begins to lead"
    assert shared.table.change(before.id, deciding(before, TAKEN, 9)) is None


def test_alone_a_restart_waits_for_who_may_send_it_still(here):
    here.add(delivery("a"))
    assert here.outbox.claim("ops", 5, LEASE_MS)
    assert Outbox(here.table).due(7) == []


def test_while_the_ledger_can_be_written_nothing_is_held(here):
    here.add(delivery())
    assert here.outbox.due(5) == ["ops"]
    assert here.send(5, TAKEN).state is DeliveryState.COMPLETED
    (kept,) = here.all()
    assert kept.state is DeliveryState.COMPLETED
    assert here.outbox.keep()


@pytest.mark.parametrize("broken", [("writing",), ("writing", "reading")])
def test_what_the_ledger_never_took_is_sent_and_kept_later(here, broken):
    here.cannot(*broken)
    here.outbox.hold([delivery("a"), delivery("b", created_ms=1)])
    assert here.outbox.due(5) == ["ops"]
    assert here.send(5, TAKEN).key == "a"
    assert here.send(5, FAILED).key == "b"
    assert here.send(6, TAKEN) is None
    assert here.outbox.due(6) == []
    assert here.outbox.due(6000) == ["ops"]
    assert not here.outbox.keep()
    here.can()
    assert here.outbox.keep()
    assert [(each.key, each.state) for each in here.all()] == [
        ("b", DeliveryState.RETRYABLE),
        ("a", DeliveryState.COMPLETED),
    ]
    assert here.send(6000, TAKEN).attempts == 2


def test_what_waits_in_a_ledger_that_can_only_be_read_is_sent(here):
    """Once nobody else claimed it for a while: theirs may be no more than busy."""
    here.add(delivery("a"), delivery("b", created_ms=1))
    here.cannot("writing")
    assert here.send(PATIENCE_MS - 1, TAKEN) is None
    assert here.outbox.due(PATIENCE_MS) == ["ops"]
    assert [here.send(PATIENCE_MS, TAKEN).key, here.send(PATIENCE_MS, TAKEN).key] == ["a", "b"]
    assert here.send(PATIENCE_MS, TAKEN) is None
    here.can()
    assert here.outbox.due(PATIENCE_MS) == []
    assert [(each.state, each.attempts) for each in here.all()] == [
        (DeliveryState.COMPLETED, 1),
        (DeliveryState.COMPLETED, 1),
    ]


def test_what_another_sends_is_left_to_them_while_the_ledger_cannot_be_written(here):
    here.add(delivery("a"), delivery("b", created_ms=1))
    here.table.claim("ops", PATIENCE_MS, LEASE_MS)
    here.cannot("writing")
    assert here.outbox.due(PATIENCE_MS) == []
    assert here.send(PATIENCE_MS, TAKEN) is None


def test_a_ledger_that_fails_between_claim_and_outcome_hears_of_it_later(here):
    here.add(delivery())
    held = here.outbox.claim("ops", 5, LEASE_MS)
    here.cannot("writing")
    after = here.outbox.settle(held, deciding(held, TAKEN, 6))
    assert after.state is DeliveryState.COMPLETED
    here.can()
    assert here.outbox.due(LEASE_MS * 2) == []
    assert here.all() == [after]


def test_an_attempt_that_goes_on_while_it_is_kept_has_its_say(here):
    here.cannot("writing")
    here.outbox.hold([delivery()])
    held = here.outbox.claim("ops", 5, LEASE_MS)
    here.can()
    assert here.outbox.due(5) == []
    assert here.all() == [held]
    here.outbox.settle(held, deciding(held, TAKEN, 6))
    assert [each.state for each in here.all()] == [DeliveryState.COMPLETED]


def test_one_that_is_tried_no_more_makes_room_for_the_next(here):
    here.cannot("writing")
    here.outbox.hold([delivery("a", deadline_ms=10), delivery("b", created_ms=1)])
    here.outbox.claim("ops", 0, LEASE_MS)
    assert here.outbox.claim("ops", LEASE_MS, LEASE_MS).key == "b"


def test_memory_has_its_bounds(here, monkeypatch):
    here.cannot("writing")
    monkeypatch.setattr(module, "MOST_HELD", 5)
    here.outbox.hold(delivery(f"{n}", created_ms=n) for n in range(8))
    assert here.outbox.claim("ops", 9, LEASE_MS).key == "3"
