"""How pools and members stand, in the words that page, API and commands share."""

from __future__ import annotations

import msgspec
import pytest

from routes.pools import BACKUP, EMPTY, KNOWN, NOW, SALES, Hands
from switchhook.routes.breaker import Breaker, BreakerState
from switchhook.routes.view import MemberKnown, hands_view, pool_view
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct, MemberFacts


def view(pool=SALES, held=(), known=None):
    return pool_view(pool, held, known or {}, KNOWN.pools, NOW)


def member(found, name):
    return next(each for each in found.members if each.name == name)


def test_shares_are_by_weight_of_those_that_are_in():
    found = view()
    assert [(each.name, each.word) for each in found.members] == [
        ("vendor-a", "in"),
        ("vendor-b", "in"),
        ("old", "out"),
    ]
    assert [round(each.draw_share, 2) for each in found.members] == [0.67, 0.33, 0.0]
    assert member(found, "vendor-a").given_share is None


def test_what_is_set_shows_beside_what_is_configured():
    hands = Hands()
    hands.set(HandAct.STATE, member="sales/vendor-a", state=MemberState.DRAINING)
    hands.set(HandAct.WEIGHT, member="sales/vendor-b", weight=7)
    found = view(held=hands.held)
    a, b = member(found, "vendor-a"), member(found, "vendor-b")
    assert (a.word, a.configured_state, a.hand) == ("draining", MemberState.IN, (1,))
    assert (b.weight, b.configured_weight, b.hand, b.draw_share) == (7, 50, (2,), 1.0)
    assert [each.words for each in hands_view(hands.held)] == [
        "vendor-a of sales drains: it gets no new calls",
        "vendor-b of sales has weight 7",
    ]


def test_a_pool_says_where_its_calls_go_and_whether_it_is_off():
    hands = Hands()
    hands.set(HandAct.MOVE, pool="sales", to="backup")
    hands.set(HandAct.OFF, pool="backup")
    assert view(held=hands.held).to == "backup"
    assert view(BACKUP, hands.held).off
    assert not view(BACKUP, hands.held).to


@pytest.mark.parametrize(
    ("act", "to", "word"),
    [
        (HandAct.MOVE, "backup", "no calls: moved to backup"),
        (HandAct.OFF, "", "no calls: off"),
    ],
)
def test_members_of_a_pool_that_gets_no_calls_have_no_share_of_them(act, to, word):
    hands = Hands()
    hands.set(act, pool="sales", **({"to": to} if to else {}))
    known = {"vendor-b": MemberKnown(breaker=Breaker(state=BreakerState.OPEN))}
    found = view(held=hands.held, known=known)
    assert [(each.word, each.draw_share) for each in found.members] == [
        (word, 0.0),
        ("failing", 0.0),
        ("out", 0.0),
    ]


def test_of_a_breaker_that_only_reports_nobody_says_that_it_took_a_member_out():
    reported = MemberKnown(breaker=Breaker(state=BreakerState.OPEN))
    hands = Hands()
    hands.set(HandAct.WEIGHT, member="sales/vendor-b", weight=0)
    found = member(view(held=hands.held, known={"vendor-b": reported}), "vendor-b")
    assert (found.word, found.draw_share) == ("failing", 0.0)


def test_a_pool_with_nobody_says_so():
    assert view(EMPTY).empty
    assert not view(SALES).empty


@pytest.mark.parametrize(
    ("breaker", "share", "word"),
    [
        (Breaker(state=BreakerState.OPEN), 0.0, "out by its breaker"),
        (Breaker(state=BreakerState.OPEN), 1.0, "failing"),
        (Breaker(state=BreakerState.HALF_OPEN, step=1), 0.25, "coming back, 25 %"),
        (Breaker(state=BreakerState.HALF_OPEN), 1.0, "in"),
        (Breaker(), 1.0, "in"),
    ],
)
def test_what_the_breaker_does_is_said_in_a_word(breaker, share, word):
    known = {"vendor-a": MemberKnown(facts=MemberFacts(share), breaker=breaker)}
    assert member(view(known=known), "vendor-a").word == word


def test_a_pool_whose_members_have_all_failed_is_degraded():
    known = {name: MemberKnown(facts=MemberFacts(0.0)) for name in ("vendor-a", "vendor-b")}
    found = view(known=known)
    assert found.degraded
    assert round(member(found, "vendor-a").draw_share, 2) == 0.67


def test_shares_of_calls_given_are_of_the_pools():
    known = {"vendor-a": MemberKnown(given=3), "vendor-b": MemberKnown(given=1)}
    assert member(view(known=known), "vendor-a").given_share == 0.75


def test_a_value_goes_to_json_and_back():
    found = view()
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
