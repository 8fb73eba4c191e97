"""What plots mark: changes, not starts, and incidents from when they began."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kept_receipts import START_MS, Kept, fold
from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.alert_rule import Severity
from switchhook.errors import LedgerError
from switchhook.journal.receipt import ConfigApplied, RecordKind, encode
from switchhook.server.plot_marks import MOST_MARKS, PlotMarks
from switchhook.store import SqliteStore


class _Book:
    def __init__(self, over: list[Alert] | None) -> None:
        self.over = over

    def resolved(self, limit: int) -> list[Alert]:
        if self.over is None:
            raise LedgerError("ledger.sqlite", "it is gone", "restore it")
        return self.over[:limit]


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path / "journal")
    yield kept
    kept.close()


def marks(kept, tmp_path, over: list[Alert] | None = None, alerts=()):
    kept.keep()
    store = SqliteStore(tmp_path / "store", kept.reader)
    store.open()
    fold(store, kept.reader)
    alerting: Any = SimpleNamespace(book=_Book(over), alerts=alerts)
    found = PlotMarks(kept.reader, store, alerting, lambda: START_MS).between(0, 2**60)
    store.close()
    return found


def applied(kept, name, hash, at):
    body = encode(ConfigApplied(name, hash, "text", "asha"))
    kept.record(RecordKind.TAKEOVER, body, at=START_MS + at)


def alert(since_ms, **changes: Any) -> Alert:
    said: dict[str, Any] = {
        "rule": "bot-down",
        "title": "A bot fails",
        "figure": "bot.down",
        "falling": False,
        "severity": Severity.CRITICAL,
        "labels": (("bot", "Asha"),),
        "topic": "bot",
        "advice": "look at it",
        "state": AlertState.FIRING,
        "since_ms": since_ms,
        "value": 1.0,
        "cases": None,
        "members": (),
        "known_ms": since_ms,
    }
    return Alert(**(said | changes))


def test_a_change_is_marked_and_a_start_is_not(kept, tmp_path):
    applied(kept, "rules/sales", "one", 0)
    applied(kept, "config", "c1", 0)
    applied(kept, "rules/sales", "one", 5_000)  # the program was started again
    applied(kept, "rules/sales", "two", 9_000)
    applied(kept, "config", "c2", 12_000)
    applied(kept, "pools", "w1", 13_000)  # an upgrade: nothing was kept of them before
    applied(kept, "pools", "w2", 14_000)
    found = marks(kept, tmp_path, [])
    assert [(each.at_ms - START_MS, each.word, each.kind, each.endpoint) for each in found] == [
        (9_000, "rules of sales changed", "rules", "sales"),
        (12_000, "configuration changed", "configuration", ""),
        (14_000, "weights of pools changed", "configuration", ""),
    ]
    assert [each.to for each in found] == ["/endpoints", "/endpoints", "/routes"]


def test_incidents_stand_where_they_began_those_that_are_over_too(kept, tmp_path):
    over = [alert(START_MS + 1000, fired_ms=START_MS + 2000, state=AlertState.RESOLVED)]
    goes_on = alert(START_MS + 3000, fired_ms=START_MS + 4000, labels=())
    quiet = alert(START_MS + 5000, state=AlertState.PENDING)
    found = marks(kept, tmp_path, over, (goes_on, quiet))
    assert [(each.at_ms - START_MS, each.word, each.to) for each in found] == [
        (1000, "Asha: A bot fails", "/alerts"),
        (3000, "A bot fails", "/alerts"),
    ]


def test_a_ledger_that_fails_leaves_the_changes(kept, tmp_path):
    applied(kept, "config", "c1", 0)
    applied(kept, "config", "c2", 1000)
    assert [each.word for each in marks(kept, tmp_path, None)] == ["configuration changed"]


def test_of_too_many_the_newest_are_marked(kept, tmp_path):
    over = [alert(START_MS + at) for at in range(MOST_MARKS + 5)]
    found = marks(kept, tmp_path, over)
    assert len(found) == MOST_MARKS
    assert found[-1].at_ms == START_MS + MOST_MARKS + 4
