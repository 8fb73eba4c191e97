"""What people set by hand: what follows from it, and what can't be set, said with its way out."""

from __future__ import annotations

import pytest

from routes.pools import KNOWN, NOW, SALES, Hands, wanted
from switchhook.errors import HandError
from switchhook.routes.hands import KnownRoutes, change_of, in_force, undone, words_of
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct, HandSetting, RoutingFacts, route

DRAINING, OUT, IN = MemberState.DRAINING, MemberState.OUT, MemberState.IN


def refused(act, held=(), known=KNOWN, **said):
    with pytest.raises(HandError) as found:
        change_of(wanted(act, **said), known, held, "asha", NOW)
    return str(found.value)


@pytest.mark.parametrize(
    ("act", "said", "words"),
    [
        (HandAct.MOVE, {"pool": "sales", "to": "backup"}, "calls of sales go to backup"),
        (
            HandAct.STATE,
            {"member": "sales/vendor-a", "state": DRAINING},
            "vendor-a of sales drains: it gets no new calls",
        ),
        (
            HandAct.STATE,
            {"pool": "sales", "member": "vendor-a", "state": OUT},
            "vendor-a of sales is out: it gets no calls",
        ),
        (HandAct.STATE, {"member": "old", "state": IN}, "old of sales takes calls"),
        (HandAct.WEIGHT, {"member": "vendor-a", "weight": 10}, "vendor-a of sales has weight 10"),
        (HandAct.OFF, {"pool": "sales"}, "pool sales is switched off"),
        (
            HandAct.SAFE,
            {"endpoint": "sales-in"},
            "callers of endpoint sales-in get its safe option",
        ),
    ],
)
def test_what_can_be_set_is_said_in_words(act, said, words):
    change = Hands().set(act, **said)
    assert change.said == words
    assert change.begins is not None
    assert words_of(change.begins) == words
    assert (change.begins.by, change.begins.reason) == ("asha", "it fails")
    assert (change.begins.since_ms, change.begins.until_ms) == (NOW, None)


@pytest.mark.parametrize(
    ("act", "said", "message"),
    [
        (
            HandAct.OFF,
            {"pool": "sale"},
            "there is no pool sale (did you mean sales?)",
        ),
        (
            HandAct.OFF,
            {"pool": "x"},
            "there is no pool x (known: backup, empty, sales, third)",
        ),
        (HandAct.OFF, {}, "it names no pool (known: backup, empty, sales, third)"),
        (
            HandAct.MOVE,
            {"pool": "sales/vendor-a", "to": "backup"},
            "sales/vendor-a is a member, and this is done to whole pools"
            " (say the pool; `drain sales/vendor-a` leaves its calls to the other members)",
        ),
        (
            HandAct.MOVE,
            {"pool": "sales", "to": "sales"},
            "sales has its calls already (say another pool)",
        ),
        (
            HandAct.MOVE,
            {"pool": "sales", "to": "empty"},
            "no member of pool empty is in (let one of its members in first, or say another pool)",
        ),
        (
            HandAct.STATE,
            {"member": "sales/vendor-c", "state": OUT},
            "no member of pool sales is vendor-c (did you mean sales/vendor-b?)",
        ),
        (
            HandAct.STATE,
            {"member": "vendor-b", "state": OUT},
            "2 pools have a member vendor-b (say sales/vendor-b or third/vendor-b)",
        ),
        (
            HandAct.STATE,
            {"member": "spar", "state": OUT},
            "no pool has a member spar (did you mean backup/spare?)",
        ),
        (
            HandAct.STATE,
            {"pool": "third", "member": "sales/vendor-a", "state": OUT},
            "it names two pools, third and sales (say one)",
        ),
        (HandAct.STATE, {"member": "old"}, "it says no state (in, draining or out)"),
        (
            HandAct.STATE,
            {"member": "sales/vendor-a", "state": IN},
            "vendor-a of sales takes calls already (there is nothing to change)",
        ),
        (
            HandAct.WEIGHT,
            {"member": "sales/vendor-a", "weight": 1001},
            "no such weight is possible (0 to 1,000)",
        ),
        (
            HandAct.WEIGHT,
            {"member": "vendor-a", "weight": 100},
            "vendor-a of sales has weight 100 already (there is nothing to change)",
        ),
        (
            HandAct.SAFE,
            {"endpoint": "sales"},
            "there is no endpoint sales (did you mean sales-in?)",
        ),
        (
            HandAct.OFF,
            {"pool": "sales", "reason": " \t"},
            "it has no reason (say why, for those who read it tomorrow)",
        ),
        (
            HandAct.OFF,
            {"pool": "sales", "reason": "x" * 301},
            "its reason is too long (at most 300 characters)",
        ),
        (
            HandAct.OFF,
            {"pool": "sales", "for_s": 0},
            "its length is none (1 second to 366 days, such as 2h or 90m)",
        ),
        (
            HandAct.OFF,
            {"pool": "sales", "for_s": 367 * 86_400},
            "its length is too long (at most 366 days: 366d)",
        ),
    ],
)
def test_what_cannot_be_set_says_what_to_do(act, said, message):
    assert refused(act, **said) == message


def test_without_pools_it_says_how_to_have_one():
    said = refused(HandAct.OFF, known=KnownRoutes({}), pool="sales")
    assert said == (
        "there is no pool sales"
        " (a bot becomes one by its [bots.NAME.members.NAME] in the configuration)"
    )


def test_a_circle_of_moves_is_refused_and_says_which_to_undo():
    hands = Hands()
    hands.set(HandAct.MOVE, pool="backup", to="third")
    hands.set(HandAct.MOVE, pool="third", to="sales")
    assert refused(HandAct.MOVE, hands.held, pool="sales", to="backup") == (
        "calls of sales would come back to it: those of backup to third, those of third to sales"
        " by hand (`undo 1` or `undo 2` first)"
    )


def test_a_move_that_turns_an_earlier_one_round_replaces_it_alone():
    """The pool's own move is replaced, so it is no part of a circle."""
    hands = Hands()
    hands.set(HandAct.MOVE, pool="sales", to="backup")
    assert hands.set(HandAct.MOVE, pool="sales", to="third").ends == (1,)
    assert [each.to for each in hands.held] == ["third"]


def test_nothing_is_moved_to_a_pool_that_is_off_also_by_way_of_another():
    hands = Hands()
    hands.set(HandAct.OFF, pool="third")
    hands.set(HandAct.MOVE, pool="sales", to="backup")
    message = "pool third is switched off (`undo 1` first, or another pool)"
    assert refused(HandAct.MOVE, hands.held, pool="backup", to="third") == message


def test_what_is_set_again_takes_the_place_of_what_was():
    hands = Hands()
    hands.set(HandAct.STATE, member="vendor-a", state=DRAINING)
    hands.set(HandAct.WEIGHT, member="vendor-a", weight=5)
    change = hands.set(HandAct.STATE, member="vendor-a", state=OUT)
    assert change.ends == (1,)
    assert [each.id for each in hands.held] == [2, 3]


def test_back_as_configured_only_ends_what_was_set():
    """No line on every page for what says nothing."""
    hands = Hands()
    hands.set(HandAct.STATE, member="vendor-a", state=OUT)
    change = hands.set(HandAct.STATE, member="vendor-a", state=IN)
    assert (change.begins, change.ends) == (None, (1,))
    assert change.said == "vendor-a of sales takes calls"
    assert hands.held == ()


def test_the_last_member_that_goes_is_warned_of():
    hands = Hands()
    assert hands.set(HandAct.STATE, member="sales/vendor-a", state=DRAINING).warning == ""
    assert hands.set(HandAct.WEIGHT, member="sales/vendor-b", weight=0).warning == (
        "no member of pool sales is in now: its calls get the endpoint's fallback"
    )
    assert "gets no address" in hands.set(HandAct.OFF, pool="sales").warning


def test_an_end_is_kept_and_is_no_more_in_force():
    hands = Hands()
    change = hands.set(HandAct.OFF, pool="sales", for_s=7200)
    assert change.begins is not None
    assert change.begins.until_ms == NOW + 7_200_000
    assert in_force(hands.held, NOW + 7_199_999) == hands.held
    assert in_force(hands.held, NOW + 7_200_000) == ()


def test_numbers_in_a_reason_are_masked():
    change = Hands().set(HandAct.OFF, pool="sales", reason="as +919845012345 said")
    assert change.begins is not None
    assert "9845012345" not in change.begins.reason


def test_undo_takes_the_newest_or_the_one_that_is_named():
    hands = Hands()
    with pytest.raises(HandError, match="nothing is set by hand"):
        undone(None, hands.held)
    hands.set(HandAct.OFF, pool="sales")
    hands.set(HandAct.OFF, pool="backup")
    assert undone(None, hands.held).pool == "backup"
    assert undone(1, hands.held).pool == "sales"
    with pytest.raises(HandError, match=r"no setting 7 is in force \(in force: 1, 2\)"):
        undone(7, hands.held)


@pytest.mark.parametrize("call", ["a", "b", "c", "d"])
def test_what_was_set_decides_where_a_call_goes(call):
    """As the answer process reads it."""
    hands = Hands()
    pools = KNOWN.pools
    hands.set(HandAct.STATE, member="sales/vendor-b", state=DRAINING)
    facts = RoutingFacts(hands=hands.held)
    assert route(pools, "sales", call, facts, NOW).member == "vendor-a"
    hands.set(HandAct.MOVE, pool="sales", to="backup")
    assert route(pools, "sales", call, RoutingFacts(hands=hands.held), NOW).member == "spare"
    hands.set(HandAct.OFF, pool="backup")
    assert route(pools, "sales", call, RoutingFacts(hands=hands.held), NOW).member is None


def test_a_setting_of_what_is_gone_is_still_said():
    """Pools may leave the configuration while something is set of them."""
    gone = HandSetting(id=1, act=HandAct.MOVE, pool="gone", to="sales")
    known = KnownRoutes({"sales": SALES})
    change = change_of(wanted(HandAct.OFF, pool="sales"), known, (gone,), "asha", NOW)
    assert change.ends == ()
    assert words_of(gone) == "calls of gone go to sales"
