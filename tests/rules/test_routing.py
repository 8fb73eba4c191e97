"""Where a call goes: a person above health above the configuration, and never nowhere by health."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.rules.bot_pool import Member, MemberState, Pool, draw
from switchhook.rules.routing import (
    NOTHING_KNOWN,
    HandAct,
    HandSetting,
    MemberFacts,
    RoutingFacts,
    by_other_limits,
    route,
)

A = Member(name="a", url="wss://a.example/")
B = Member(name="b", url="wss://b.example/", limit=10)
SALES = Pool(name="sales", members=(A, B))
HELP = Pool(name="help", members=(Member(name="c", url="wss://c.example/"),))
POOLS = {"sales": SALES, "help": HELP}
NOW = 1_000_000


def facts(*hands: HandSetting, **members: MemberFacts) -> RoutingFacts:
    return RoutingFacts(hands, {"sales": members})


def set_(act: HandAct, number: int = 1, **more) -> HandSetting:
    return HandSetting(id=number, act=act, **more)


def who(found):
    return {each.member: each.weight for each in found.eligible}


AT_HOME = MemberFacts(network="a private network")


@pytest.mark.parametrize(
    ("hands", "members", "expected"),
    [
        pytest.param((), {"a": AT_HOME}, {"b": 100.0}, id="one of two"),
        pytest.param((), {"a": AT_HOME, "b": MemberFacts(0.0)}, {"b": 100.0}, id="other failed"),
        pytest.param((), {"a": AT_HOME, "b": MemberFacts(1.0, 0)}, {"b": 100.0}, id="other full"),
        pytest.param((), {"a": AT_HOME, "b": AT_HOME}, {}, id="all"),
        pytest.param(
            (set_(HandAct.STATE, pool="sales", member="a", state=MemberState.IN),),
            {"a": AT_HOME},
            {"b": 100.0},
            id="a person set it in",
        ),
    ],
)
def test_whose_name_leads_into_our_own_network_is_given_to_nobody(hands, members, expected):
    found = route(POOLS, "sales", "call-1", facts(*hands, **members), NOW)
    assert who(found) == expected
    assert found.withheld == tuple(n for n, each in members.items() if each.network)
    if not expected:
        assert found.member is None
        assert found.problem == (
            "no member of pool sales is in and may be given: the name of a is an address of a "
            "private network"
        )


def test_who_must_not_be_given_does_not_run_out():
    known = facts(a=AT_HOME, b=MemberFacts(0.5, 3))
    assert known.lasting() == facts(a=AT_HOME)


def test_nothing_known_is_what_the_configuration_says():
    found = route(POOLS, "sales", "call-1", NOTHING_KNOWN, NOW)
    assert who(found) == {"a": 100.0, "b": 100.0}
    assert found.member == draw("call-1", found.eligible)
    assert (found.asked, found.hands, found.degraded, found.problem) == ("", (), False, "")


@pytest.mark.parametrize(
    ("hands", "members", "expected"),
    [
        pytest.param((), {"a": MemberFacts(0.0)}, {"b": 100.0}, id="failed"),
        pytest.param((), {"a": MemberFacts(0.25)}, {"a": 25.0, "b": 100.0}, id="let back in"),
        pytest.param((), {"b": MemberFacts(1.0, 0)}, {"a": 100.0}, id="no room"),
        pytest.param((), {"b": MemberFacts(1.0, 3)}, {"a": 100.0, "b": 30.0}, id="by headroom"),
        pytest.param(
            (set_(HandAct.STATE, pool="sales", member="a", state=MemberState.DRAINING),),
            {},
            {"b": 100.0},
            id="draining",
        ),
        pytest.param(
            (set_(HandAct.WEIGHT, pool="sales", member="a", weight=10),),
            {},
            {"a": 10.0, "b": 100.0},
            id="weight",
        ),
        pytest.param(
            (set_(HandAct.STATE, pool="help", member="a", state=MemberState.OUT),),
            {},
            {"a": 100.0, "b": 100.0},
            id="another pool's",
        ),
        pytest.param(
            (
                set_(HandAct.STATE, 1, pool="sales", member="a", state=MemberState.OUT),
                set_(HandAct.STATE, 2, pool="sales", member="a", state=MemberState.IN),
            ),
            {},
            {"a": 100.0, "b": 100.0},
            id="the last said",
        ),
    ],
)
def test_who_is_eligible(hands, members, expected):
    assert who(route(POOLS, "sales", "x", facts(*hands, **members), NOW)) == expected


def test_health_never_empties_a_pool():
    found = route(POOLS, "sales", "x", facts(a=MemberFacts(0.0), b=MemberFacts(0.0, 5)), NOW)
    assert who(found) == {"a": 100.0, "b": 50.0}
    assert found.degraded


def test_over_its_limit_is_better_than_no_bot():
    out = set_(HandAct.STATE, pool="sales", member="a", state=MemberState.OUT)
    found = route(POOLS, "sales", "x", facts(out, b=MemberFacts(1.0, 0)), NOW)
    assert who(found) == {"b": 100.0}
    assert found.hands == (1,)


def test_a_person_can_empty_it():
    hands = [
        set_(HandAct.STATE, number, pool="sales", member=name, state=MemberState.OUT)
        for number, name in enumerate("ab", 1)
    ]
    found = route(POOLS, "sales", "x", facts(*hands), NOW)
    assert found.member is None
    assert found.problem == "no member of pool sales is in"
    assert not found.degraded


def test_a_pool_that_is_moved():
    found = route(POOLS, "sales", "x", facts(set_(HandAct.MOVE, 7, pool="sales", to="help")), NOW)
    assert (found.pool, found.asked, found.member, found.hands) == ("help", "sales", "c", (7,))


def test_a_circle_of_moves_ends_where_it_began():
    hands = (
        set_(HandAct.MOVE, 1, pool="sales", to="help"),
        set_(HandAct.MOVE, 2, pool="help", to="sales"),
    )
    found = route(POOLS, "sales", "x", RoutingFacts(hands), NOW)
    assert found.pool == "sales"
    assert found.member is not None


def test_a_pool_switched_off_and_one_that_is_not_there():
    found = route(POOLS, "sales", "x", facts(set_(HandAct.OFF, 3, pool="sales")), NOW)
    assert (found.member, found.problem, found.hands) == (None, "pool sales is switched off", (3,))
    assert route(POOLS, "gone", "x", NOTHING_KNOWN, NOW).problem == "there is no pool gone"


def test_what_a_person_set_ends_at_its_end():
    moved = set_(HandAct.MOVE, pool="sales", to="help", until_ms=NOW)
    assert route(POOLS, "sales", "x", facts(moved), NOW - 1).pool == "help"
    assert route(POOLS, "sales", "x", facts(moved), NOW).pool == "sales"


def test_sticky_pools_go_by_weight_alone():
    sticky = Pool(name="sales", members=(A, B), sticky=True)
    found = route({"sales": sticky}, "sales", "x", facts(b=MemberFacts(1.0, 1)), NOW)
    assert who(found) == {"a": 100.0, "b": 100.0}


@given(st.text(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 10))
def test_health_alone_never_leaves_a_call_without_a_bot(key, one, other, room):
    known = facts(a=MemberFacts(one), b=MemberFacts(other, room))
    found = route(POOLS, "sales", key, known, NOW)
    assert found.member in ("a", "b")
    assert draw(key, found.eligible) == found.member


@pytest.mark.parametrize(
    ("then", "now", "room", "expected"),
    [(10, 8, 5, 3), (10, 8, 1, -1), (10, 20, 0, 10), (10, None, 3, None), (None, 8, None, None)],
)
def test_room_by_other_limits(then, now, room, expected):
    """What is in use stays as it is; where nothing was counted there is no room to keep to."""

    def pools(limit):
        return {"sales": msgspec.structs.replace(SALES, members=(A, replaced(B, limit)))}

    def replaced(member, limit):
        return msgspec.structs.replace(member, limit=limit)

    known = facts(a=MemberFacts(0.5), b=MemberFacts(room=room))
    found = by_other_limits(known, pools(now), pools(then))
    assert found == facts(a=MemberFacts(0.5), b=MemberFacts(room=expected))
