"""Each node has what all are told, however it comes to know that there is something new."""

from __future__ import annotations

import time
from contextlib import closing

import psycopg
import pytest

from patience import PATIENCE_S
from program import until
from switchhook.capacity.facts_file import FactsFile
from switchhook.cluster import told
from switchhook.cluster.runs import Runs, read_runs
from switchhook.cluster.told_relay import ToldRelay
from switchhook.errors import DataFolderError
from switchhook.postgresql_server import connect
from switchhook.rules.routing import HandAct, HandSetting
from switchhook.system.data_folder import boot_id
from told_nodes import Cluster

HAND = HandSetting(id=3, act=HandAct.SAFE, endpoint="sales", by="asha")


def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture
def cluster(postgresql_schema, tmp_path):
    return Cluster(postgresql_schema, tmp_path)


def nowhere(name, body, at_ms):
    """Nobody looks at what the leader's console says."""


def hands_at(cluster, node):
    return cluster.reader(node).look(now_ms())[1].hands


def tell(cluster, topic, body):
    """Tell a topic, and notify nobody."""
    with cluster.connection() as connection:
        told.tell(connection, {topic: body}, 1)


def row_of(cluster, node):
    with cluster.connection() as connection:
        asked = "SELECT told_version, acked, runs FROM cluster_node WHERE node = %s"
        found = connection.execute(asked, (node,)).fetchone()
        assert found is not None
        return found


def test_what_nobody_notified_of_is_there_all_the_same(cluster):
    with cluster.relay(1), cluster.relay(2):
        until(lambda: all(row_of(cluster, node)[2] for node in (1, 2)), "both have read all")
        tell(cluster, told.HANDS, told.encode((HAND,)))
        until(lambda: all(hands_at(cluster, node) == (HAND,) for node in (1, 2)), "it is there")


def test_of_two_that_were_written_at_once_none_is_missed(cluster):
    """The one whose transaction ends later has the smaller version."""
    other = psycopg.connect(cluster.url)
    with closing(other), cluster.relay(1):
        other.execute(told.TELL, (told.HANDS, 1, told.encode((HAND,))))
        tell(cluster, told.FLAGS, told.encode(()))
        until(lambda: row_of(cluster, 1)[0] > 0, "the flags are there")
        other.commit()
        until(lambda: hands_at(cluster, 1) == (HAND,), "the hand is there")


def test_a_new_connection_reads_everything(cluster):
    with cluster.relay(1) as relay:
        tell(cluster, told.HANDS, told.encode((HAND,)))
        until(lambda: hands_at(cluster, 1) == (HAND,), "the hand is there")
        version = row_of(cluster, 1)[0]
        with cluster.connection() as connection:
            # As after a fail-over that lost what was told last: the same version, another content.
            connection.execute("UPDATE cluster_told SET body = '[]'")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        until(lambda: hands_at(cluster, 1) == (), "it has what there is")
        assert row_of(cluster, 1)[0] == version
        until(lambda: not relay.problems(), "all is well")


def test_while_the_database_is_away_what_was_set_holds(tmp_path):
    FactsFile(tmp_path).tell_hands([HAND], now_ms())
    rules = Settled()
    relay = ToldRelay("postgresql://asha@127.0.0.1:1/x", 1, FactsFile(tmp_path), rules, nowhere)
    relay.start()
    said = until(relay.problems, "it says so")
    relay.stop()
    assert said[0].startswith("what all nodes are told can't be read: connection failed")
    assert not rules.seen


def test_each_node_reports_what_it_has_and_runs(cluster):
    with cluster.relay(1):
        tell(cluster, told.topic_of_node(2), b"{}")
        tell(cluster, told.topic_of_node(1), b"{}")
        with cluster.connection() as connection:
            there = told.versions(connection)
        ours = there[told.topic_of_node(1)]
        until(lambda: row_of(cluster, 1)[:2] == (ours, ours), "it has what it alone is told")
        runs = read_runs(bytes(row_of(cluster, 1)[2]))
        assert runs is not None
        assert runs.rules == {}
        assert runs.config


def test_what_this_release_cannot_read_is_named_and_the_rest_goes_on(cluster):
    with cluster.relay(1) as relay:
        tell(cluster, told.FLAGS, b'{"of": "another release"}')
        tell(cluster, told.HANDS, told.encode((HAND,)))
        until(lambda: hands_at(cluster, 1) == (HAND,), "the hand is there")
        (said,) = until(relay.problems, "it is named")
        assert said.startswith("what all nodes are told of flags is of another release")


class Settled:
    """Remembers what was to be settled."""

    problems = ()

    def __init__(self, error=None):
        self.seen, self._error = [], error

    def settle(self, rows, offer):
        self.seen.append({topic: row.body for topic, row in rows.items()})
        if self._error is not None:
            raise self._error

    def runs(self):
        return Runs()


def test_a_file_that_cannot_be_written_is_written_later(cluster, tmp_path):
    cluster.joins(1)
    tell(cluster, told.HANDS, told.encode((HAND,)))
    facts = FactsFile(tmp_path / "later")
    relay = ToldRelay(cluster.url, 1, facts, Settled(), nowhere)
    relay.turn()
    assert relay.problems() == (
        "this node's answer side can't be told what holds: no such file or directory",
    )
    (tmp_path / "later").mkdir()
    relay.turn()
    assert relay.problems() == ()
    assert facts.path.exists()
    relay.stop()


def test_a_folder_that_takes_no_rules_keeps_no_hand_from_coming(cluster, tmp_path):
    cluster.joins(1)
    tell(cluster, told.HANDS, told.encode((HAND,)))
    rules = Settled(DataFolderError("x", "it is full", "make room"))
    relay = ToldRelay(cluster.url, 1, FactsFile(tmp_path), rules, nowhere)
    relay.turn()
    relay.stop()
    assert (tmp_path / "facts.json").exists()
    (said,) = relay.problems()
    assert "it is full" in said


def test_of_two_who_offer_at_once_one_is_taken(cluster, tmp_path):
    cluster.joins(1)
    topic = told.topic_of_text("rules/sales")
    tell(cluster, topic, b"first")
    taken = []

    class Offers(Settled):
        def settle(self, rows, offer):
            row = rows[topic]
            taken.append(offer(topic, row.version, b"ours"))
            taken.append(offer(topic, row.version, b"theirs"))

    relay = ToldRelay(cluster.url, 1, FactsFile(tmp_path), Offers(), nowhere)
    relay.turn()
    relay.stop()
    with closing(connect(cluster.url)) as connection:
        assert told.rows(connection, [topic])[topic].body == b"ours"
    assert taken == [True, False]


def test_once_brings_what_is_told_and_offers_nothing(cluster):
    cluster.joins(1)
    tell(cluster, told.HANDS, told.encode((HAND,)))
    offered = []

    class Offers(Settled):
        def settle(self, rows, offer):
            super().settle(rows, offer)
            offered.append(offer("runs/rules/sales", 1, b"ours"))

    rules = Offers()
    relay = ToldRelay(cluster.url, 1, FactsFile(cluster.folder(1), boot_id()), rules, nowhere)
    assert relay.once(PATIENCE_S)
    assert relay.problems() == ()
    assert hands_at(cluster, 1) == (HAND,)
    assert (len(rules.seen), offered) == (1, [False])


def test_once_goes_on_with_what_it_has_where_the_database_is_away(tmp_path):
    FactsFile(tmp_path).tell_hands([HAND], now_ms())
    before, rules = (tmp_path / "facts.json").read_bytes(), Settled()
    relay = ToldRelay("postgresql://asha@127.0.0.1:1/x", 1, FactsFile(tmp_path), rules, nowhere)
    assert not relay.once(PATIENCE_S)
    (said,) = relay.problems()
    assert said.startswith("what all nodes are told can't be read: connection failed")
    assert ((tmp_path / "facts.json").read_bytes(), rules.seen) == (before, [])


def test_once_waits_no_longer_than_its_limit_and_then_brings_nothing(cluster, tmp_path):
    """Something holds the table for ever, as a restore does."""
    cluster.joins(1)
    tell(cluster, told.HANDS, told.encode((HAND,)))
    rules = Settled()
    relay = ToldRelay(cluster.url, 1, FactsFile(tmp_path), rules, nowhere)
    with cluster.connection() as connection, connection.transaction():
        connection.execute("LOCK TABLE cluster_told")
        assert not relay.once(0.2)
    assert relay.problems() == (
        "what all nodes are told can't be read: the database did not answer within 0.2 s",
    )
    assert rules.seen == []
    assert not (tmp_path / "facts.json").exists()
