"""What a decision knows of its account: its own account's, as old as it is, else nothing."""

from __future__ import annotations

import msgspec
import pytest

from switchhook.answer.facts import HOLDS_NS
from switchhook.config import EndpointConfig
from switchhook.rules.decide import Option
from switchhook.rules.rules_file import load_rules
from switchhook.rules.variables import AccountFacts

from .desk import Desk

RULES = b"""
[[rule]]
name = "no room"
when = 'account.known && account.headroom < 3 && account.age < 5.0'
option = "B"

[default]
option = "A"
"""


@pytest.fixture
def desk():
    desk = Desk(EndpointConfig("sales"), EndpointConfig("support"))
    ruleset = load_rules(RULES, file="rules.toml")
    accounts = {"sales": "main", "support": "second"}
    desk.answerer.endpoints = {
        name: msgspec.structs.replace(each, ruleset=ruleset, account=accounts[name])
        for name, each in desk.answerer.endpoints.items()
    }
    return desk


def asked(desk: Desk, number: int, endpoint: str = "sales"):
    desk.ask(f"CallSid=c{number}", path=f"/passthru/{endpoint}")
    return desk.journal.receipts()[-1]


def test_an_endpoint_sees_its_accounts_facts_and_the_receipt_keeps_them(desk):
    desk.answerer.learn(
        {"main": AccountFacts(9, 10, 1, 0.5), "second": AccountFacts(1, 10, 9, 0.5)}
    )
    first, second = asked(desk, 1), asked(desk, 2, "support")
    assert (first.facts, first.decision.option) == (AccountFacts(9, 10, 1, 0.5), Option.B)
    assert (second.facts, second.decision.option) == (AccountFacts(1, 10, 9, 0.5), Option.A)


def test_facts_age_until_the_moment_of_deciding(desk):
    desk.answerer.learn({"main": AccountFacts(9, 10, 1, 4.25)})
    desk.clock.step(250)
    assert asked(desk, 1).decision.option is Option.B
    desk.clock.step(750)
    found = asked(desk, 2)
    assert found.facts.age_s == pytest.approx(5.25)
    assert found.decision.option is Option.A


def test_what_is_not_told_is_unknown_and_not_zero(desk):
    assert asked(desk, 1).facts == AccountFacts()
    desk.answerer.learn({"other": AccountFacts(9, 10, 1, 0.0)})
    assert asked(desk, 2).facts == AccountFacts()
    desk.answerer.learn({"main": AccountFacts(9, None, None, 0.0)})
    assert asked(desk, 3).facts == AccountFacts(9, None, None, 0.0)


def test_facts_that_nobody_renews_are_forgotten(desk):
    desk.answerer.learn({"main": AccountFacts(9, 10, 1, 0.0)})
    desk.clock.step(HOLDS_NS / 1e6)
    assert asked(desk, 1).facts.active == 9
    desk.clock.step(1)
    assert asked(desk, 2).facts == AccountFacts()
