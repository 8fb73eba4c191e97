"""The one press that mends a bot that fails."""

from __future__ import annotations

import msgspec
import pytest

from routes.pools import BACKUP, EMPTY, KNOWN, NOW, SALES, Hands
from switchhook.routes.breaker import Breaker, BreakerState
from switchhook.routes.mending import Mend, mends, uncalled
from switchhook.routes.view import MemberKnown, RoutesView, pool_view
from switchhook.rules.bot_pool import BreakerSettings, MemberState
from switchhook.rules.routing import HandAct, MemberFacts

OPEN = Breaker(state=BreakerState.OPEN)
MOVE = Mend(words="Move its calls to backup", act=HandAct.MOVE, pool="sales", to="backup")


def view(failing=(), pools=(SALES, BACKUP), held=(), *, acts=False, given=0):
    found = []
    for pool in pools:
        known = {
            name: MemberKnown(breaker=OPEN, facts=MemberFacts(0.0 if acts else 1.0), given=given)
            for name in failing
            if pool.member(name) is not None
        }
        enabled = msgspec.structs.replace(pool, breaker=BreakerSettings(enabled=acts))
        found.append(pool_view(enabled, held, known, KNOWN.pools, NOW))
    return RoutesView(made_ms=NOW, pools=tuple(found))


def mended(found):
    return mends(found, {"sales", "backup"})


def test_one_member_that_fails_beside_others_is_taken_out():
    assert mended(view(["vendor-b"]))["sales"] == Mend(
        words="Take vendor-b out", act=HandAct.STATE, pool="sales", member="vendor-b"
    )


def test_one_that_its_breaker_has_out_already_needs_no_press():
    assert "sales" not in mended(view(["vendor-b"], acts=True))


@pytest.mark.parametrize("acts", [False, True])
def test_a_pool_whose_members_all_fail_is_moved(acts):
    assert mended(view(["vendor-a", "vendor-b"], acts=acts))["sales"] == MOVE


def test_a_bot_that_fails_though_no_member_is_known_to_is_moved():
    assert mended(view())["sales"] == MOVE


@pytest.mark.parametrize("pools", [(SALES,), (SALES, EMPTY)])
def test_without_another_pool_that_is_well_there_is_no_press(pools):
    assert "sales" not in mended(view(["vendor-a", "vendor-b"], pools))


def test_nothing_is_moved_to_a_pool_that_fails_too():
    assert "sales" not in mended(view(["vendor-a", "vendor-b", "spare"]))


@pytest.mark.parametrize(("act", "to"), [(HandAct.MOVE, "backup"), (HandAct.OFF, "")])
def test_where_somebody_has_acted_there_is_none(act, to):
    hands = Hands()
    hands.set(act, pool="sales", to=to)
    assert "sales" not in mended(view(["vendor-a", "vendor-b"], held=hands.held))


def test_once_the_one_that_failed_is_out_nothing_is_left_to_press():
    hands = Hands()
    hands.set(HandAct.STATE, member="sales/vendor-b", state=MemberState.OUT)
    assert "sales" not in mended(view(["vendor-b"], held=hands.held))
    assert mended(view(["vendor-a", "vendor-b"], held=hands.held))["sales"] == MOVE


def test_nothing_is_moved_to_a_pool_that_is_off():
    hands = Hands()
    hands.set(HandAct.OFF, pool="backup")
    assert "sales" not in mended(view(["vendor-a", "vendor-b"], held=hands.held))


def test_what_no_running_rules_call_has_no_calls_to_move_unless_a_hand_sends_it_some():
    """Its calls come from a canary, or came from one."""
    failing = ["vendor-a", "vendor-b", "spare"]
    assert mends(view(failing[:2]), {"backup"}) == {}
    assert uncalled(view(failing), {"backup"}) == {"sales"}
    hands = Hands()
    hands.set(HandAct.MOVE, pool="backup", to="sales")
    assert uncalled(view(failing, held=hands.held), {"backup"}) == set()
