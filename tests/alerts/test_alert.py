"""Alerts: what figures breach, for how long, and when it is over."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.alerts.alert import (
    LAPSE_MS,
    MOST_GROUPS,
    NEXT,
    Alert,
    AlertState,
    Event,
    evaluate,
    much_worse,
)
from switchhook.alerts.alert_rule import AlertRule, Comparison, Severity
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.metrics import KNOWN, Figure

BOT = AlertRule(
    name="bot-failing",
    title="A bot fails",
    figure="streams.failed_share",
    comparison=Comparison.AT_LEAST,
    threshold=0.5,
    for_s=60,
    clear_for_s=120,
    group_by=("bot",),
    least_cases=4,
)
DISK = AlertRule(
    name="disk-low",
    title="The disk is nearly full",
    figure="disk.free_share",
    comparison=Comparison.BELOW,
    threshold=0.1,
    clear_for_s=0,
)
S = 1000


def share(value, cases, bot="Sales", at_s=0, **labels):
    pairs = tuple({"bot": bot, **labels}.items())
    return Figure("streams.failed_share", value, at_s * S, pairs, cases)


def run(rules, *steps):
    """The alerts after steps of `(second, figures)`, by key."""
    states: dict[str, Alert] = {}
    for at_s, figures in steps:
        for alert in evaluate(rules, figures, states, at_s * S):
            states[alert.key] = alert
    return states


def state_after(*steps):
    states = run([BOT], *steps)
    return next((alert.state.value for alert in states.values()), None)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        pytest.param([(0, [share(0.2, 9)])], None, id="well"),
        pytest.param([(0, [share(0.5, 4)])], "pending", id="breached"),
        pytest.param(
            [(0, [share(1, 4)]), (59, [share(1, 4)])], "pending", id="not yet long enough"
        ),
        pytest.param([(0, [share(1, 4)]), (60, [share(1, 4)])], "firing", id="lasted"),
        pytest.param([(0, [share(1, 3)])], None, id="too few cases"),
        pytest.param([(0, [share(None, 0)])], None, id="no traffic"),
        pytest.param([(0, [share(None, None)])], None, id="unknown"),
        pytest.param(
            [(0, [share(1, 4)]), (60, [share(1, 4)]), (90, []), (9000, [])], "firing", id="silent"
        ),
        pytest.param(
            [(0, [share(1, 4)]), (60, [share(1, 4)]), (90, [share(0, 0)]), (999, [share(0, 0)])],
            "firing",
            id="no traffic is no recovery",
        ),
        pytest.param(
            [(0, [share(1, 4)]), (60, [share(1, 4)]), (90, [share(0, 1)]), (999, [share(0, 1)])],
            "firing",
            id="a single case is no recovery",
        ),
        pytest.param(
            [(0, [share(1, 4)]), (60, [share(1, 4)]), (90, [share(0, 2)]), (209, [share(0, 2)])],
            "firing",
            id="not yet clear for long enough",
        ),
        pytest.param(
            [(0, [share(1, 4)]), (60, [share(1, 4)]), (90, [share(0, 2)]), (210, [share(0, 2)])],
            "resolved",
            id="resolved by half as many cases",
        ),
        pytest.param(
            [
                (0, [share(1, 4)]),
                (60, [share(1, 4)]),
                (90, [share(0.45, 9)]),
                (900, [share(0.45, 9)]),
            ],
            "firing",
            id="just below the threshold flaps",
        ),
        pytest.param(
            [
                (0, [share(1, 4)]),
                (60, [share(1, 4)]),
                (90, [share(0, 9)]),
                (150, [share(0.5, 9)]),
                (211, [share(0, 9)]),
            ],
            "firing",
            id="its clearing begins anew",
        ),
        pytest.param(
            [(0, [share(1, 4)]), (60, [share(1, 4)]), (60 + LAPSE_MS // S, [])],
            "resolved",
            id="nothing known for a day",
        ),
    ],
)
def test_a_share_over_time(steps, state):
    assert state_after(*steps) == state


def test_a_pending_one_that_ends_was_never_fired():
    states = run([BOT], (0, [share(1, 4)]), (30, [share(0, 4)]))
    (alert,) = states.values()
    assert (alert.state, alert.fired_ms) == (AlertState.RESOLVED, None)


def test_a_rule_without_a_time_fires_at_once_and_by_what_falls():
    (alert,) = evaluate([DISK], [Figure("disk.free_share", 0.09, 5)], {}, 7)
    assert (alert.state, alert.fired_ms, alert.value) == (AlertState.FIRING, 7, 0.09)
    states = {alert.key: alert}
    assert evaluate([DISK], [Figure("disk.free_share", 0.11, 6)], states, 8) == ()
    (after,) = evaluate([DISK], [Figure("disk.free_share", 0.13, 6)], states, 8)
    assert after.state is AlertState.RESOLVED


def test_one_alert_for_a_group_with_its_members():
    rule = msgspec.structs.replace(BOT, group_by=(), for_s=0)
    figures = [share(0.6, 9, "A"), share(0.9, 9, "B"), share(0.1, 9, "C")]
    (alert,) = evaluate([rule], figures, {}, 0)
    assert alert.labels == ()
    assert alert.members == ((("bot", "B"),), (("bot", "A"),))
    assert (alert.value, alert.cases) == (0.9, 9)
    # What failed has to be well again; others say nothing of it.
    states = {alert.key: alert}
    later = 600 * S
    assert evaluate([rule], [share(0, 9, "C"), share(0, 9, "B")], states, later) == ()
    (clearing,) = evaluate([rule], [share(0, 9, "A"), share(0, 9, "B")], states, later)
    assert clearing.clear_ms == later


def test_a_label_that_a_figure_has_not_makes_no_group_of_its_own():
    """The disk of one machine has no node."""
    rule = msgspec.structs.replace(DISK, group_by=("node",))
    (alone,) = evaluate([rule], [Figure(DISK.figure, 0.0, 5)], {}, 7)
    assert (alone.key, alone.labels) == (DISK.name, ())
    two = [Figure(DISK.figure, 0.0, 5, (("node", name),)) for name in "ab"]
    assert {each.labels for each in evaluate([rule], two, {}, 7)} == {
        (("node", "a"),),
        (("node", "b"),),
    }


def test_what_is_gone_ends_its_alert_at_once():
    rule = msgspec.structs.replace(DISK, clear_for_s=300)
    (alert,) = evaluate([rule], [Figure(DISK.figure, 0.0, 5)], {}, 7)
    gone = Figure(DISK.figure, None, 6, gone=True)
    assert evaluate([rule], [gone], {}, 8) == ()
    (ended,) = evaluate([rule], [gone], {alert.key: alert}, 8)
    assert (ended.state, ended.lapsed) == (AlertState.RESOLVED, True)
    # Another one of its name goes on.
    assert evaluate([rule], [gone, Figure(DISK.figure, 0.0, 6)], {alert.key: alert}, 8) == ()


@pytest.mark.parametrize("cases", [None, 0])
def test_since_when_nothing_is_known_is_kept_until_it_is(cases):
    day_ms = 86_400_000
    (alert,) = evaluate([DISK], [Figure(DISK.figure, 0.0, 5)], {}, 7)
    unknown = Figure(DISK.figure, None, 9, (), cases, since_ms=8)
    (alert,) = evaluate([DISK], [unknown], {alert.key: alert}, 9)
    assert (alert.firing, alert.since_ms, alert.unknown_ms) == (True, 7, 8)
    later = msgspec.structs.replace(unknown, since_ms=10)
    assert evaluate([DISK], [later], {alert.key: alert}, 11) == ()
    for day in range(1, 4):
        (alert,) = evaluate([DISK], [later], {alert.key: alert}, day * day_ms)
        assert (alert.firing, alert.unknown_ms) == (True, 8)
    assert evaluate([DISK], [], {alert.key: alert}, 3 * day_ms + 1) == ()
    (alert,) = evaluate([DISK], [Figure(DISK.figure, 0.0, 5)], {alert.key: alert}, 4 * day_ms)
    assert (alert.firing, alert.since_ms, alert.unknown_ms) == (True, 7, None)


def test_few_cases_are_not_unknown_since_then():
    (alert,) = evaluate([rule := msgspec.structs.replace(BOT, for_s=0)], [share(1, 9)], {}, 0)
    few = msgspec.structs.replace(share(1, 1), since_ms=5)
    assert evaluate([rule], [few], {alert.key: alert}, 9) == ()


def test_groups_from_outside_have_a_ceiling():
    rule = msgspec.structs.replace(BOT, for_s=0)
    figures = [share(1, 1000 - n, f"host{n}") for n in range(500)]
    found = evaluate([rule], figures, {}, 0)
    assert len(found) == MOST_GROUPS
    other = next(alert for alert in found if alert.labels == (("bot", "other"),))
    assert len(other.members) == 20
    assert evaluate([rule], figures, {alert.key: alert for alert in found}, 0) == ()


def test_the_alert_of_a_rule_that_is_gone_ends():
    states = run([DISK], (0, [Figure("disk.free_share", 0, 0)]))
    (ended,) = evaluate([], [Figure("disk.free_share", 0, 0)], states, 5)
    assert (ended.state, ended.lapsed) == (AlertState.RESOLVED, True)


def test_what_returns_is_a_new_alert():
    states = run([DISK], (0, [Figure("disk.free_share", 0, 0)]))
    alert = msgspec.structs.replace(next(iter(states.values())), acknowledged="asha")
    states = {alert.key: alert}
    for at_s, value in ((1, 0.5), (2, 0.0)):
        for each in evaluate([DISK], [Figure("disk.free_share", value, 0)], states, at_s * S):
            states[each.key] = each
    (again,) = states.values()
    assert (again.state, again.since_ms, again.acknowledged) == (AlertState.FIRING, 2000, "")


values = st.one_of(st.none(), st.floats(0, 1, allow_nan=False))
cases = st.one_of(st.none(), st.integers(0, 20))
figures = st.lists(
    st.builds(share, values, cases, st.sampled_from(["A", "B", "other"]), host=st.just("h")),
    max_size=6,
    unique_by=lambda figure: figure.labels,
)
steps = st.lists(st.tuples(st.integers(0, 600), figures), max_size=12)
RULES = [
    BOT,
    msgspec.structs.replace(BOT, name="all", group_by=(), for_s=0),
    msgspec.structs.replace(BOT, name="low", comparison=Comparison.BELOW, threshold=0.2),
]


@given(steps)
def test_the_same_figures_change_nothing_more(steps):
    states: dict[str, Alert] = {}
    now = 0
    for passed, figures in steps:
        now += passed * S
        for alert in evaluate(RULES, figures, states, now):
            states[alert.key] = alert
        assert evaluate(RULES, figures, states, now) == ()


@given(steps, st.randoms())
def test_the_order_of_labels_figures_and_rules_is_irrelevant(steps, chance):
    one: dict[str, Alert] = {}
    other: dict[str, Alert] = {}
    now = 0
    for passed, figures in steps:
        now += passed * S
        mixed = [msgspec.structs.replace(f, labels=f.labels[::-1]) for f in figures]
        chance.shuffle(mixed)
        for alert in evaluate(RULES, figures, one, now):
            one[alert.key] = alert
        for alert in evaluate(RULES[::-1], mixed, other, now):
            other[alert.key] = alert
        assert {k: (a.state, a.since_ms, a.value) for k, a in one.items()} == {
            k: (a.state, a.since_ms, a.value) for k, a in other.items()
        }


@given(steps)
def test_nothing_unknown_moves_an_alert(steps):
    states: dict[str, Alert] = {}
    now = 0
    for passed, figures in steps:
        now += passed * S
        for alert in evaluate(RULES, figures, states, now):
            states[alert.key] = alert
        nothing = [share(None, None), share(0, 0), share(1, 0)]
        assert evaluate(RULES, nothing, states, now + 3600 * S) == ()


def test_every_state_knows_every_event():
    """But what is resolved: that is over, whatever is heard of it."""
    live = {(state, event) for state in (AlertState.PENDING, AlertState.FIRING) for event in Event}
    over = {(AlertState.RESOLVED, Event.BREACHED), (AlertState.RESOLVED, Event.LASTED)}
    assert NEXT.keys() == live | over


@pytest.mark.parametrize(
    ("figure", "falling", "said", "value", "worse"),
    [
        ("streams.failed_share", False, 0.3, 0.5, False),
        ("streams.failed_share", False, 0.3, 0.6, True),
        ("streams.failed_share", False, 0.8, 1.0, False),
        ("streams.throttled", False, 1, 3, False),
        ("streams.throttled", False, 1, 11, True),
        ("streams.throttled", False, 100, 250, False),
        ("account.headroom_share", True, 0.14, 0.08, False),
        ("account.headroom_share", True, 0.14, 0.07, True),
        ("account.headroom_share", True, 0.0, 0.0, False),
    ],
)
def test_much_worse(figure, falling, said, value, worse):
    comparison = Comparison.BELOW if falling else Comparison.AT_LEAST
    rule = AlertRule(name="r", title="R", figure=figure, comparison=comparison, threshold=said)
    start = -1.0 if falling else said
    (alert,) = evaluate([rule], [Figure(figure, start, 0)], {}, 0)
    assert much_worse(msgspec.structs.replace(alert, value=value), said) is worse


def test_the_default_rules_are_sound():
    names = [rule.name for rule in DEFAULTS]
    assert len(set(names)) == len(names)
    for rule in DEFAULTS:
        known = KNOWN[rule.figure]
        assert set(rule.group_by) <= set(known.labels), rule.name
        assert rule.advice, rule.name
        assert not (rule.breached(rule.threshold) and rule.cleared(rule.threshold))
        if known.unit == "share" and rule.figure.partition(".")[0] in ("streams", "endpoint"):
            assert rule.least_cases >= 5, rule.name
    topics: dict[str, set[tuple[str, ...]]] = {}
    for rule in DEFAULTS:
        of = tuple(name for name in rule.group_by if name != "node")  # one machine has no name
        topics.setdefault(rule.topic or rule.name, set()).add(of)
    assert all(len(groups) == 1 for groups in topics.values())
    assert [s.rank for s in Severity] == [0, 1, 2]
