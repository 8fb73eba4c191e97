"""What a node does whether it leads or not: it is seen, it contends, its parts run, it ends."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from node_rows import lead
from patience import PATIENCE_S
from program import until
from switchhook.cluster import tables
from switchhook.cluster.heartbeat import NodeNow
from switchhook.cluster.membership import Membership
from switchhook.postgresql_server import Connector, connect
from switchhook.server.node_side import NodeSide


class Part:
    def __init__(self, name, told):
        self.name, self._told = name, told

    def start(self):
        self._told.append(f"{self.name} starts")

    def stop(self):
        self._told.append(f"{self.name} stops")

    def problems(self):
        return [f"{self.name} has a problem"]


def look(problems):
    return NodeNow(name="one", address="", release="1", process="p", problems=problems)


MINE, COPY = (Membership(member, "c1", 7) for member in ("mine", "copy"))


@pytest.fixture
def database(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        tables.bring_up(connection)
        connection.execute(
            "INSERT INTO cluster_node (node, member, name, release) VALUES (7, 'mine', '', '1')"
        )
        yield connection


def test_it_is_seen_leads_and_runs_its_parts(database, postgresql_schema):
    told, turned = [], threading.Event()
    parts = [Part("first", told), Part("second", told)]
    side = NodeSide(Connector(postgresql_schema), MINE, "one", look, parts, turned.set)
    side.start()
    try:
        until(lambda: side.lease.held, "the lease")
        assert turned.wait(PATIENCE_S)
        said = database.execute("SELECT name, problems FROM cluster_node").fetchone()
        assert said == ("one", ["first has a problem", "second has a problem"])
        assert side.away is None
    finally:
        side.lease.give_up()
        side.stop()
    assert told == ["first starts", "second starts", "first stops", "second stops"]


def test_a_folder_that_the_cluster_does_not_know_never_leads(database, postgresql_schema, caplog):
    """It knows who leads all the same, and says how it is taken back."""
    database.execute("INSERT INTO cluster_node (node, name, release) VALUES (8, 'eight', '1')")
    lead(database, 8)
    turns = []
    copy = Membership("copy", "c1", 7)
    side = NodeSide(Connector(postgresql_schema), copy, "one", look, [], lambda: turns.append(1))
    side.start()
    try:
        until(lambda: side.lease.leader, "who leads")
        assert side.lease.leader.name == "eight"
        database.execute("UPDATE cluster_lease SET expires_at = clock_timestamp()")
        seen = len(turns)
        until(lambda: len(turns) > seen + 2, "turns of the lease")
        assert side.lease.held is None
        assert side.away is None
        (said,) = side.problems()
    finally:
        side.stop()
    assert database.execute("SELECT epoch, node FROM cluster_lease").fetchone() == (1, 8)
    assert said.startswith("the cluster does not know one (node 7): ")
    assert "switchhook cluster join" in said
    assert caplog.text.count("does not know one") == 1


def test_one_that_left_says_so_never_leads_and_takes_part_again(
    database, postgresql_schema, caplog
):
    database.execute("UPDATE cluster_node SET state = 'left', left_at = '2026-11-29 10:00Z'")
    turns = []
    side = NodeSide(
        Connector(postgresql_schema),
        Membership("mine", "c1", 7),
        "one",
        look,
        [],
        lambda: turns.append(1),
    )
    side.start()
    try:
        until(lambda: len(turns) > 2, "turns of the lease")
        assert side.lease.held is None
        (said,) = side.problems()
        told = "SELECT problems FROM cluster_node"
        until(lambda: database.execute(told).fetchone() == ([said],), "that others are told")
        database.execute("UPDATE cluster_node SET state = 'active', left_at = NULL")
        until(lambda: side.lease.held, "the lease")
        until(lambda: not side.problems(), "the end of it")
    finally:
        side.lease.give_up()
        side.stop()
    assert said.startswith(
        "this node answers callers, yet it left the cluster on 2026-11-29 10:00 UTC"
    )
    assert caplog.text.count("yet it left the cluster") == 1


def test_while_the_database_is_away_it_tries_again_and_says_so(caplog):
    turns = []
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    side = NodeSide(Connector(url), MINE, "one", look, [], lambda: turns.append(1))
    side.start()
    try:
        until(lambda: len(turns) > 1, "two turns of the lease")
        assert side.lease.held is None
        assert side.away is not None
    finally:
        side.stop()
    assert caplog.text.count("can't lead") == 1
