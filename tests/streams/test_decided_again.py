"""Receipts: the same decision again, or another release's, from what they hold alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answer.bots import gate, member, pool, pooled, voicebot
from answer.desk import TAKES_A, TAKES_B, Desk
from switchhook.rules.bot_pool import Eligible, MemberState
from switchhook.rules.routing import (
    AdmissionBudget,
    HandAct,
    HandSetting,
    MemberFacts,
    RoutingFacts,
)
from switchhook.rules.rules_file import EndpointKind, load_rules
from switchhook.streams.decided_again import (
    POOL_UNKNOWN,
    ROOM_UNKNOWN,
    PoolsTried,
    decide_again,
    decide_by,
)

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
    pools = asked.answerer.endpoints["sales-in"].bots.pools
    tried = PoolsTried(now=pools, then=pools)
    assert decide_by(receipt, ruleset_of(asked, "sales-in"), tried) == again
    assert decide_by(receipt, None, tried) == again


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
            assert decide_by(receipt, ruleset_of(asked, "gate")) == again


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


CALLS = st.sampled_from([TAKES_A, TAKES_B, "CallSid=c1&digits=2", "CallSid=c1&Stream[Duration]=x"])


@given(CALLS, st.sampled_from(["GET", "HEAD", "POST"]))
@settings(deadline=None)
def test_a_passthru_is_the_same_again(query, method):
    asked = Desk()
    asked.ask(query, method=method)
    (receipt,) = asked.journal.receipts()
    ruleset = ruleset_of(asked, "sales")
    again = decide_again(receipt, ruleset)
    assert again is not None
    assert again.decision == receipt.decision
    assert decide_by(receipt, ruleset) == again
    other = load_rules(CHEERFUL, file="rules.toml")
    assert decide_again(receipt, other) is None
    tried = decide_by(receipt, other)
    assert tried is not None
    assert (tried.decision.option, tried.decision.release) == ("A", other.release)


CHEERFUL = '[default]\noption = "A"\n'
REFUSING = '[default]\noption = "B"\n'
IN_CLASS = '[default]\noption = "A"\nclass = "vip"\n'


def test_another_class_asks_for_the_same_room():
    asked = desk()
    asked.answerer.learn(
        {}, RoutingFacts(budgets={"main": AdmissionBudget(1, reserves={"vip": 1})})
    )
    asked.ask("CallSid=c1", path="/passthru/gate")
    (receipt,) = asked.journal.admissions()
    assert receipt.decision.option == "A"
    tried = decide_by(receipt, load_rules(IN_CLASS, file="", kind=EndpointKind.ADMIT))
    assert tried is not None
    assert (tried.decision.option, tried.decision.class_, tried.unsure) == ("B", "vip", "")
    refusing = load_rules(REFUSING, file="", kind=EndpointKind.ADMIT)
    refused = decide_by(receipt, refusing)
    assert refused is not None
    assert refused.decision.option == "B"
    was_refused = msgspec.structs.replace(receipt, decision=refused.decision, admission=None)
    admitted = decide_by(was_refused, ruleset_of(asked, "gate"))
    assert admitted is not None
    assert (admitted.decision.option, admitted.unsure) == ("A", ROOM_UNKNOWN)


def kept(known: dict[str, MemberFacts] | None = None, hands: tuple[HandSetting, ...] = ()) -> Any:
    """The receipt of a call that was drawn among the members of `sales`."""
    asked = desk()
    asked.answerer.learn({}, RoutingFacts(hands=hands, members={"sales": known or {}}))
    asked.ask("CallSid=c1", path="/voicebot/sales-in")
    (receipt,) = asked.journal.addresses()
    return receipt, asked.answerer.endpoints["sales-in"].bots.pools


def weighed(**weights: int) -> Any:
    return pool("sales", *(member(name, weight=weight) for name, weight in weights.items()))


def test_other_pools_draw_among_those_who_were_well_and_those_who_are_new():
    receipt, then = kept({"vendor-a": MemberFacts(share=0.0), "vendor-b": MemberFacts(share=0.1)})
    now = {"sales": weighed(**{"vendor-a": 100, "vendor-b": 100, "vendor-c": 3, "vendor-d": 9})}
    tried = decide_by(receipt, None, PoolsTried(now, then))
    assert tried is not None
    assert tried.route is not None
    # The breaker's share is kept, whoever had failed is out, and of a new one nothing is known.
    assert dict(map(msgspec.structs.astuple, tried.route.eligible)) == {
        "vendor-b": 10.0,
        "vendor-c": 3.0,
        "vendor-d": 9.0,
    }
    nobody = decide_by(receipt, None, PoolsTried({"sales": weighed(**{"vendor-a": 100})}, then))
    assert nobody is not None
    assert nobody.decision.option == "B"
    assert nobody.unsure


def test_what_a_person_set_stands_above_other_pools():
    hand = HandSetting(id=5, act=HandAct.WEIGHT, pool="sales", member="vendor-b", weight=7)
    receipt, then = kept(hands=(hand,))
    tried = decide_by(receipt, None, PoolsTried({"sales": weighed(**{"vendor-c": 1})}, then))
    assert tried is not None
    assert (tried.decision, tried.route) == (receipt.decision, receipt.route)


def test_of_another_pool_it_is_not_known_who_could_take_the_call():
    receipt, _ = kept()
    rules = load_rules('[default]\npool = "spare"\n', file="", kind=EndpointKind.VOICEBOT)
    tried = decide_by(receipt, rules)
    assert tried is not None
    assert tried.route is not None
    assert (tried.route.pool, tried.route.member, tried.unsure) == ("spare", None, POOL_UNKNOWN)
