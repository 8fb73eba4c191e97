"""What the doctor says of the database that nodes share, and of them."""

from __future__ import annotations

import msgspec
import pytest

from node_rows import NOW_MS, A, B, node, view
from switchhook.cluster.leaving import Standing
from switchhook.cluster.room import Room
from switchhook.cluster.view import Leader, NodeState
from switchhook.doctor.cluster import Server, judge_nodes, judge_own, judge_server, service_of
from switchhook.doctor.finding import Level

WELL = Server(
    version=180_006,
    hosts=3,
    standby_names="ANY 1 (db2, db3)",
    standbys=2,
    given_pid=7,
    pids=(7, 7, 7),
)


def found(**said):
    return {
        each.check.removeprefix("database: "): each
        for each in judge_server(msgspec.structs.replace(WELL, **said), 3)
    }


def test_one_that_is_well_has_nothing_to_mend():
    assert {each.level for each in found().values()} == {Level.OK}


@pytest.mark.parametrize(
    ("check", "level", "word", "said"),
    [
        ("version", Level.FAIL, "PostgreSQL 14", {"version": 140_010}),
        ("version", Level.WARN, "PostgreSQL 19", {"version": 190_000}),
        ("way to it", Level.FAIL, "standby", {"standby": True}),
        ("way to it", Level.FAIL, "target_session_attrs", {"attrs": "any"}),
        ("way to it", Level.WARN, "one host", {"hosts": 1}),
        ("way to it", Level.OK, "moves its address", {"hosts": 1, "managed": "Amazon RDS"}),
        ("commits", Level.FAIL, "fsync", {"fsync": False}),
        ("commits", Level.FAIL, "waits for no standby", {"commit": "local"}),
        ("commits", Level.FAIL, "loses its last", {"commit": "off"}),
        ("commits", Level.WARN, "no standby has to", {"standby_names": ""}),
        ("commits", Level.FAIL, "none is connected", {"standbys": 0}),
        ("commits", Level.WARN, "the last", {"standbys": 1}),
        ("commits", Level.WARN, "is *", {"standby_names": "*"}),
        ("commits", Level.UNCHECKED, "may not be seen", {"standbys": None}),
        ("commits", Level.OK, "by itself", {"standby_names": "", "managed": "Amazon Aurora"}),
        ("commits", Level.FAIL, "off", {"commit": "off", "managed": "Amazon RDS"}),
        ("waits", Level.FAIL, "2 sessions", {"waiting": 2, "longest_wait_s": 6.0}),
        ("waits", Level.OK, "no commit", {"waiting": 2, "longest_wait_s": 0.1}),
        ("pooler", Level.FAIL, "within one connection", {"pids": (7, 8, 7)}),
        ("pooler", Level.WARN, "in between", {"pids": (8, 8, 8)}),
        ("pooler", Level.UNCHECKED, "could not", {"pids": ()}),
        ("connections", Level.OK, "room for 97; 3 nodes may take 34", {}),
        ("connections", Level.WARN, "room for 30", {"room": Room(most=33)}),
        ("connections", Level.FAIL, "room for 22", {"room": Room(most=25)}),
        ("rights", Level.FAIL, "make tables", {"may_create": False}),
        ("rights", Level.FAIL, "own the tables", {"owns": False}),
        ("timeouts", Level.WARN, "30 s", {"statement_timeout_ms": 30_000}),
        ("disk", Level.FAIL, "gone (20 GB)", {"slots": (("gone", 20_000_000_000),)}),
        ("disk", Level.WARN, "without a bound", {"slots": (("gone", 5),)}),
        ("disk", Level.OK, "", {"slots": (("gone", 5),), "slots_bounded": True}),
    ],
)
def test_each_thing_is_judged_and_says_what_mends_it(check, level, word, said):
    finding = found(**said)[check]
    assert (finding.level, word in finding.said) == (level, True), finding
    assert bool(finding.todo) or level in (Level.OK, Level.UNCHECKED)


@pytest.mark.parametrize(
    ("settings", "aurora", "service"),
    [
        (["fsync", "work_mem"], False, ""),
        (["fsync", "rds.extensions"], False, "Amazon RDS"),
        (["fsync", "rds.extensions"], True, "Amazon Aurora"),
        (["cloudsql.iam_authentication"], False, "Google Cloud SQL"),
        (["cloudsql.iam_authentication", "alloydb.iam"], False, "Google AlloyDB"),
        (["azure.extensions"], False, "Azure Database for PostgreSQL"),
    ],
)
def test_services_are_recognised_by_their_settings(settings, aurora, service):
    assert service_of(settings, aurora=aurora) == service


def of_nodes(seen):
    return [(each.check.removeprefix("cluster: "), each.level) for each in judge_nodes(seen)]


def test_nodes_that_are_well():
    assert of_nodes(view()) == [
        ("leader", Level.OK),
        ("partitions", Level.OK),
        ("clocks", Level.OK),
    ]


def test_nodes_that_are_not():
    assert ("leader", Level.FAIL) in of_nodes(view(leader=Leader(1, A, NOW_MS, -1.0)))
    silent = view(node(A, "a", address=""), node(B, "b"))
    assert ("leader", Level.WARN) in of_nodes(silent)
    assert ("partitions", Level.FAIL) in of_nodes(view(days_ahead=1))
    assert ("partitions", Level.OK) in of_nodes(view(leader=None, led=(), days_ahead=-1))
    assert ("clocks", Level.WARN) in of_nodes(view(undated=3))
    off = of_nodes(view(node(A, "a"), node(B, "b", clock_ms=-5_000)))
    assert ("clocks", Level.WARN) in off
    assert ("clocks", Level.OK) not in off


def test_one_that_left_counts_while_it_runs():
    left = {"state": NodeState.LEFT, "left_ms": NOW_MS, "clock_ms": -5_000}
    seen = view(node(A, "a"), node(B, "b", **left))
    found = {each.check: each for each in judge_nodes(seen)}
    assert found["cluster: nodes"].level is Level.WARN
    assert found["cluster: nodes"].said == (
        "b still runs, and it left the cluster on 2026-11-18 11:06 UTC"
    )
    assert "switchhook cluster drain b --back" in found["cluster: nodes"].todo
    assert of_nodes(view(node(A, "a"), node(B, "b", seen_ago_s=60.0, **left))) == [
        ("leader", Level.OK),
        ("partitions", Level.OK),
        ("clocks", Level.OK),
    ]


def test_how_the_cluster_knows_this_machine():
    assert list(judge_own(Standing("a"), A)) == []
    (left,) = judge_own(Standing("a", NOW_MS), A)
    assert left.said == "it left the cluster on 2026-11-18 11:06 UTC"
    assert "switchhook cluster join" in left.todo
    (unknown,) = judge_own(Standing(known=False), B)
    assert unknown.said.startswith("the cluster does not know node 4,026,531,840: ")
    assert "switchhook cluster join" in unknown.todo
