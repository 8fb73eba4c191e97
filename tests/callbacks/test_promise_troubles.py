"""What people are told of promises: figures, alerts and the first line's words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from switchhook.alerts.alert import evaluate
from switchhook.alerts.promise_rules import PROMISE_RULES
from switchhook.callbacks.dialling import Dialling
from switchhook.callbacks.known import AccountPromises
from switchhook.callbacks.promise_metrics import promises_figures
from switchhook.callbacks.promise_troubles import promise_troubles
from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.metrics import KNOWN
from switchhook.troubles.trouble import Level

NOW = 1_790_000_000_000
ALLOWED = Dialling(account="main", allowed=True, by="asha", at_ms=NOW - HOUR_MS)
STOPPED = replace(
    ALLOWED, allowed=False, stopped="too many", stopped_by="ravi", stopped_ms=NOW - MINUTE_MS
)
REFUSED = replace(STOPPED, stopped="Exotel asks for money: 402", stopped_by="")
WELL = AccountPromises(account="main", at_ms=NOW, dialling=ALLOWED, waiting=12, due=3)


def figures(known):
    found = list(promises_figures(lambda: [known])(NOW))
    assert all(tuple(name for name, _ in each.labels) == KNOWN[each.name].labels for each in found)
    return {each.name: each for each in found}


def fired(known):
    """The rules that fire once it has been so for long enough."""
    alerts = {}
    for later_ms in (0, 2 * MINUTE_MS):
        now_ms = NOW + later_ms
        read = [replace(each, at_ms=now_ms) for each in figures(known).values()]
        alerts |= {each.key: each for each in evaluate(PROMISE_RULES, read, alerts, now_ms)}
    return sorted(each.rule for each in alerts.values() if each.firing)


def troubles(known):
    return list(promise_troubles([known]))


def test_an_account_that_calls_back_has_all_figures():
    known = replace(WELL, on_the_way=2, unknown=1, kept=9, dropped=4, broken=1, owed=12, in_time=9)
    values = {name: each.value for name, each in figures(known).items()}
    assert values == {
        "promises.waiting": 12,
        "promises.due": 3,
        "promises.on_the_way": 2,
        "promises.unknown": 1,
        "promises.late": 0,
        "promises.kept": 9,
        "promises.dropped": 4,
        "promises.broken": 1,
        "promises.in_time_share": 0.75,
        "promises.refused": 0,
        "promises.refuted": 0,
        "callbacks.abandoned": 0,
        "dialling.off": 0,
        "dialling.refused": 0,
    }
    known_of_it = {
        name for name in KNOWN if name.startswith(("promises.", "callbacks.", "dialling."))
    }
    assert values.keys() == known_of_it
    assert figures(known)["promises.in_time_share"].cases == 12


def test_nothing_that_was_owed_gives_no_share():
    assert "promises.in_time_share" not in figures(WELL)


def test_while_all_is_well_nothing_is_told():
    assert (fired(WELL), troubles(WELL)) == ([], [])


@pytest.mark.parametrize(
    ("known", "rule", "level", "said"),
    [
        (
            replace(WELL, late=1),
            "promises-late",
            Level.WARN,
            "1 promise of account main will miss its time.",
        ),
        (
            replace(WELL, dialling=Dialling(account="main")),
            "dialling-off",
            Level.WARN,
            "Promises of account main wait, as nobody has allowed it to dial yet.",
        ),
        (
            replace(WELL, dialling=STOPPED),
            "dialling-off",
            Level.WARN,
            "Promises of account main wait, as ravi has stopped dialling (too many).",
        ),
        (
            replace(WELL, dialling=REFUSED),
            "dialling-refused",
            Level.BAD,
            "Nobody of account main is called back: Exotel asks for money: 402.",
        ),
        (
            replace(WELL, abandoned=2),
            "callbacks-abandoned",
            Level.WARN,
            "2 people were called back by account main within an hour, answered, and nobody talked"
            " to them.",
        ),
        (
            replace(WELL, refuted=3),
            "promises-refuted",
            Level.WARN,
            "3 callbacks were asked for within an hour of calls that Exotel's account main does not"
            " know.",
        ),
    ],
)
def test_each_trouble_has_its_alert_and_says_what_it_is(known, rule, level, said):
    assert fired(known) == [rule]
    (trouble,) = troubles(known)
    assert (trouble.level, trouble.what) == (level, said)
    assert trouble.todo
    assert trouble.page == "/promises"
    (of_rule,) = (each for each in PROMISE_RULES if each.name == rule)
    assert trouble.key == f"{of_rule.figure}:main"


def test_what_nobody_may_dial_is_told_once():
    """That promises will be late follows from it."""
    known = replace(WELL, dialling=REFUSED, late=12)
    (trouble,) = troubles(known)
    assert "promises.late:main" in trouble.covers
    (late,) = (each for each in PROMISE_RULES if each.name == "promises-late")
    assert late.inhibited_by == "dialling"


def test_an_account_without_promises_may_be_off():
    """Nobody waits for it."""
    known = replace(WELL, waiting=0, due=0, dialling=Dialling(account="main"))
    assert (fired(known), troubles(known)) == ([], [])
    assert fired(replace(known, dialling=REFUSED)) == ["dialling-refused"]


def test_one_or_two_receipts_that_are_refuted_wake_nobody():
    assert fired(replace(WELL, refuted=2)) == []
    (trouble,) = troubles(replace(WELL, refuted=1))
    assert trouble.what.startswith("A callback was asked for within an hour of a call that")
