"""Keywords for a SwitchCase applet: answered with 200, repeated as they were, safe by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchhook.answer import deciding as deciding_module
from switchhook.answer.choices import FALLBACK, PLAIN, choices_of, number_of
from switchhook.config import Bodies, EndpointConfig, Mode
from switchhook.rules.admission import BY_HAND, SAFE_RULE
from switchhook.rules.decide import Option
from switchhook.rules.routing import HandAct, HandSetting, RoutingFacts

from .desk import Desk

RULES = """
[[rule]]
name = "wants people"
when = 'call.digits == "9"'
option = "A"
select = "people"
[[rule]]
name = "hang up"
when = 'call.digits == "0"'
option = "B"
[default]
option = "A"
select = "shop"
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return str(file)


def answer(desk: Desk, digits: str, call: str = "c1") -> tuple[int, object]:
    found = desk.ask(f"CallSid={call}&digits={digits}")
    return found.status, json.loads(found.body) if found.body else None


def test_a_keyword_is_answered_with_200_and_wins_over_bodies(rules: str) -> None:
    desk = Desk(EndpointConfig("sales", rules=rules, bodies=Bodies(A="old", B='{"old": 1}')))
    assert answer(desk, "9") == (200, {"select": "people"})
    assert answer(desk, "1") == (200, {"select": "shop"})
    assert answer(desk, "0") == (302, {"old": 1})
    found = desk.ask("CallSid=c9&digits=9")
    assert (found.content_type, found.body) == ("application/json", b'{"select":"people"}')
    assert [each.decision.select for each in desk.journal.receipts()[:3]] == ["people", "shop", ""]


def test_an_async_applet_hears_200_alone(rules: str) -> None:
    desk = Desk(EndpointConfig("sales", rules=rules, mode=Mode.ASYNC))
    assert answer(desk, "9") == (200, None)


def test_who_repeats_hears_the_same_keyword_unless_no_rule_has_it_any_more(
    rules: str, tmp_path: Path
) -> None:
    desk = Desk(EndpointConfig("sales", rules=rules))
    assert answer(desk, "9") == answer(desk, "9") == (200, {"select": "people"})
    first, second = desk.journal.receipts()
    assert (second.decision.rule, second.decision.select) == ("repeat", "people")
    assert second.repeat_of is not None
    other = tmp_path / "other.toml"
    other.write_text('[default]\noption = "B"\n')
    desk.answerer.endpoints = Desk(EndpointConfig("sales", rules=str(other))).answerer.endpoints
    assert answer(desk, "9") == (302, None)
    assert desk.journal.receipts()[-1].repeat_of is None
    assert first.repeat_of is None


@pytest.mark.parametrize(
    ("safe", "heard"), [(Option.A, (200, {"select": "shop"})), (Option.B, (302, None))]
)
def test_the_safe_option_has_the_defaults_keyword(
    rules: str, safe: Option, heard: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(EndpointConfig("sales", rules=rules, safe_option=safe))
    hand = HandSetting(id=2, act=HandAct.SAFE, endpoint="sales")
    desk.answerer.learn({}, RoutingFacts(hands=(hand,)))
    assert answer(desk, "9") == heard
    desk.answerer.learn({}, RoutingFacts())

    def fail(*_args: object) -> None:
        raise LookupError

    monkeypatch.setattr(deciding_module, "decide", fail)
    assert answer(desk, "9", "c2") == heard
    assert [each.decision.rule for each in desk.journal.receipts()] == [BY_HAND, SAFE_RULE]


def test_numbers_stand_for_one_answer_each() -> None:
    """And are the same in the next process and release, as the journal keeps them."""
    members = [("sales", f"vendor-{each}") for each in range(100)]
    found = choices_of([f"word{each}" for each in range(100)], members, fallback=True)
    assert len(found) == 203
    assert {number: found[number] for number in PLAIN} == PLAIN
    assert found[FALLBACK].option is Option.A
    assert all(0 <= number < 2**31 for number in found)
    assert (number_of("select", "people"), number_of("sales", "vendor-a")) == (
        2034445544,
        1451885728,
    )
