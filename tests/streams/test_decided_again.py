"""Receipts of answers before the stream: the same decision again, from what they hold alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answer.bots import gate, member, pool, pooled, voicebot
from answer.desk import Desk
from switchhook.rules.bot_pool import Eligible, MemberState
from switchhook.rules.routing import (
    AdmissionBudget,
    HandAct,
    HandSetting,
    MemberFacts,
    RoutingFacts,
)
from switchhook.streams.decided_again import decide_again

NAMES = ("vendor-a", "vendor-b", "vendor-c")
FACTS = st.builds(
    MemberFacts, share=st.sampled_from([0.0, 0.1, 1.0]), room=st.none() | st.integers(-1, 5)
)
HANDS = st.sampled_from(
    [
        HandSetting(id=1, act=HandAct.MOVE, pool="sales", to="spare"),
        HandSetting(id=2, act=HandAct.MOVE, pool="sales", to="nowhere"),
        HandSetting(id=3, act=HandAct.OFF, pool="sales"),
        HandSetting(
            id=4, act=HandAct.STATE, pool="sales", member="vendor-a", state=MemberState.OUT
        ),
        HandSetting(id=5, act=HandAct.WEIGHT, pool="sales", member="vendor-b", weight=7),
    ]
)


def desk(*, sticky: bool = False, fallback: bool = True) -> Desk:
    weights = zip(NAMES, (100, 50, 3), strict=True)
    members = [member(name, weight=weight, limit=9) for name, weight in weights]
    more: dict[str, Any] = {} if fallback else {"fallback": None}
    pools = pool("sales", *members, sticky=sticky), pool("spare", member("spare-a"))
    return Desk(gate(), voicebot(**more), config=pooled(*pools))


def ruleset_of(asked: Desk, name: str) -> Any:
    return asked.answerer.endpoints[name].ruleset


@given(
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from(NAMES), FACTS),
    st.lists(HANDS, max_size=3).map(tuple),
    st.sampled_from(["c1", "c2", ""]),
    st.sampled_from(["09812345678", "anonymous", ""]),
    st.sampled_from(["incoming", "outbound-dial", ""]),
)
@settings(deadline=None)
def test_an_address_is_the_same_again(sticky, fallback, known, hands, call, number, direction):
    asked = desk(sticky=sticky, fallback=fallback)
    asked.answerer.learn({}, RoutingFacts(hands=hands, members={"sales": known}))
    query = f"CallSid={call}&From={number}&To={number}&Direction={direction}"
    asked.ask(query, path="/voicebot/sales-in")
    (receipt,) = asked.journal.addresses()
    again = decide_again(receipt, ruleset_of(asked, "sales-in"))
    assert again is not None
    assert (again.decision, again.route) == (receipt.decision, receipt.route)


@given(
    st.none() | st.builds(AdmissionBudget, st.integers(-2, 3), unknown=st.sampled_from(["", "no"])),
    st.lists(st.sampled_from(["c1", "c2", "c3"]), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_an_admission_is_the_same_again(budget, calls):
    asked = desk()
    if budget is not None:
        asked.answerer.learn({}, RoutingFacts(budgets={"main": budget}))
    for call in calls:
        asked.ask(f"CallSid={call}", path="/passthru/gate")
    for receipt in asked.journal.admissions():
        again = decide_again(receipt, ruleset_of(asked, "gate"))
        if receipt.repeat_of is not None:
            assert again is None
        else:
            assert again is not None
            assert again.decision == receipt.decision


def test_what_was_changed_in_a_receipt_is_found():
    """Who could take the call, with which weight, what was left: each decides."""
    asked = desk()
    asked.answerer.learn({}, RoutingFacts(budgets={"main": AdmissionBudget(1)}))
    asked.ask("CallSid=c1", path="/voicebot/sales-in")
    asked.ask("CallSid=c1", path="/passthru/gate")
    (given_,), (admitted,) = asked.journal.addresses(), asked.journal.admissions()
    assert given_.route is not None
    assert admitted.admission is not None
    replace = msgspec.structs.replace
    others = tuple(Eligible(each, 1.0) for each in NAMES if each != given_.route.member)
    wrong = replace(given_, route=replace(given_.route, eligible=others))
    again = decide_again(wrong, ruleset_of(asked, "sales-in"))
    assert again is not None
    assert again.decision != given_.decision
    stranger = replace(given_, route=replace(given_.route, key="c2"))
    found = decide_again(stranger, ruleset_of(asked, "sales-in"))
    assert found is not None
    assert found.route is None
    full = replace(admitted, admission=replace(admitted.admission, used=1))
    refused = decide_again(full, ruleset_of(asked, "gate"))
    assert refused is not None
    assert refused.decision.option == "B"


@pytest.mark.parametrize("hand", [None, HandSetting(id=1, act=HandAct.SAFE, endpoint="sales-in")])
def test_what_no_rule_decided_is_not_decided_again(hand):
    asked = desk()
    asked.answerer.learn({}, RoutingFacts(hands=(hand,) if hand else ()))
    asked.ask("CallSid=c1", path="/voicebot/sales-in")
    asked.ask("CallSid=c1", path="/voicebot/sales-in")
    first, second = asked.journal.addresses()
    again = decide_again(first, ruleset_of(asked, "sales-in"))
    assert (again is None) == (hand is not None)
    assert decide_again(second, ruleset_of(asked, "sales-in")) is None
    assert decide_again(first, ruleset_of(asked, "gate")) is None
