"""Figures of nodes: every one is known, and what is not known is not zero."""

from __future__ import annotations

from node_rows import NOW_MS, A, B, C, node, view
from switchhook.alerts.cluster_rules import CLUSTER_RULES
from switchhook.cluster.metrics import cluster_figures
from switchhook.cluster.view import ClusterView, NodeState
from switchhook.metrics import KNOWN


def figures(seen):
    return list(cluster_figures(lambda: seen)(NOW_MS))


def of(seen, name, node_name=None):
    return next(
        each.value
        for each in figures(seen)
        if each.name == name and each.label("node") == (node_name or "")
    )


def test_on_one_machine_there_are_none():
    assert figures(None) == figures(ClusterView()) == []


def test_every_figure_is_known_with_its_labels():
    for each in figures(view()):
        assert {key for key, _ in each.labels} == set(KNOWN[each.name].labels)
        assert each.at_ms == NOW_MS
    names = {each.name for each in figures(view())}
    assert names == {name for name in KNOWN if name.startswith(("cluster.", "node."))}
    assert {rule.figure for rule in CLUSTER_RULES} <= names


def test_what_a_node_that_is_away_has_is_not_known():
    seen = view(node(A, "a"), node(B, "b", seen_ago_s=60.0, handed_seq=10))
    assert of(seen, "node.away", "b") == 1
    assert of(seen, "node.behind", "b") is of(seen, "node.behind_s", "b") is None
    assert of(seen, "cluster.nodes") == 1


def test_one_that_left_is_no_alert_any_more():
    """What was told of it ends by figures that say so; then there is none of it any more."""
    left = {"state": NodeState.LEFT, "handed_seq": 10, "clock_ms": 9_000}
    seen = view(node(A, "a"), node(C, "c", seen_ago_s=86_400.0, left_ago_s=600.0, **left))
    alerting = {rule.figure for rule in CLUSTER_RULES if "node" in rule.group_by}
    over = {each.name: each.gone for each in figures(seen) if each.label("node") == "c"}
    assert over.keys() >= alerting
    assert all(over.values())
    long_ago = view(node(A, "a"), node(C, "c", seen_ago_s=86_400.0, left_ago_s=4_000.0, **left))
    assert {each.label("node") for each in figures(long_ago)} == {"", "a"}
    assert of(long_ago, "cluster.nodes") == 1


def test_one_that_left_and_runs_has_figures_and_is_no_node_more():
    seen = view(node(A, "a"), node(C, "c", state=NodeState.LEFT, left_ago_s=9e6, handed_seq=10))
    assert of(seen, "node.left", "c") == 1
    assert of(seen, "node.left", "a") == 0
    assert of(seen, "node.behind", "c") == 990
    assert of(seen, "cluster.nodes") == 1


def test_since_when_nothing_is_known_of_a_node_is_said():
    seen = view(node(A, "a"), node(B, "b", seen_ago_s=60.0))
    unknown = {each.name: each for each in figures(seen) if each.value is None}
    assert unknown.keys() == {"node.behind", "node.behind_s", "node.clock_off_s"}
    assert {each.since_ms for each in unknown.values()} == {NOW_MS - 60_000}
    assert {each.cases for each in unknown.values()} == {0}, "nobody could know"


def test_after_the_database_was_away_it_is_not_known_who_is():
    seen = view(node(B, "b", seen_ago_s=60.0, handed_seq=10, handed_ago_s=60.0), reached_s=3.0)
    assert of(seen, "node.away", "b") is None


def test_who_leads_and_for_how_long():
    assert of(view(), "node.leads", "a") == 1
    assert of(view(), "node.leads", "b") == 0
    assert of(view(), "cluster.led_s") == 90
