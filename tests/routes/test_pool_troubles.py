"""Which member fails, where its calls go, and the command that mends it."""

from __future__ import annotations

import msgspec
import pytest

from routes.pools import BACKUP, EMPTY, KNOWN, NOW, SALES, Hands
from routes.test_mending import view
from switchhook.routes.breaker import Breaker, BreakerState
from switchhook.routes.health import Evidence, Source
from switchhook.routes.pool_troubles import at_fault, has_calls, pool_troubles
from switchhook.routes.view import MemberKnown, RoutesView, pool_view
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct, MemberFacts
from switchhook.troubles.at_fault import AtFault, Canary
from switchhook.troubles.trouble import Level

REACHED = {"sales": ["sales-in"], "backup": ["backup-in"]}
OPEN = Breaker(state=BreakerState.OPEN, why="the probe: connection refused")
OUT = MemberKnown(breaker=OPEN, facts=MemberFacts(0.0), given=9)
FAILING = MemberKnown(breaker=OPEN, given=9)


def seen(known, held=(), pools=(SALES, BACKUP)):
    return RoutesView(
        made_ms=NOW,
        pools=tuple(
            pool_view(each, held, known if each is SALES else {}, KNOWN.pools, NOW)
            for each in pools
        ),
    )


def sales(found):
    return at_fault(found, REACHED, {})["sales"]


def told(found):
    return {each.key: each for each in pool_troubles(found, REACHED, {})}


def test_the_member_that_fails_beside_others_is_named_with_the_command_that_takes_it_out():
    assert sales(seen({"vendor-a": FAILING})) == AtFault(
        name="member sales/vendor-a",
        todo="Take vendor-a out: `switchhook route out sales/vendor-a --reason 'it fails'`.",
    )


def test_one_that_its_breaker_has_out_fails_nobody_and_who_gets_its_calls_is_said():
    assert sales(seen({"vendor-a": OUT})) == AtFault(
        name="member sales/vendor-a", instead="its breaker has it out, and its calls go to vendor-b"
    )


def test_one_that_a_person_took_out_is_said_to_be_by_hand():
    hands = Hands()
    hands.set(HandAct.STATE, member="sales/vendor-a", state=MemberState.OUT)
    assert sales(seen({"vendor-a": FAILING}, hands.held)) == AtFault(
        name="member sales/vendor-a", instead="it is out, by hand, and its calls go to vendor-b"
    )


def test_one_whose_name_leads_into_a_network_of_our_own_is_said_not_to_be_given():
    facts = MemberFacts(network="a private network")
    found = seen({"vendor-a": MemberKnown(facts=facts, given=9)})
    assert sales(found) == AtFault(
        name="member sales/vendor-a", instead="it is not given, and its calls go to vendor-b"
    )
    what = told(found)["member.out:vendor-a,sales"].what
    assert what.startswith(
        "Member sales/vendor-a failed: its name is an address of a private network: not given"
    )


def test_one_that_comes_back_is_said_to():
    streams = Evidence(source=Source.STREAMS, good=False, said="9 of 9 streams failed in 15 min")
    breaker = Breaker(state=BreakerState.HALF_OPEN, step=1)
    back = MemberKnown(breaker=breaker, facts=MemberFacts(0.25), evidence=(streams,), given=9)
    assert sales(seen({"vendor-a": back})) == AtFault(
        name="member sales/vendor-a", instead="its breaker lets it back in, with 25% of its weight"
    )


def test_where_all_fail_it_is_the_bot_and_its_calls_can_go_to_another_pool():
    assert sales(seen({"vendor-a": OUT, "vendor-b": OUT})) == AtFault(
        todo="Move its calls to backup: `switchhook route move sales backup --reason 'it fails'`."
    )


@pytest.mark.parametrize("pools", [(SALES,), (SALES, EMPTY)])
def test_where_nothing_else_can_take_the_calls_callers_are_sent_on(pools):
    assert sales(seen({"vendor-a": OUT, "vendor-b": OUT}, pools=pools)) == AtFault(
        todo="Nothing else can take its calls; send callers on:"
        " `switchhook route safe sales-in --reason 'it fails'`."
    )


@pytest.mark.parametrize(
    ("act", "to", "instead"),
    [
        (HandAct.MOVE, "backup", "its calls go to backup, by hand"),
        (HandAct.OFF, "", "its pool is switched off, by hand"),
    ],
)
def test_where_a_person_has_acted_nobody_is_told_to(act, to, instead):
    hands = Hands()
    hands.set(act, pool="sales", to=to)
    found = seen({"vendor-a": FAILING, "vendor-b": FAILING}, hands.held)
    assert sales(found) == AtFault(instead=instead)


def test_what_only_a_canary_calls_is_mended_by_ending_the_canary():
    found = seen({"vendor-a": OUT, "vendor-b": OUT})
    reached = {"backup": ["backup-in"]}
    assert at_fault(found, reached, {"sales": Canary(5)})["sales"] == AtFault(
        todo="Only the canary of release 5 sends it calls; end that: `switchhook release stop 5`.",
        page="/releases/5",
    )
    troubles = {each.key: each for each in pool_troubles(found, reached, {"sales": Canary(5)})}
    degraded = troubles["pool.degraded:sales"]
    assert (degraded.level, degraded.page) == (Level.BAD, "/releases/5")
    assert "switchhook release stop 5" in degraded.todo


def test_what_only_a_canary_called_that_is_over_needs_nobody():
    found = seen({"vendor-a": OUT, "vendor-b": OUT})
    assert at_fault(found, {}, {})["sales"] == AtFault(instead="no rules send it calls")
    (degraded, *_) = pool_troubles(found, {}, {})
    assert (degraded.level, degraded.todo) == (Level.WARN, "")


def test_of_what_a_canary_called_that_was_taken_back_the_release_is_the_cause():
    found = seen({"vendor-a": OUT, "vendor-b": OUT})
    ended = {"sales": Canary(5, taken_back=True)}
    said = "release 5, which sent it calls, was taken back"
    assert at_fault(found, {}, ended)["sales"] == AtFault(instead=said, page="/releases/5")
    (degraded, *_) = pool_troubles(found, {}, ended)
    assert (degraded.level, degraded.todo, degraded.page) == (Level.WARN, "", "/releases/5")
    assert degraded.over, "or its alert would stand before the release"
    assert said in degraded.what
    # What running rules send calls to as well fails for its own reasons.
    assert at_fault(found, REACHED, ended)["sales"] == at_fault(found, REACHED, {})["sales"]


def test_names_with_blanks_can_be_pasted():
    pool = msgspec.structs.replace(SALES, name="Sales bot")
    found = RoutesView(made_ms=NOW, pools=(pool_view(pool, (), {"vendor-a": FAILING}, {}, NOW),))
    assert (
        "`switchhook route out 'Sales bot/vendor-a' "
        in at_fault(found, {"Sales bot": ["sales-in"]}, {})["Sales bot"].todo
    )


def test_a_member_that_is_out_is_told_as_past_and_one_that_gets_calls_as_present():
    key = "member.out:vendor-a,sales"
    out, fails = told(seen({"vendor-a": OUT}))[key], told(seen({"vendor-a": FAILING}))[key]
    assert out.what == (
        "Member sales/vendor-a failed: the probe: connection refused; its breaker has it out, and"
        " its calls go to vendor-b."
    )
    assert fails.what == "Member sales/vendor-a fails: the probe: connection refused."
    assert "switchhook route out sales/vendor-a" in fails.todo
    assert fails.order < out.order
    assert (fails.callers, fails.hit) == ("It got 9 calls in 15 min.", 9)


def test_a_pool_without_calls_is_a_warning_after_the_one_with_callers():
    idle = MemberKnown(breaker=OPEN, facts=MemberFacts(0.0))
    found = told(seen({"vendor-a": OUT, "vendor-b": OUT}))["pool.degraded:sales"]
    assert (found.level, found.hit) == (Level.BAD, 18)
    quiet = told(seen({"vendor-a": idle, "vendor-b": idle}))["pool.degraded:sales"]
    assert (quiet.level, quiet.hit) == (Level.WARN, 0)
    assert quiet.what == (
        "All members of sales fail (the probe: connection refused); nobody called it in 15 min."
    )
    assert found.order < quiet.order


def test_a_pool_that_fails_names_its_members_and_one_of_one_is_not_called_all():
    both = told(seen({"vendor-a": OUT, "vendor-b": OUT}))["pool.degraded:sales"]
    assert both.what == "All members of sales fail (the probe: connection refused)."
    assert both.fault == "At fault: sales/vendor-a, vendor-b."
    alone = pool_view(BACKUP, (), {"spare": OUT}, KNOWN.pools, NOW)
    one = told(RoutesView(made_ms=NOW, pools=(alone,)))["pool.degraded:backup"]
    assert one.what == "Backup fails (the probe: connection refused)."
    assert one.fault == "At fault: backup/spare."


def test_a_pool_has_calls_by_addresses_and_by_streams_and_one_that_is_empty_by_its_endpoints():
    streams = Evidence(source=Source.STREAMS, good=True, said="0 of 2 streams failed in 15 min")
    assert has_calls(seen({"vendor-a": OUT}).pools[0], {})
    assert has_calls(seen({"vendor-a": MemberKnown(evidence=(streams,))}).pools[0], {})
    assert not has_calls(seen({}).pools[0], REACHED)
    (empty,) = seen({}, pools=(EMPTY,)).pools
    assert has_calls(empty, {"empty": ["sales-in"]})
    assert not has_calls(empty, {})


def test_a_silent_bot_is_named_with_the_command_that_takes_it_out():
    found = told(seen({"vendor-b": MemberKnown(silent=3)}))["member.silent_calls:vendor-b,sales"]
    assert found.what == "Member sales/vendor-b was connected and silent in 3 calls of 15 min."
    assert found.todo == (
        "Take it out: `switchhook route out sales/vendor-b --reason 'it fails'`, and look in its"
        " log: does its voice work?"
    )


def test_a_bot_that_was_silent_until_its_calls_were_moved_is_a_warning():
    hands = Hands()
    hands.set(HandAct.MOVE, pool="sales", to="backup")
    found = told(seen({"vendor-b": MemberKnown(silent=3)}, hands.held))
    silent = found["member.silent_calls:vendor-b,sales"]
    assert (silent.over, silent.level) == (True, Level.WARN)
    assert silent.todo == "Look in its log: does its voice work?"


def test_what_is_well_has_nothing_to_tell_but_of_the_pool():
    assert set(told(view())) == {"pool.degraded:sales", "pool.degraded:backup"}
