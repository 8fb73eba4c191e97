"""What is kept of alerts: the same after a restart, within bounds."""

from __future__ import annotations

import msgspec
import pytest

from switchhook.alerts import ledger as module
from switchhook.alerts.alert import AlertState, evaluate
from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.book import KIND, SentMessage, delivery_of
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.ledger import LedgerAlerts
from switchhook.alerts.message import Message, MessageKind
from switchhook.alerts.notification import LastNotification
from switchhook.delivery.delivery import DeliveryState
from switchhook.delivery.ledger import LedgerDeliveries
from switchhook.ledger.database import Ledger
from switchhook.metrics import Figure
from switchhook.server.ledger_history import DELIVERIES
from switchhook.server.tables import MIGRATIONS, open_ledger


@pytest.fixture
def book(ledger):
    return LedgerAlerts(ledger)


def alert(since=1000, value=1.0):
    figure = Figure("account.throttled", value, since, (("account", "Main"),))
    (found,) = evaluate(DEFAULTS, [figure], {}, since)
    return found


def resolved(alert, at_ms):
    return msgspec.structs.replace(alert, state=AlertState.RESOLVED, resolved_ms=at_ms)


def message(at_ms=1000):
    return Message(
        cause="limit{account=Main}",
        say=MessageKind.FIRST,
        severity=Severity.WARNING,
        title="Callers find no free stream (Main)",
        lines=("one", "two"),
        alerts=("throttled{account=Main}",),
        at_ms=at_ms,
    )


SPOKEN = LastNotification(
    cause="limit{account=Main}",
    destination="ops",
    say=MessageKind.FIRST,
    severity=Severity.WARNING,
    key="throttled{account=Main}",
    title="t",
    value=3.0,
    at_ms=1000,
    began_ms=900,
    told=((Severity.WARNING, 2),),
)


def test_what_was_kept_is_there_again(book):
    delivery = delivery_of(message(), "1000-1", "ops")
    book.save([alert()], [SPOKEN], [delivery])
    book.save([alert()], [SPOKEN], [delivery])
    found = book.load(5000)
    assert found.alerts == (alert(),)
    assert found.spoken == (SPOKEN,)
    pager = msgspec.structs.replace(SPOKEN, destination="pager", rounds=2)
    book.save([], [pager], [])
    assert set(book.load(5000).spoken) == {SPOKEN, pager}
    sent = msgspec.structs.replace(message(), id=delivery.public_id)
    assert book.sent(10) == [SentMessage(sent, delivery)]


def test_what_fired_in_a_time_is_found_by_it(book):
    def fired(since, over=None):
        found = msgspec.structs.replace(alert(since), fired_ms=since)
        return found if over is None else resolved(found, over)

    before, into, on = fired(1000, 2000), fired(1500, 5000), fired(6000)
    pending = msgspec.structs.replace(alert(6500), state=AlertState.PENDING, fired_ms=None)
    book.save([on, into, before, pending], [], [])
    assert book.fired_between(3000, 7000) == [into, on]
    assert book.fired_between(5000, 6000) == [into]
    assert book.fired_between(0, 9000) == [before, into, on]
    assert book.fired_between(5001, 6000) == []


def test_what_is_over_is_history(book):
    first, second = alert(), alert(since=9000)
    book.save([resolved(first, 2000)], [], [])
    book.save([second], [], [])
    assert book.load(0).alerts == (second,)
    assert [each.since_ms for each in book.resolved(10)] == [1000]
    book.save([resolved(second, 9500)], [], [])
    assert [each.since_ms for each in book.resolved(10)] == [9000, 1000]


def test_a_pending_one_that_ended_leaves_no_trace(book):
    pending = msgspec.structs.replace(alert(), state=AlertState.PENDING, fired_ms=None)
    book.save([pending], [], [])
    book.save([resolved(pending, 2000)], [], [])
    assert book.load(0).alerts == ()
    assert book.resolved(10) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("waiting", 0, 1000, None, ""), (DeliveryState.AVAILABLE, 0, None, "")),
        (("waiting", 3, 9000, None, "no"), (DeliveryState.RETRYABLE, 3, None, "no")),
        (("sent", 2, 1000, 7000, ""), (DeliveryState.COMPLETED, 2, 7000, "")),
        (("given up", 9, 1000, 8000, "no"), (DeliveryState.DISCARDED, 9, 8000, "no")),
        (("given up", 9, 1000, None, "no"), (DeliveryState.DISCARDED, 9, 1000, "no")),
    ],
)
def test_what_a_ledger_of_before_had_to_send(tmp_path, before, after):
    version = MIGRATIONS.index(DELIVERIES)
    old = Ledger(tmp_path / "ledger", MIGRATIONS[:version])
    body = msgspec.msgpack.encode(message())
    with old.writing() as c:
        c.exec_driver_sql("INSERT INTO messages VALUES ('1000-1', 1000, ?)", (body,))
        c.exec_driver_sql("INSERT INTO deliveries VALUES ('1000-1', 'ops', ?, ?, ?, ?, ?)", before)
    old.close()
    ledger = open_ledger(tmp_path / "ledger")
    (found,) = LedgerAlerts(ledger).sent(10)
    kept = found.delivery
    assert found.message == msgspec.structs.replace(message(), id=kept.public_id)
    assert kept.id == (KIND, "1000-1", "ops")
    assert (kept.state, kept.attempts, kept.done_ms, kept.problem) == after
    live = [] if kept.final else [kept]
    assert LedgerDeliveries(ledger, KIND).live() == live
    ledger.close()


def test_silences_last_until_their_end_or_are_ended(book):
    one = book.add_silence((("rule", "throttled"),), 1000, 5000, "maintenance", "asha")
    two = book.add_silence((("bot", "Sales"),), 1000, 9000, "known", "ravi")
    assert book.load(2000).silences == (one, two)
    assert book.load(5000).silences == (two,)
    assert book.end_silence(two.id, 6000)
    assert not book.end_silence(two.id, 6000)
    assert book.load(6000).silences == ()


def test_what_is_kept_has_bounds(book, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    for n in range(1, 20):
        book.save([resolved(alert(n), n)], [], [])
    assert [each.since_ms for each in book.resolved(100)] == [19, 18, 17, 16, 15]
