"""What is wrong with the cluster, in words, each with what to do."""

from __future__ import annotations

import pytest

from node_rows import NOW_MS, A, B, C, node, view
from switchhook.cluster.cluster_troubles import (
    cluster_troubles,
    is_away,
    is_behind,
    rules_differ,
)
from switchhook.cluster.runs import Runs, encoded
from switchhook.cluster.view import Conflict, ErasedAgain, Lead, NodeState
from switchhook.troubles.trouble import Level


def told(seen):
    found = list(cluster_troubles(seen))
    assert all(each.key and each.what.endswith(".") and each.todo for each in found)
    assert all(each.page == "/nodes" for each in found)
    return {each.key: each for each in found}


def test_of_nodes_that_are_well_nothing_is_told():
    assert told(view()) == {}


@pytest.mark.parametrize(
    ("said", "away"),
    [
        ({}, False),
        ({"seen_ago_s": 14.0}, False),
        ({"seen_ago_s": 15.0}, True),
        ({"seen_ago_s": 15.0, "state": NodeState.DRAINING}, False),
        ({"seen_ago_s": 15.0, "state": NodeState.DRAINING, "handed_seq": 999}, True),
        ({"seen_ago_s": 15.0, "state": NodeState.LEFT, "handed_seq": 999}, False),
    ],
)
def test_who_is_missed(said, away):
    one = node(A, "a", **said)
    assert is_away(view(one), one) is away
    assert is_away(view(one, reached_s=14.9), one) is (None if away else False)


def test_a_hand_over_that_the_database_held_up_is_not_late():
    late = node(B, "b", handed_seq=900, handed_ago_s=31.0)
    assert is_behind(view(late), late)
    assert is_behind(view(late, reached_s=29.0), late) is None
    assert told(view(late, reached_s=29.0)) == {}


def test_one_that_is_away_names_what_waits_on_it():
    found = told(view(node(A, "a"), node(B, "b", seen_ago_s=61.0, handed_seq=988)))
    assert list(found) == ["node.away:b"]
    assert "Node b was not heard of for 61 s" in found["node.away:b"].what
    assert "12 of its receipts" in found["node.away:b"].todo
    assert "switchhook cluster leave b" in found["node.away:b"].todo


def test_one_that_left_and_runs_says_how_to_end_that():
    left = {"state": NodeState.LEFT, "left_ms": NOW_MS - 60_000}
    found = told(view(node(A, "a"), node(B, "b", **left)))
    assert found.keys() == {"node.left:b"}
    assert (
        found["node.left:b"].what
    ) == "Node b still runs, and it left the cluster on 2026-11-18 11:05 UTC."
    assert "`switchhook cluster drain b --back`" in found["node.left:b"].todo
    late = node(B, "b", handed_seq=900, handed_ago_s=31.0, **left)
    assert told(view(node(A, "a"), late)).keys() == {"node.left:b", "node.behind_s:b"}


def test_of_one_that_left_and_does_not_run_nothing_is_told():
    gone = node(
        B, "b", state=NodeState.LEFT, seen_ago_s=61.0, handed_seq=1, clock_ms=9_999, left_ms=NOW_MS
    )
    assert told(view(node(A, "a"), gone, conflicts=(Conflict(B, 2, 4.0),))) == {}


def test_a_command_names_the_one_node_that_is_meant():
    twins = view(node(A, "a", seen_ago_s=61.0), node(B, "a"), node(C, "the third", seen_ago_s=61.0))
    todos = [each.todo for each in told(twins).values()]
    assert "`switchhook cluster leave 'node 11'`" in todos[0]
    assert "`switchhook cluster leave 'the third'`" in todos[1]
    assert any(each.what.startswith("Node a (node 11) was") for each in told(twins).values())


def test_a_late_hand_over_a_clock_and_a_clone():
    late = node(B, "b", handed_seq=900, handed_ago_s=31.0, clock_ms=86_400_000)
    found = told(view(node(A, "a"), late, conflicts=(Conflict(B, 2, 4.0),)))
    assert found.keys() == {"node.behind_s:b", "node.clock_off_s:b", "node.cloned:b"}
    assert "ahead of" in found["node.clock_off_s:b"].what
    assert found["node.cloned:b"].level is Level.BAD


def test_what_the_database_lacks():
    found = told(view(days_ahead=1, commits_waiting=3, longest_wait_s=12.0))
    assert found.keys() == {"cluster.days_ahead:", "cluster.commits_waiting_s:"}
    assert "only 1 day after today" in found["cluster.days_ahead:"].what
    assert (
        "3 commits in the database waited for a standby for 12 s"
        in found["cluster.commits_waiting_s:"].what
    )
    assert (
        "no table for the receipts of tomorrow"
        in told(view(days_ahead=-1))["cluster.days_ahead:"].what
    )


@pytest.mark.parametrize(
    ("count", "done", "said"),
    [
        (1, 0, "before an erasure; it is being done again."),
        (1, 1, "before an erasure; it is done again."),
        (3, 2, "before 3 erasures; they are being done again, 2 of them so far."),
        (3, 3, "before 3 erasures; they are done again."),
    ],
)
def test_that_the_database_was_restored_to_before_erasures(count, done, said):
    found = told(view(erased_again=ErasedAgain(count, done)))
    assert found["cluster.erased_again:"].what == f"The database was restored to {said}"


def test_between_the_first_join_and_the_first_start_one_thing_is_to_do():
    silent = node(A, "a", seen_ago_s=60.0, last_seq=0, handed_seq=0, handed_ago_s=None)
    found = told(view(silent, leader=None, led=(), days_ahead=-1))
    assert list(found) == ["cluster.not_begun:"]
    assert "switchhook serve" in found["cluster.not_begun:"].todo


def test_a_leader_that_changes_often():
    led = tuple(Lead(each, A, NOW_MS) for each in (9, 8, 7))
    assert "3 times in an hour" in told(view(led=led))["cluster.leader_changes:"].what
    assert told(view(led=led[:2])) == {}


def test_nodes_that_run_different_rules_are_named():
    one, other = encoded(Runs("c", {"sales": "aaaa"})), encoded(Runs("c", {"sales": "bbbb"}))
    seen = view(node(A, "a", runs=one), node(B, "b", runs=one), node(C, "c", runs=other))
    assert "sales" in told(seen)["cluster.rules_differ:"].what
    gone = node(C, "c", runs=other, seen_ago_s=60.0, state=NodeState.LEFT)
    assert rules_differ(view(node(A, "a", runs=one), gone)) == ()
    assert rules_differ(view(node(A, "a", runs=one), node(B, "b"))) == ()
