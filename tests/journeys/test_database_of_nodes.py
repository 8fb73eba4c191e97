"""Two nodes whose database gets another password, then has no room for their connections, and one
whose server freezes, on a server of their own: callers notice nothing, each goes on by itself."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

import postgresql as found
from journeys.test_two_nodes import Cluster, Node, health_of
from program import http, until
from switchhook.postgresql_server import connect

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server():
    with found.own_server() as url:
        if url is None:
            pytest.skip(found.NONE)
        yield url.set(drivername="postgresql")


@contextmanager
def two_nodes(folder, schema):
    """Both, on a schema of the server, whose user `node` is known by a password."""
    with ExitStack() as stack:
        beside = stack.enter_context(closing(connect(found.text_of(schema))))
        let_in_by_password(beside)
        name = schema.query["options"].partition("=")[2]
        beside.execute(f"ALTER SCHEMA {name} OWNER TO node".encode())
        url = found.text_of(schema.set(username="node", password="first"))
        cluster = Cluster([Node(folder, name, url) for name in ("one", "two")], beside)
        two = cluster.nodes[1]
        in_file = two.config.read_text().replace(f'database = "{url}"', 'database_file = "url"')
        two.config.write_text(in_file)
        (two.config.parent / "url").write_text(url)
        stack.callback(cluster.stop)
        for node in cluster.nodes:
            node.start()
        first = until(cluster.leader, "a leader")
        made = first.command("tokens", "make", "robot", "--scope", "release")
        for node in cluster.nodes:
            node.token = made.split()[-1]
        yield cluster


def let_in_by_password(beside):
    beside.execute("DROP ROLE IF EXISTS node")
    beside.execute("CREATE ROLE node LOGIN PASSWORD 'first'")
    (file,) = beside.execute("SHOW hba_file").fetchone()
    rule = "local all node scram-sha-256\n"
    known = Path(file).read_text()
    if not known.startswith(rule):
        Path(file).write_text(rule + known)
    beside.execute("SELECT pg_reload_conf()")


@pytest.fixture
def cluster(server, tmp_path):
    with found.schema(server) as schema, two_nodes(tmp_path, schema) as cluster:
        yield cluster
        cluster.stop()
        cluster.database.execute("REASSIGN OWNED BY node TO postgres")


def processes(cluster):
    return [node.program.children() for node in cluster.nodes]


def shows(cluster, calls):
    return all(calls <= node.calls().keys() for node in cluster.nodes)


def end_connections(cluster):
    cluster.database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'node'"
    )


def test_another_password_is_used_and_a_server_without_room_is_waited_for(cluster):
    """Nothing is started anew: receipts and pages go on."""
    for node in cluster.nodes:
        assert node.ask(f"{node.name}-before") == 200
    until(lambda: shows(cluster, {"one-before", "two-before"}), "what came before")
    before = processes(cluster)

    cluster.database.execute("ALTER ROLE node PASSWORD 'second'")
    end_connections(cluster)
    for node in cluster.nodes:
        assert node.ask(f"{node.name}-meanwhile") == 200
        until(partial(is_, node, "degraded"), "it to be noticed")
    one, two = (node.config for node in cluster.nodes)
    one.write_text(one.read_text().replace(":first@", ":second@"))
    file = two.parent / "url"
    file.write_text(file.read_text().replace(":first@", ":second@"))

    until(cluster.leader, "a leader again")
    came = {f"{name}-{when}" for name in ("one", "two") for when in ("before", "meanwhile")}
    until(lambda: shows(cluster, came), "what came meanwhile, on both")
    for node in cluster.nodes:
        until(partial(is_, node, "ok"), "all to be well")
        assert "takes a restart" not in node.program.said

    cluster.database.execute("ALTER ROLE node CONNECTION LIMIT 0")
    end_connections(cluster)
    no_room = "server has no connection left for this node"
    for node in cluster.nodes:
        assert node.ask(f"{node.name}-without") == 200
        until(partial(says, node, no_room), "its page to say so")
        until(partial(is_, node, "degraded"), "its health, too")
        until(partial(logs, node, no_room), "its log, too")
    cluster.database.execute("ALTER ROLE node CONNECTION LIMIT -1")
    until(lambda: shows(cluster, {"one-without", "two-without"}), "what came without a connection")
    for node in cluster.nodes:
        until(partial(is_, node, "ok"), "all to be well again")
    assert processes(cluster) == before


def server_processes(beside):
    """The server and all of its processes."""
    (folder,) = beside.execute("SHOW data_directory").fetchone()
    pid = int((Path(folder) / "postmaster.pid").read_text().split()[0])
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@contextmanager
def frozen(beside):
    """The whole server, as it is: its sockets take what comes, and nothing is answered."""
    pids = server_processes(beside)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def says(node, words):
    """Whether the first page of its console says this."""
    return words in http(("127.0.0.1", node.port), b"/").body.decode()


def logs(node, words):
    return words in node.program.said


def is_(node, status):
    return health_of(node)["status"] == status


def test_a_frozen_database_holds_up_no_caller_no_page_and_no_end(cluster):
    leader = until(cluster.leader, "a leader")
    other = cluster.other(leader)
    for node in cluster.nodes:
        assert node.ask(f"{node.name}-before") == 200
    until(lambda: shows(cluster, {"one-before", "two-before"}), "what came before")
    before = processes(cluster)

    with frozen(cluster.database):
        for node in cluster.nodes:
            assert node.ask(f"{node.name}-meanwhile") == 200
            until(partial(says, node, "answers nothing"), "its page to say so")
            until(partial(is_, node, "degraded"), "its health, too")
            until(partial(logs, node, "answered nothing since"), "its log, too")
            said = node.program.said
            assert "standby" not in said
            assert "clock" not in said
            assert "it is replaced" not in said
        assert processes(cluster) == before
        assert other.program.stop() == 0
        assert "does not end" not in other.program.said

    until(cluster.leader, "a leader again")
    other.start()
    came = {f"{name}-{when}" for name in ("one", "two") for when in ("before", "meanwhile")}
    until(lambda: shows(cluster, came), "what came meanwhile, on both")
    until(lambda: health_of(leader)["status"] == "ok", "all to be well")
    assert leader.program.children() == before[cluster.nodes.index(leader)]
    assert "clock" not in leader.program.said
    rows = cluster.database.execute("SELECT max(abs(clock_ms)) FROM cluster_node").fetchone()
    assert rows[0] < 2_000
