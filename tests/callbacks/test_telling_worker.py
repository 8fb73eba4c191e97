"""Ends of promises on their way to whoever asked to know: each told once, whatever happens."""

from __future__ import annotations

import pytest

from callbacks.some_promises import T, number, promise
from patience import PATIENCE_S
from program import until
from switchhook.alerts.book import PROMISE_KIND
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import PromiseEvent
from switchhook.callbacks.telling_worker import TOGETHER_MS, Telling
from switchhook.delivery.delivery import DeliveryState
from switchhook.delivery.ledger import newest
from switchhook.errors import LedgerError

E = PromiseEvent


class Notifier:
    """What arrives where; the next is not taken for each of `problems`."""

    def __init__(self):
        self.sent, self.problems = [], []

    def send(self, destination, message):
        if self.problems:
            return self.problems.pop()
        self.sent.append((destination, message.title))
        return None


class Desk:
    """Promises that end, and the teller, stepped by hand."""

    def __init__(self, ledger):
        self.ledger, self.promises = ledger, LedgerPromises(ledger)
        self.notifier, self.tell, self.now_ms = Notifier(), {"main": ("ops",)}, T
        self.telling = self.again()

    def again(self):
        """A teller that starts."""
        self.telling = Telling(
            self.ledger,
            tell=lambda: self.tell,
            notifier=lambda: self.notifier,
            now_ms=lambda: self.now_ms,
            chance=lambda: 0.5,
        )
        return self.telling

    def end(self, at, event=E.CANCELLED):
        made = self.promises.make(promise(number=number(at)))
        assert self.promises.settle(made.id, event, self.now_ms, why="by mail") is not None

    def step(self, later_ms=TOGETHER_MS):
        """Look for ends, send what is due, and wait for it; how many messages are new."""
        self.now_ms += later_ms
        new = self.telling.step()
        worker = self.telling.worker
        if worker.step():
            with worker.idle:
                assert worker.idle.wait_for(lambda: not worker._sending, PATIENCE_S)
        return new

    def deliveries(self):
        with self.ledger.reading() as connection:
            return newest(connection, PROMISE_KIND, 10)


@pytest.fixture
def desk(ledger):
    return Desk(ledger)


def test_an_end_is_told_once(desk):
    desk.promises.make(promise())
    assert desk.step() == 0
    desk.end(2)
    assert (desk.step(), desk.step(), desk.step()) == (1, 0, 0)
    assert desk.notifier.sent == [("ops", "A promise of account main is dropped")]


def test_what_ends_soon_after_a_message_is_gathered(desk):
    desk.end(1)
    assert desk.step() == 1
    desk.end(2)
    assert desk.step(TOGETHER_MS // 2) == 0
    desk.end(3)
    assert desk.step(TOGETHER_MS // 2) == 1
    assert [title for _, title in desk.notifier.sent] == [
        "A promise of account main is dropped",
        "2 promises of account main ended: 2 dropped",
    ]


def test_a_restart_neither_forgets_nor_repeats(desk):
    desk.end(1)
    assert desk.step() == 1
    desk.end(2)
    desk.again()
    assert (desk.step(), desk.step()) == (1, 0)
    desk.again()
    assert desk.step() == 0
    assert len(desk.notifier.sent) == 2


def test_what_ended_while_nobody_was_to_be_told_stays_untold(desk):
    desk.tell = {}
    desk.end(1)
    assert desk.step() == 0
    desk.tell = {"main": ("ops",)}
    assert desk.step() == 0
    desk.end(2)
    assert desk.step() == 1
    assert len(desk.notifier.sent) == 1


def test_what_was_not_taken_is_tried_again(desk):
    desk.notifier.problems = ["no answer"]
    desk.end(1)
    assert desk.step() == 1
    (delivery,) = desk.deliveries()
    assert (delivery.state, delivery.problem) == (DeliveryState.RETRYABLE, "no answer")
    desk.step()
    (delivery,) = desk.deliveries()
    assert delivery.state is DeliveryState.COMPLETED


def test_a_destination_that_is_not_told_any_more_gets_nothing(desk):
    desk.notifier.problems = ["no answer"]
    desk.end(1)
    desk.step()
    desk.tell = {"main": ("crm",)}
    desk.step()
    (delivery,) = desk.deliveries()
    assert delivery.state is DeliveryState.CANCELLED
    assert desk.notifier.sent == []


def test_thousands_of_ends_are_told_by_few_messages(desk):
    with desk.promises.writing() as batch:
        for at in range(2_500):
            made = batch.make(promise(number=number(at)))
            batch.settle(made.id, E.EXPIRED, T)
    while desk.step():
        pass
    assert [title for _, title in desk.notifier.sent] == [
        "1,000 promises of account main ended: 1,000 dropped",
        "1,000 promises of account main ended: 1,000 dropped",
        "500 promises of account main ended: 500 dropped",
    ]


def test_a_ledger_that_is_away_is_said_once_until_it_is_back(desk, monkeypatch, caplog):
    away = LedgerError("the ledger", "is away", "wait")
    found = [away, away, away, None, away]

    def step():
        error = found.pop(0) if found else away
        if error is not None:
            raise error

    monkeypatch.setattr(desk.telling, "step", step)
    desk.telling.start()
    until(lambda: desk.telling._repeating.wake() or not found, "five looks")
    desk.telling.stop()
    assert [each.message.partition(":")[0] for each in caplog.records] == [
        "how promises ended is told later"
    ] * 2
