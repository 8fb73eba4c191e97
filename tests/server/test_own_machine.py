"""How a console sees its own machine, and what a leader makes of what all nodes tell of theirs."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from node_rows import NOW_MS, A, B, C, cluster, node, view
from program import until
from switchhook.alerts.alert import Alert, AlertState, evaluate
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.checked_json import Damage
from switchhook.cluster.heartbeat import Heartbeat, NodeNow
from switchhook.cluster.view import NodeState
from switchhook.cluster.view_queries import read_view
from switchhook.overview.health_metrics import AnswerHealth
from switchhook.overview.machine_metrics import SeenMachine, machine_figures
from switchhook.server.own_files import OwnFiles
from switchhook.server.own_machine import MachineWatch, OwnMachine, machines_of
from switchhook.system.data_folder import DataFolder
from switchhook.system.machine import Machine


@pytest.fixture
def held(tmp_path):
    with DataFolder.open(tmp_path / "data", "console") as folder:
        yield folder


def machine(held, answer=None, refused=(), damage=()):
    settings: Any = SimpleNamespace(refused=refused, damage=damage)
    return OwnMachine(held, OwnFiles(held), lambda: settings, lambda: answer)


def test_it_looks_at_disk_files_and_answer_side(held):
    answer = AnswerHealth(NOW_MS, answers=True, waiting=True)
    refused, damage = ["rules/sales: no such name", "another"], [Damage("it is damaged", "mend it")]
    found = machine(held, answer, refused, damage).look(NOW_MS)
    assert found.free_share is not None
    assert 0 < found.free_share < 1
    assert (found.refused, found.refusal) == (2, "rules/sales: no such name")
    assert (found.damaged, found.damage, found.mend) == (1, "it is damaged", "mend it")
    assert (found.asked, found.answers, found.waiting) == (True, True, True)


def test_our_own_files_count_with_the_operators(held):
    (held.path / "erasures.json").write_bytes(b"{")
    own = machine(held, damage=[Damage("theirs", "mend it")])
    own.files.look()
    assert own.look(NOW_MS).damaged == 2


@pytest.mark.parametrize(("theirs", "damaged"), [([], None), ([Damage("it is", "mend it")], 1)])
def test_before_our_own_files_were_looked_at_only_damage_that_is_known_counts(
    held, theirs, damaged
):
    (held.path / "erasures.json").write_bytes(b"{")
    assert machine(held, damage=theirs).look(NOW_MS).damaged == damaged


def test_where_nobody_asks_the_answer_side_is_no_matter(held):
    found = machine(held).look(NOW_MS)
    assert (found.asked, found.answers, found.refusal) == (False, None, "")


def test_alone_it_is_the_only_one(held):
    own = machine(held)
    assert own.alone(NOW_MS) == (SeenMachine(machine=own.look(NOW_MS), at_ms=NOW_MS),)


def test_a_node_keeps_looking_and_says_how_old_it_is(held):
    (held.path / "erasures.json").write_bytes(b"{")
    watch = MachineWatch(machine(held))
    assert watch.now().free_share is None
    watch.start()
    try:
        until(lambda: watch.now().damaged, "the damage")
    finally:
        watch.stop()
    assert watch.now().free_share is not None
    assert 0 <= watch.now().looked_ago_s < watch.now().looked_ago_s
    assert watch.problems() == ()


OF_FILES = [
    msgspec.structs.replace(rule, for_s=0)
    for rule in DEFAULTS
    if rule.name in {"files-damaged", "rules-refused"}
]


def test_a_node_that_starts_ends_no_alert_before_it_has_looked(held, postgresql_schema):
    """Its first heartbeats may come before that, whoever leads and hears of them."""
    (held.path / "erasures.json").write_bytes(b"{")
    watches = [MachineWatch(machine(held, refused=["rules/sales: no such name"])) for _ in "ab"]
    open_alerts: dict[str, Alert] = {}

    def changes(watch):
        """What the leader makes of a heartbeat."""
        now = NodeNow(name="a", address="", release="1", process="p", machine=watch.now())
        with closing(Heartbeat(postgresql_schema, A, "mine", lambda: now)) as heart:
            heart.beat()
        seen = machine_figures(lambda _now_ms: machines_of(read_view(connection, NOW_MS)))
        return evaluate(OF_FILES, tuple(seen(NOW_MS)), open_alerts, NOW_MS)

    with cluster(postgresql_schema, (A, "a")) as connection:
        connection.execute("UPDATE cluster_node SET member = 'mine'")
        assert changes(watches[0]) == ()
        watches[0].start()
        until(lambda: watches[0].now().damaged, "the damage")
        watches[0].stop()
        open_alerts |= {each.key: each for each in changes(watches[0])}
        assert {each.state for each in open_alerts.values()} == {AlertState.FIRING}
        assert {each.rule for each in open_alerts.values()} == {each.name for each in OF_FILES}
        assert changes(watches[1]) == ()


FULL = Machine(free_share=0.0, looked_ago_s=1.0)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"seen_ago_s": 0.5}, {"at_ms": NOW_MS - 1_500}),
        ({"seen_ago_s": 60.0}, {"at_ms": NOW_MS, "away_since_ms": NOW_MS - 60_000}),
        ({"seen_ago_s": 60.0, "state": NodeState.LEFT}, {"at_ms": NOW_MS, "gone": True}),
        ({"seen_ago_s": 0.5, "state": NodeState.DRAINING}, {"at_ms": NOW_MS - 1_500}),
        ({"seen_ago_s": 0.5, "state": NodeState.LEFT}, {"at_ms": NOW_MS - 1_500}),
    ],
)
def test_a_leader_sees_each_as_it_told_of_itself(said, seen):
    first, second = machines_of(view(node(A, "a"), node(B, "b", machine=FULL, **said)))
    assert first.machine == Machine()
    assert second == SeenMachine(machine=FULL, node="b", **seen)


def test_two_of_one_name_are_told_apart():
    found = machines_of(view(node(B, "b"), node(C, "b")))
    assert len({each.node for each in found}) == 2


def test_one_that_left_long_ago_is_none_any_more():
    left = node(B, "b", state=NodeState.LEFT, seen_ago_s=9_000.0, left_ago_s=8_000.0)
    assert [each.node for each in machines_of(view(node(A, "a"), left))] == ["a"]
