"""Figures of pools and members, as alerts see them."""

from __future__ import annotations

import pytest

from routes.pools import NOW, SALES, Hands
from routes.test_mending import view
from switchhook.alerts.alert import evaluate
from switchhook.alerts.pool_rules import POOL_RULES
from switchhook.metrics import KNOWN
from switchhook.routes.health import Evidence, Source
from switchhook.routes.metrics import routes_figures
from switchhook.routes.view import MemberKnown, RoutesView, pool_view
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct, MemberFacts


def figures(seen, reached=None):
    found = list(routes_figures(lambda: seen, lambda: reached or {})(NOW))
    assert all(tuple(name for name, _ in each.labels) == KNOWN[each.name].labels for each in found)
    return {(each.name, *(text for _, text in each.labels)): each.value for each in found}


def fired(seen):
    alerts = evaluate(POOL_RULES, list(routes_figures(lambda: seen)(NOW)), {}, NOW)
    return {
        (each.rule, *filter(None, map(dict(each.labels).get, ("pool", "member"))))
        for each in alerts
    }


def test_a_member_that_fails_and_a_pool_that_is_degraded():
    one = figures(view(["vendor-b"]))
    assert one["member.out", "sales", "vendor-b"] == 1
    assert one["member.out", "sales", "vendor-a"] == 0
    assert one["pool.degraded", "sales"] == 0
    assert ("member.out", "sales", "old") not in one  # nobody wants it to take calls
    assert figures(view(["vendor-a", "vendor-b"], given=1))["pool.degraded", "sales"] == 1


def test_a_pool_that_nobody_calls_is_not_degraded_though_its_members_are_told_of():
    found = figures(view(["vendor-a", "vendor-b"]), {"sales": ["sales-in"]})
    assert found["pool.degraded", "sales"] == 0
    assert found["member.out", "sales", "vendor-a"] == 1


@pytest.mark.parametrize(("act", "to"), [(HandAct.MOVE, "backup"), (HandAct.OFF, "")])
def test_a_pool_whose_calls_a_person_sent_elsewhere_is_not_degraded(act, to):
    hands = Hands()
    hands.set(act, pool="sales", to=to)
    found = figures(view(["vendor-a", "vendor-b"], held=hands.held, given=9))
    assert found["pool.degraded", "sales"] == 0
    assert found["member.out", "sales", "vendor-a"] == 1


def test_a_pool_that_has_nobody_is_told_but_not_one_that_is_off():
    hands = Hands()
    for name in ("vendor-a", "vendor-b"):
        hands.set(HandAct.STATE, member=f"sales/{name}", state=MemberState.OUT)
    reached = {"sales": ["sales-in"]}
    assert figures(view(held=hands.held), reached)["pool.degraded", "sales"] == 1
    assert figures(view(held=hands.held))["pool.degraded", "sales"] == 0  # nobody can call it
    hands.set(HandAct.OFF, pool="sales")
    assert figures(view(held=hands.held), reached)["pool.degraded", "sales"] == 0


def known(**more):
    reports = Evidence(source=Source.REPORTS, good=None, said="x", at_ms=NOW)
    member = MemberKnown(evidence=(reports,), **more)
    pool = pool_view(SALES, (), {"vendor-a": member}, {"sales": SALES}, NOW)
    return RoutesView(made_ms=NOW, pools=(pool,))


def test_what_nobody_tells_is_left_out():
    told = figures(known())
    assert ("member.silent_calls", "sales", "vendor-a") in told
    assert ("member.silent_calls", "sales", "vendor-b") not in told
    assert not [name for name, *_ in told if name == "member.certificate_days"]


def test_which_alerts_begin():
    assert fired(view()) == set()
    assert fired(view(["vendor-b"])) == {("member-out", "sales", "vendor-b")}
    assert ("pool-degraded", "sales") in fired(view(["vendor-a", "vendor-b"], given=1))
    assert ("pool-degraded", "sales") not in fired(view(["vendor-a", "vendor-b"]))
    assert fired(known(days_left=14)) == set()
    assert fired(known(days_left=13)) == {("certificate-ends", "sales", "vendor-a")}
    assert fired(known(silent=2)) == set()
    assert fired(known(silent=3)) == {("bot-silent", "sales", "vendor-a")}


def test_a_member_whose_name_leads_into_our_own_network_is_told_of():
    network = "a private network"
    assert fired(known(facts=MemberFacts(network=network))) == {("member-out", "sales", "vendor-a")}
