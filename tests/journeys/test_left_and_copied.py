"""A node that left, and a machine on a copy of another's data folder: answered, kept, and said."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack, closing
from functools import partial

import pytest

import postgresql as database
from journeys.test_two_nodes import Cluster, Node
from patience import PATIENCE_S
from program import Program, command, http, until
from switchhook.journal import JournalReader
from switchhook.postgresql_server import connect

pytestmark = pytest.mark.process


@pytest.fixture
def cluster(tmp_path, postgresql):
    """Nodes one and two, of which one leads."""
    with ExitStack() as stack:
        schema = stack.enter_context(database.schema(postgresql))
        url = database.text_of(schema.set(drivername="postgresql"))
        beside = stack.enter_context(closing(connect(url)))
        cluster = Cluster([Node(tmp_path, name, url) for name in ("one", "two")], beside)
        stack.callback(cluster.stop)
        one, two = cluster.nodes
        one.start()
        until(cluster.leader, "a leader")
        two.start()
        one.token = two.token = one.command("tokens", "make", "robot").split()[-1]
        yield cluster


def problems(node):
    """What `/healthz` of its console says is wrong."""
    headers = {"Authorization": f"Bearer {node.token}"}
    reply = http(("127.0.0.1", node.port), b"/healthz", headers=headers)
    return " | ".join(json.loads(reply.body).get("problems", ()))


def left(node):
    """How node two stands, once the API of another says that it has left."""
    rows = (node.get("nodes") or {}).get("nodes", ())
    return next((row for row in rows if (row["name"], row["state"]) == ("two", "left")), None)


def test_a_node_leaves_says_so_while_it_runs_and_comes_back(cluster):
    one, two = cluster.nodes
    assert two.ask("before") == 200
    said = one.command("cluster", "leave", "two", "--reason", "its disk is old")
    assert said == "two has left, and may be stopped; its receipts stay\n"
    assert (one.ask("one-1"), two.ask("after")) == (200, 200)
    until(lambda: {"before", "after", "one-1"} <= one.calls().keys(), "receipts of both")
    until(lambda: "yet it left the cluster on 20" in problems(two), "that it says so")
    assert "yet it left the cluster on 20" in two.program.said
    assert cluster.leader() is one
    row = until(partial(left, one), "its page says so, too")
    assert (row["behind"], row["away"]) == (0, False)
    assert row["left_at"]
    nodes = command("cluster", "nodes", "--data", str(one.data), code=None)
    assert (nodes.code, "left, still runs" in nodes.out) == (1, True)

    two.program.stop()
    two.program = Program("serve", two.data, "--config", str(two.config), console_port=two.port)
    assert two.program.process.wait(PATIENCE_S) == 2
    refused = two.program.said
    assert "its node, two, left the cluster on 20" in refused
    assert "take it back: switchhook cluster join" in refused
    said = two.command("cluster", "join")
    assert said.endswith(" takes part again; if it does not run: switchhook serve\n")
    two.start()
    assert two.ask("back") == 200
    until(lambda: "back" in one.calls(), "what came to the one that is back")
    until(lambda: problems(two) == "", "that all is well again")


def test_a_machine_on_a_copy_of_a_data_folder_is_told_so_and_answers(cluster, tmp_path):
    one, two = cluster.nodes
    assert two.ask("before") == 200
    until(lambda: "before" in one.calls(), "its receipt")
    two.program.stop()
    copy = Node(tmp_path, "copy", two.config.read_text().split('database = "')[1].split('"')[0])
    cluster.nodes.append(copy)
    shutil.copytree(two.data, copy.data)
    two.start()
    copy.token = two.token
    copy.start()
    both = (two, copy)
    until(lambda: all("another machine runs as " in problems(each) for each in both), "both say so")
    assert two.ask("original") == 200
    until(lambda: "original" in one.calls(), "the receipt of the one that was there")
    assert copy.ask("copied") == 200  # callers are answered, whatever is wrong
    said = "its data folder is a copy of node "
    until(lambda: said in problems(copy), "what is wrong, at its console")
    until(
        lambda: any(said in each for each in copy.program.health()["problems"]),
        "the same at its public port",
    )
    assert "stop this machine, and start it with an empty data folder" in problems(copy)
    assert said not in problems(two)
    assert "copied" not in one.calls()
    with closing(JournalReader(copy.data / "journal")) as journal:
        assert any(b"copied" in each.body for each in journal.read(0, 1000))
