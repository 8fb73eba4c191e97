"""The leader tells all nodes by the database: within a second, as old as it is, by its epoch."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial

import pytest

from program import until
from switchhook.capacity.facts_document import BUDGETS_LIVE_MS, AccountFigures, GoesBy
from switchhook.cluster import told
from switchhook.cluster.told_facts import ToldFacts
from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_file import VerdictFile, read_verdict
from switchhook.postgresql_server import Fence
from switchhook.routes.admission_worker import AdmissionWorker
from switchhook.routes.routes_file import RoutesFile, WrittenRoutes, read_routes
from switchhook.routes.view import RoutesView
from switchhook.rules.flags import FlagKind, FlagSetting
from switchhook.rules.rollout import Rollout
from switchhook.rules.routing import AdmissionBudget, HandAct, HandSetting, MemberFacts
from told_nodes import Cluster

HAND = HandSetting(id=3, act=HandAct.SAFE, endpoint="sales", by="asha")
FLAG = FlagSetting(flag="off", kind=FlagKind.BOOLEAN, value=True)
FAILS = State(level=Level.BAD, what="It fails.")
SHARE = Rollout(subject="rules/sales", number=4, hash="ab" * 32, share=500)


def now_ms():
    return time.time_ns() // 1_000_000


def mono_ms():
    return time.monotonic_ns() // 1_000_000


@pytest.fixture
def cluster(postgresql_schema, tmp_path):
    return Cluster(postgresql_schema, tmp_path)


def versions(cluster):
    with cluster.connection() as connection:
        return told.versions(connection)


def test_a_kill_switch_a_flag_and_a_share_reach_every_node(cluster):
    with cluster.relay(1), cluster.relay(2), cluster.facts() as facts:
        readers = [cluster.reader(1), cluster.reader(2)]
        until(lambda: reported(cluster) == 2, "the relays listen")
        for tell, is_there in (
            (lambda: facts.tell_hands([HAND], now_ms()), lambda r: r.hands == (HAND,)),
            (lambda: facts.tell_flags([FLAG], now_ms()), lambda r: r.flags == {"off": FLAG}),
            (
                lambda: facts.tell_rollouts([SHARE], now_ms(), mono_ms()),
                lambda r: r.rollouts == {"rules/sales": SHARE},
            ),
            (lambda: facts.tell_hands([], now_ms()), lambda r: r.hands == ()),
        ):
            tell()
            until(partial(all_see, readers, is_there), "it is there")


def all_see(readers, is_there):
    return all(is_there(each.look(now_ms(), mono_ms())[1]) for each in readers)


def reported(cluster):
    """How many nodes have read everything."""
    with cluster.connection() as connection:
        asked = "SELECT count(*) FROM cluster_node WHERE runs <> ''"
        return connection.execute(asked).fetchone()[0]


def acked(cluster):
    with cluster.connection() as connection:
        asked = "SELECT count(*) FROM cluster_node WHERE acked > 0"
        return connection.execute(asked).fetchone()[0]


def beat(cluster, last_seq):
    with cluster.connection() as connection:
        said = "UPDATE cluster_node SET seen_at = clock_timestamp(), last_seq = %s"
        connection.execute(said, (last_seq,))


def test_what_stays_the_same_is_not_written_again(cluster):
    with cluster.facts() as facts:
        facts.tell_hands([HAND], now_ms())
        facts.tell_flags([], now_ms())
        at = now_ms()
        facts.write({"main": AccountFigures(at, 71, 100)}, at)
        before = until(
            lambda: (found := versions(cluster)).get(told.ACCOUNTS) and found, "all is told"
        )
        facts.tell_hands([HAND], now_ms())
        facts.tell_flags([], now_ms())
        facts.write({"main": AccountFigures(at, 71, 100)}, at + 300)
        facts.tell_hands([], now_ms())  # what is due is written with it
        after = versions(cluster)
        assert {topic for topic in after if after[topic] != before[topic]} == {told.HANDS}


def test_each_node_has_its_own_budget_and_the_leader_knows_who_goes_by_it(cluster):
    with cluster.facts() as facts:
        with cluster.relay(1), cluster.relay(2):
            until(lambda: facts.nodes() or facts.tell_hands([], now_ms()), "nodes are seen")
            assert facts.nodes() == {1: (), 2: ()}
            told_ms = mono_ms()
            for node, room in ((1, 5), (2, 4)):
                facts.tell_budgets(node, {"main": AdmissionBudget(room)}, now_ms(), told_ms)
            until(lambda: acked(cluster) == 2, "both have it")
            assert facts.nodes() == {1: (), 2: ()}  # what their journals had before is not known
            told_of = {1: (GoesBy(0, told_ms, 7),), 2: (GoesBy(0, told_ms, 7),)}
            until(lambda: beat(cluster, last_seq=7) or facts.nodes() == told_of, "both go by it")
            beat(cluster, last_seq=9)
            facts.tell_hands([HAND], now_ms())
            assert facts.nodes() == told_of
            for node, room in ((1, 5), (2, 4)):
                found = cluster.reader(node).look(now_ms(), mono_ms())[1]
                assert found.budgets == {"main": AdmissionBudget(room)}
        with cluster.connection() as connection:
            connection.execute("UPDATE cluster_node SET state = 'left' WHERE node = 2")
        until(lambda: facts.nodes().keys() == {1}, "who has left is not there")


def test_who_is_not_heard_of_any_more_is_away(cluster):
    cluster.joins(1)
    with cluster.facts() as facts:
        facts.tell_hands([], now_ms())
        assert facts.nodes().keys() == {1}
        with cluster.connection() as connection:
            connection.execute("UPDATE cluster_node SET seen_at = seen_at - interval '4 s'")
        until(lambda: not facts.nodes(), "the node is away")


def test_budgets_die_by_their_age_whatever_held_up_who_tells_them(cluster):
    """A leader that was frozen tells what it had reckoned before: that is old on every node."""
    with cluster.relay(1), cluster.facts() as facts:
        old = mono_ms() - BUDGETS_LIVE_MS - 1
        budgets = {"main": AdmissionBudget(5)}
        facts.tell_budgets(1, budgets, now_ms() - BUDGETS_LIVE_MS - 1, old)
        facts.tell_members(1, {"p": {"m": MemberFacts(0.5)}}, now_ms(), mono_ms())
        reader = cluster.reader(1)
        found = until(
            lambda: (r := reader.look(now_ms(), mono_ms())[1]).members and r, "members are told"
        )
        assert not found.budgets
        assert reader.complaint is not None
        assert "was told 5 s ago" in reader.complaint


def test_who_leads_no_more_tells_nothing(cluster):
    with cluster.facts() as facts:
        facts.tell_hands([HAND], now_ms())
        with cluster.connection() as connection:
            connection.execute("UPDATE cluster_lease SET epoch = 2, node = 2")
        before = versions(cluster)
        with pytest.raises(OSError, match=r"leads no more \(epoch 1\)"):
            facts.tell_hands([], now_ms())
        assert versions(cluster) == before
    with cluster.facts(epoch=2) as facts:
        facts.tell_hands([], now_ms())
        assert versions(cluster) != before


def test_the_next_leader_knows_what_each_node_was_told(cluster):
    with cluster.facts() as facts:
        told_ms = mono_ms()
        facts.tell_budgets(1, {"main": AdmissionBudget(5, 12)}, now_ms(), told_ms)
        until(lambda: told.topic_of_node(1) in versions(cluster), "it is told")
    with cluster.facts() as facts:
        before = facts.before()
        assert before[1].budgets == {"main": AdmissionBudget(5, 12)}
        age_ms = mono_ms() - (before[1].budgets_told.mono_ms or 0)
        assert mono_ms() - told_ms <= age_ms + 20 < 30_000  # clocks are read one after the other
        facts.tell_members(1, {"p": {"m": MemberFacts(0.5)}}, now_ms(), mono_ms())
        assert facts.before()[1].budgets == {"main": AdmissionBudget(5, 12)}


def test_a_database_that_was_away_or_went_back_is_told_everything_anew(cluster):
    with cluster.facts() as facts:
        facts.tell_hands([HAND], now_ms())
        facts.tell_flags([FLAG], now_ms())
        with cluster.connection() as connection:
            connection.execute("DELETE FROM cluster_told")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        until(lambda: versions(cluster).keys() == {told.HANDS, told.FLAGS}, "all is told again")
        until(lambda: not facts.problem, "all is well")


def test_commands_on_every_node_show_what_the_leaders_console_says(cluster):
    """By their own node's clock, and not on the leader's own node, whose console writes it."""
    with cluster.relay(1), cluster.relay(2), cluster.facts(node=1) as facts:
        file = VerdictFile(cluster.folder(1), partial(facts.show, "verdict"))
        file.write(FAILS, [], now_ms())
        RoutesFile(cluster.folder(1), partial(facts.show, "routes")).write(
            WrittenRoutes(RoutesView(made_ms=now_ms()), (("sales", "a"),))
        )
        until(lambda: read_verdict(cluster.folder(2)), "the verdict on the other node")
        found = until(lambda: read_routes(cluster.folder(2)), "the pools on the other node")
        assert found.reached == (("sales", "a"),)
        assert abs(found.view.made_ms - now_ms()) < 30_000
        verdict = read_verdict(cluster.folder(2))
        assert verdict.state == FAILS
        assert verdict.fresh(now_ms())
        facts.show("verdict", b"{}")  # of another release
        facts.tell_hands([HAND], now_ms())
        until(lambda: cluster.reader(2).look(now_ms())[1].hands == (HAND,), "the rest goes on")
        assert read_verdict(cluster.folder(2)) == verdict


def test_whatever_fails_is_tried_again(cluster, caplog, monkeypatch):
    """No thread ends by it: nothing else would bring it back."""

    holds, times = Fence.hold, []

    def fail_once(self, connection):
        times.append(1)
        if len(times) == 1:
            raise ZeroDivisionError
        holds(self, connection)

    monkeypatch.setattr(Fence, "hold", fail_once)
    facts = ToldFacts(cluster.url, Fence(1))
    with closing(facts):
        with pytest.raises(OSError, match="telling them failed: ZeroDivisionError"):
            facts.tell_hands([HAND], now_ms())
        until(lambda: told.HANDS in versions(cluster), "it is told after all")
        until(lambda: not facts.problem, "all is well")
    assert "it is tried again" in caplog.text


def test_without_a_database_whoever_sets_something_is_told_why(tmp_path):
    facts = ToldFacts("postgresql://asha:geheim@127.0.0.1:1/x", Fence(1))
    with pytest.raises(OSError, match="refused") as refused:
        facts.tell_hands([HAND], now_ms())
    assert "geheim" not in str(refused.value)
    facts.close()


@pytest.mark.slow
def test_room_is_dealt_out_among_nodes_and_comes_back_from_one_that_is_away(cluster):
    """All the way: reckoned, told, read by each answer process, and known to be gone by."""

    def rooms():
        found = [cluster.reader(n).look(now_ms(), mono_ms())[1].budgets.get("main") for n in (1, 2)]
        return [None if each is None else each.room for each in found]

    with cluster.relay(1), cluster.facts(node=1) as facts:
        with cluster.relay(2):
            with cluster.connection() as connection:  # as their heartbeats would
                connection.execute("UPDATE cluster_node SET seen_at = seen_at + interval '1 h'")
            worker = AdmissionWorker(facts, node=1, now_ms=now_ms, mono_ms=mono_ms)
            worker.use({"main": {}})
            worker.polled("main", now_ms(), 0, 10)
            facts.before()
            worker.start()
            until(lambda: rooms() == [5, 5], "each has its part")
        with cluster.connection() as connection:
            connection.execute("UPDATE cluster_node SET seen_at = '2020-01-01' WHERE node = 2")
        until(lambda: rooms() == [10, None], "one that is away has nothing, and its part is back")
        worker.stop()
