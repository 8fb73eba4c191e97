"""Alerts of two nodes while the lead changes: orderly, by a death, and by a long sleep.

A rules file that is refused on a node is an alert about that node, whoever leads. What is told of
it goes to a webhook, which may hold its answer.
"""

from __future__ import annotations

import signal
from functools import partial

import pytest

from journeys.test_two_nodes import RULES, running
from patience import PATIENCE_S
from program import until
from switchhook.alerts.default_rules import DEFAULTS
from webhook import receiving

pytestmark = pytest.mark.process

OTHERS = [rule.name for rule in DEFAULTS if rule.name != "rules-refused"]
ALERTS = f"""
[alerts]
off = {OTHERS}
[[alerts.rule]]
name = "rules-refused"
for_s = 0
[alerts.send.ops]
url_file = "../ops.txt"
"""


@pytest.fixture
def told():
    """Whoever is told of alerts."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def nodes(tmp_path, postgresql, told, request):
    """Two nodes that run, of which nothing was ever told: what comes back would rest."""
    asked = getattr(request, "param", "")
    (tmp_path / "ops.txt").write_text(f"json://127.0.0.1:{told.port}/{asked}")
    with running(tmp_path, postgresql, ALERTS) as nodes:
        yield nodes


def breaks(node):
    """Its rules file is refused."""
    (node.config.parent / "rules.toml").write_text("broken")


def mends(node):
    (node.config.parent / "rules.toml").write_text(RULES)


def leads(nodes, node):
    return nodes.leader() is node and node.get("alerts") is not None


def alert_of(node, of):
    """What a node's console says of the alert about another, once it was looked at."""
    found = node.get("alerts")
    if found is None or found["evaluated_at"] is None:
        return None
    return next((each for each in found["alerts"] if each["labels"] == {"node": of.name}), None)


def unknown(node, of):
    """The same, once it is said that nobody knows how it is."""
    found = alert_of(node, of)
    return found if found is not None and found["unknown_since"] else None


def is_over(node):
    """Whether nothing fires, and every message was taken."""
    found = node.get("alerts")
    if found is None or found["alerts"]:
        return False
    return {each["state"] for each in found["sent"]} == {"completed"}


def came(told, count):
    return told.wait(count, 3 * PATIENCE_S)


def ends(nodes, broken, told, count):
    """It is mended, and said to be over once, by the last of so many messages about it."""
    mends(broken)
    until(partial(is_over, until(nodes.leader, "a leader")), "all that was to be said")
    got = [each for each in told.got if f"node {broken.name}:" in str(each.body["title"])]
    over = [str(each.body["title"]).endswith("resolved") for each in got]
    assert over == [False] * (count - 1) + [True]
    assert len({each.id for each in got[:-1]}) == 1
    assert got[-1].id not in {"", got[0].id}


def test_an_orderly_change_neither_ends_it_nor_tells_it_again(nodes, told):
    """Neither what is wrong with the machine of who led, nor with that of who leads then."""
    first = until(nodes.leader, "a leader")
    second = nodes.other(first)
    for node in nodes.nodes:
        breaks(node)
    came(told, 2)
    before = [until(partial(alert_of, first, node), "the alert") for node in nodes.nodes]

    first.command("cluster", "lead", second.name)
    until(partial(leads, nodes, second), "the other leads")
    after = [until(partial(alert_of, second, node), "the same alert") for node in nodes.nodes]
    assert after == before
    mends(first)
    ends(nodes, second, told, 2)
    ends(nodes, first, told, 2)


def test_a_leader_that_is_killed_while_it_tells(nodes, told):
    """It is about the machine of the one that dies: how that is nobody knows, and it goes on."""
    first = until(nodes.leader, "a leader")
    second = nodes.other(first)
    told.gate.clear()
    breaks(first)
    came(told, 1)
    before = until(partial(alert_of, second, first), "the alert")
    first.signal(signal.SIGKILL)
    first.program.stop()

    assert until(lambda: nodes.led_by_another(first), "the other leads") is second
    came(told, 2)
    told.gate.set()
    after = until(partial(unknown, second, first), "that it is not known")
    assert (after["state"], after["since"]) == ("firing", before["since"])
    first.start()
    ends(nodes, first, told, 3)


@pytest.mark.parametrize("nodes", ["?rto=60"], indirect=True)  # seconds it waits for an answer
def test_a_leader_that_ends_gives_up_the_lease_though_a_webhook_answers_nothing(nodes, told):
    """Nobody waits for the lease to run out, and nothing has to be killed."""
    first = until(nodes.leader, "a leader")
    second = nodes.other(first)
    told.gate.clear()
    breaks(first)
    came(told, 1)
    second.signal(signal.SIGSTOP)
    try:
        program = first.program
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(PATIENCE_S) == 0
        assert "it is killed" not in program.said
        free = "SELECT expires_at <= clock_timestamp() FROM cluster_lease"
        assert nodes.database.execute(free).fetchone() == (True,)
    finally:
        second.signal(signal.SIGCONT)
    assert until(lambda: nodes.led_by_another(first), "the other leads") is second


def test_a_leader_that_sleeps_while_it_tells_and_wakes_when_another_leads(nodes, told):
    first = until(nodes.leader, "a leader")
    second = nodes.other(first)
    told.gate.clear()
    breaks(second)
    came(told, 1)
    before = until(partial(alert_of, first, second), "the alert")
    first.signal(signal.SIGSTOP)
    try:
        assert until(lambda: nodes.led_by_another(first), "the other leads") is second
        came(told, 2)
        told.gate.set()
        after = until(partial(alert_of, second, second), "the alert")
        assert after == before
    finally:
        first.signal(signal.SIGCONT)
    until(first.now, "who led passes on what is asked")
    assert nodes.leader() is second
    ends(nodes, second, told, 3)
