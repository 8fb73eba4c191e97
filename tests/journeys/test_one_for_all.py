"""What people do on one node holds on all: by a command, by a file edited in place, by an undo."""

from __future__ import annotations

import json
import tomllib
from contextlib import ExitStack, closing

import pytest

import postgresql as database
from journeys.test_two_nodes import RULES, Cluster, Node
from program import command, until
from switchhook.cluster.runs import differences, read_runs
from switchhook.overview.verdict_file import read_verdict
from switchhook.postgresql_server import connect

pytestmark = pytest.mark.process

ALL_TO_B = RULES.replace('option = "A"', 'option = "B"')
NOT_AT_ALL = ALL_TO_B.replace("switched off", "off for all")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgresql):
    folder = tmp_path_factory.mktemp("nodes")
    with ExitStack() as stack:
        schema = stack.enter_context(database.schema(postgresql))
        url = database.text_of(schema.set(drivername="postgresql"))
        beside = stack.enter_context(closing(connect(url)))
        cluster = Cluster([Node(folder, name, url) for name in ("one", "two")], beside)
        stack.callback(cluster.stop)
        for node in cluster.nodes:
            node.start()
        until(cluster.leader, "a leader")
        yield cluster


def url_of(node):
    url: str = tomllib.loads(node.config.read_text())["cluster"]["database"]
    return url


def answers(cluster):
    """What each node answers the next caller with."""
    for node in cluster.nodes:
        node.asked += 1
    return [node.ask(f"{node.name}{100 + node.asked}") for node in cluster.nodes]


def all_answer(cluster, status):
    return answers(cluster) == [status, status]


def texts_told(cluster):
    rows = cluster.database.execute(
        "SELECT body FROM cluster_told WHERE topic = 'runs/rules/default'"
    )
    return [json.loads(bytes(body)) for (body,) in rows]


def differ(cluster):
    rows = cluster.database.execute("SELECT name, runs FROM cluster_node").fetchall()
    return differences({name: read_runs(bytes(runs)) for name, runs in rows})


def test_what_is_done_on_one_node_holds_on_all(cluster):
    leader = until(cluster.leader, "a leader")
    other = cluster.other(leader)
    assert all_answer(cluster, 200)
    until(lambda: texts_told(cluster), "what runs is told to all")

    # Commands on the one say what the other's console says.
    until(lambda: read_verdict(leader.data), "the verdict")
    until(lambda: read_verdict(other.data), "the verdict on the other node")
    said = command("now", "--data", str(other.data), code=None)
    assert "failed, 15 min" in said.out
    assert "no console" not in said.out + said.err

    # A flag, by a command on the node that doesn't lead.
    other.command("flag", "set", "off", "true", "--reason", "it fails")
    until(lambda: all_answer(cluster, 302), "the flag on both")
    other.command("flag", "reset", "off", "--reason", "it works")
    until(lambda: all_answer(cluster, 200), "the flag's default on both")

    # A kill switch: an endpoint's callers to its safe option.
    other.command("route", "safe", "default", "--reason", "nobody knows")
    until(lambda: all_answer(cluster, 302), "the safe option on both")
    leader.command("route", "undo", "--reason", "now we know")
    until(lambda: all_answer(cluster, 200), "the rules on both")

    # A file that is edited in place runs on all, and is a release of its own.
    (other.config.parent / "rules.toml").write_text(ALL_TO_B)
    until(lambda: all_answer(cluster, 302), "the edited rules on both")
    (text,) = texts_told(cluster)
    assert text["by"] == f"changed file on {other.name}"

    def is_recorded():
        found = leader.command("release", "list", "--json")
        return f"changed file on {other.name}" in found

    until(is_recorded, "its release")

    # An undo on the other node goes back on both, and stays, whatever the file holds.
    leader.command("rules", "undo", "default")
    until(lambda: all_answer(cluster, 200), "the rules of before on both")

    # And so does a release from a file.
    release = other.config.parent / "release.toml"
    release.write_text(NOT_AT_ALL)
    other.command("release", "promote", str(release), "--of", "default", "--reason", "stop it")
    until(lambda: all_answer(cluster, 302), "the release on both")
    until(lambda: not differ(cluster), "that both run the same")


def test_who_joins_or_comes_back_with_old_files_answers_as_all_do_from_the_first(cluster):
    one = cluster.nodes[0]
    plain = one.config.parent / "plain.toml"
    plain.write_text(RULES.replace("switched off", "plain"))
    release = one.config.parent / "later.toml"
    release.write_text(NOT_AT_ALL.replace("off for all", "off again"))
    for file in (plain, release):
        one.command("release", "promote", str(file), "--of", "default", "--reason", "so")
    until(lambda: "off again" in texts_told(cluster)[0]["text"], "it is told to all")

    late = Node(one.config.parent.parent, "late", url_of(one))
    cluster.nodes.append(late)  # stopped with the others
    late.start()
    assert late.ask("late1") == 302
    late.program.stop()

    one.command("rules", "undo", "default")
    until(lambda: "off again" not in texts_told(cluster)[0]["text"], "the undo is told to all")
    late.start()
    assert late.ask("late2") == 200
