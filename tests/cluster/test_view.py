"""The cluster as it is shown."""

from __future__ import annotations

import pytest

from node_rows import NOW_MS, A, B, C, node, view
from switchhook.cluster.view import Leader, NodeState, node_named, node_text
from switchhook.errors import NodeError


def test_what_is_not_handed_over_is_behind():
    assert (node(A, "a").behind, node(A, "a").behind_s) == (0, 0.0)
    late = node(A, "a", handed_seq=990, handed_ago_s=42.0)
    assert (late.behind, late.behind_s) == (10, 42.0)


def test_of_a_heartbeat_older_than_the_hand_over_nothing_is_behind():
    assert node(A, "a", last_seq=900, handed_seq=1_000).behind == 0


def test_one_that_never_handed_over_anything_waits_since_it_was_seen():
    assert node(A, "a", handed_seq=0, handed_ago_s=None, seen_ago_s=3.0).behind_s == 3.0


@pytest.mark.parametrize(
    ("said", "takes_part"),
    [
        ({}, True),
        ({"seen_ago_s": 10.0}, False),
        ({"state": NodeState.DRAINING}, False),
        ({"state": NodeState.LEFT}, False),
    ],
)
def test_who_takes_part(said, takes_part):
    assert node(A, "a", **said).takes_part is takes_part


@pytest.mark.parametrize(
    ("said", "gone", "runs_on"),
    [
        ({}, False, False),
        ({"seen_ago_s": 60.0}, False, False),
        ({"state": NodeState.LEFT}, False, True),
        ({"state": NodeState.LEFT, "seen_ago_s": 60.0}, True, False),
    ],
)
def test_one_that_left_counts_as_long_as_it_runs(said, gone, runs_on):
    seen = view(node(A, "a"), node(B, "b", **said))
    assert (seen.nodes[1].gone, seen.nodes[1].left_and_runs) == (gone, runs_on)
    assert [each.node for each in seen.here] == ([A] if gone else [A, B])
    assert [each.node for each in seen.gone] == ([B] if gone else [])


def test_nobody_leads_once_the_lease_is_over():
    assert view().leads.node == A
    assert view(leader=Leader(7, A, NOW_MS, -0.1)).leads is None
    assert view(leader=None).leads is None
    assert view(leader=Leader(7, 99, NOW_MS, 5.0)).leads is None


def test_nodes_of_one_name_are_told_apart():
    twins = view(node(A, "a"), node(B, "a"), node(C, "c"))
    assert [twins.label(each) for each in (A, B, C, 99)] == [
        "a (node 11)",
        "a (node 4,026,531,840)",
        "c",
        "node 99",
    ]
    assert [twins.typed(each) for each in (A, C, 99)] == ["'node 11'", "c", "'node 99'"]


def test_a_node_is_found_by_name_or_number():
    nodes = view().nodes
    for said in ("b", str(B), "4,026,531,840", "node 4,026,531,840", node_text(B)):
        assert node_named(nodes, said).node == B


def test_of_a_wrong_name_the_near_ones_are_named():
    nodes = (node(A, "mumbai-1"), node(B, "mumbai-2"), node(C, "chennai-1"))
    with pytest.raises(NodeError, match="did you mean mumbai-2 or mumbai-1"):
        node_named(nodes, "mumbai")
    with pytest.raises(NodeError, match="known: mumbai-1, mumbai-2, chennai-1"):
        node_named(nodes, "xyz")
    with pytest.raises(NodeError, match="known: none"):
        node_named((), "xyz")


def test_a_name_that_two_have_asks_for_the_number():
    with pytest.raises(NodeError, match="by its number: node 11, node 4,026,531,840"):
        node_named((node(A, "a"), node(B, "a")), "a")


def test_a_name_is_that_of_the_node_that_is_there():
    """Who replaced one that vanished has its name, and is meant."""
    nodes = node(A, "a", state=NodeState.LEFT), node(B, "a"), node(7, "b", state=NodeState.LEFT)
    assert node_named(nodes, "a").node == B
    assert node_named(nodes, str(A)).node == A
    assert node_named(nodes, "b").node == 7
