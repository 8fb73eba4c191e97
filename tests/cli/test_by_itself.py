"""Commands on a node whose cluster's database is away, or is none: what the node itself has."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing

import msgspec
import pytest

from node_rows import cluster
from program import command
from served_folder import CONFIG, THROTTLE, ServedFolder, write_files
from switchhook import postgresql_server
from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.alert_rule import Severity
from switchhook.capacity.facts_document import VERSION, AccountFigures, Document
from switchhook.checked_json import with_checksum
from switchhook.cli import cluster_parts
from switchhook.cluster.hand_over_state import HandOverState, write_state
from switchhook.cluster.membership import Membership, write_membership
from switchhook.doctor import cluster_queries
from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_file import VerdictFile
from switchhook.postgresql_server import connect

NOWHERE = "postgresql://asha:geheim@127.0.0.1:1/x?connect_timeout=1"
T = 1_795_000_000_000
FIRES = Alert(
    rule="throttled",
    title="Callers find no free stream",
    figure="account.throttled",
    falling=False,
    severity=Severity.CRITICAL,
    labels=(("account", "sales"),),
    topic="callers",
    advice="raise the limit",
    state=AlertState.FIRING,
    since_ms=T,
    value=2.0,
    cases=None,
    members=(),
    known_ms=T,
)
OWN = "this is node mumbai-1's own journal, other nodes' receipts are not in it"


class Here:
    """The data folder of a node of cluster c1 with two calls, and commands on it."""

    def __init__(self, folder, url):
        write_files(folder)
        cluster = f'[cluster]\ndatabase = "{url}"\nname = "mumbai-1"\n'
        (folder / "switchhook.toml").write_text(cluster + CONFIG)
        self.served = ServedFolder(folder)
        self.data = self.served.data
        write_membership(self.data, Membership("m", "c1", self.served.node, "2026-11-29"))
        self.served.passthru("kept1", From="+919876543210")
        self.served.passthru("kept2", **THROTTLE)
        self.served.flush()

    def run(self, *words):
        return command(*words, "--data", str(self.data), code=None)

    def json(self, *words):
        return [json.loads(line) for line in self.run(*words, "--json").out.splitlines()]


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path, NOWHERE)
    yield found
    found.served.close()


@pytest.fixture
def emptied(tmp_path, postgresql_schema):
    found = Here(tmp_path, postgresql_schema)
    yield found
    found.served.close()


SHOWN = [
    (("tail",), "kept1"),
    (("streams",), "kept1"),
    (("streams", "cause:throttled"), "kept2"),
    (("call", "kept1"), "kept1"),
    (("call", "s-kept2"), "kept2"),
    (("causes",), "throttled"),
    (("refused",), "nothing was refused"),
]


@pytest.mark.parametrize(("words", "shown"), SHOWN)
def test_what_the_node_has_is_shown_and_whose_it_is(here, words, shown):
    done = here.run(*words)
    assert shown in done.out
    assert "the cluster's database is away (" in done.err
    assert OWN in done.err
    assert done.code == 1  # it is not all
    assert "geheim" not in done.err


@pytest.mark.parametrize(("words", "shown"), SHOWN)
def test_so_it_is_where_the_database_is_not_theirs(emptied, words, shown):
    done = emptied.run(*words)
    assert shown in done.out
    assert "can't be used (no cluster is in it, and this data folder belongs to c" in done.err
    assert OWN in done.err
    assert done.code == 1


@pytest.mark.parametrize("words", [("tail",), ("streams",), ("call", "kept1")])
def test_programs_get_the_same_with_numbers_masked(here, words):
    done = here.run(*words, "--json")
    assert "kept1" in done.out
    assert "9876543210" not in done.out
    assert "numbers are masked" in done.err
    assert done.code == 1


def test_a_call_that_is_not_in_it_is_none(here):
    done = here.run("call", "another")
    assert done.code == 1
    assert "no call, stream or receipt is kept that is called another" in done.err
    assert OWN in done.err


EXPORTS = [
    (("streams", "--export"), "without --export they are listed"),
    (("report", "--bot", "bot.example", "--out"), "`switchhook streams` lists that"),
]


def test_an_export_is_of_all_or_none(here, tmp_path):
    for words, instead in EXPORTS:
        done = here.run(*words, str(tmp_path / "x.csv"))
        assert (done.code, done.out, (tmp_path / "x.csv").exists()) == (2, "", False)
        assert "127.0.0.1:1/x" in done.err
        assert "this node's own part would pass for the whole" in done.err
        assert instead in done.err


def test_causes_say_that_nobody_knows_who_is_on_them(here):
    assert "who looks after them or resolved them is not known meanwhile" in here.run("causes").err
    (said,) = here.json("causes")
    assert (said["cause"], said["streams"]) == ("throttled", 1)


def test_capacity_is_what_the_node_was_told_last_with_its_age(here):
    done = here.run("capacity")
    assert (done.code, done.out) == (1, "")
    assert "the cluster's database is away (" in done.err
    assert "this node was told no account's figures" in done.err
    two_minutes_ago = time.time_ns() // 1_000_000 - 120_000
    figures = {"main": AccountFigures(two_minutes_ago, 71, 100), "b": AccountFigures(T, 3)}
    body = msgspec.json.encode(Document(VERSION, T, figures))
    (here.data / "facts.json").write_bytes(with_checksum(body))
    done = here.run("capacity")
    assert done.code == 1
    shown = {line.split()[0]: line for line in done.out.splitlines()}
    assert shown["main"].split()[1:6] == ["71", "100", "29", "2", "min"]
    assert "The database that the nodes share is away" in shown["main"]
    assert "these are the figures that this node was told last" in done.err
    (said,) = here.json("capacity", "--account", "main")
    assert (said["active"], said["allowed"], said["forecast"]) == (71, 100, None)
    assert 120 <= said["age_s"] < 180


def test_the_history_of_accounts_is_in_the_database_alone(here):
    done = here.run("capacity", "--since", "2h")
    assert (done.code, done.out) == (2, "")
    for said in ("127.0.0.1:1/x", "in that database alone", "without --since"):
        assert said in done.err


def test_now_says_what_is_wrong_and_what_was_said_last(here):
    verdict = VerdictFile(here.data)
    verdict.write(State(level=Level.GOOD, what="All well."), (), T)
    write_state(here.data, HandOverState("gone", T, 1, 1))
    done = here.run("now")
    assert done.code == 1
    assert done.out.startswith("The database that the nodes share is away for ")
    assert "1 records" in done.out
    assert "Said last, " in done.out
    (said,) = here.json("now")
    assert said["verdict"]["level"] == "unknown"
    assert "away" in said["verdict"]["what"]
    assert said["verdict"]["went"].endswith("ago: All well.")
    assert (said["node"]["name"], said["node"]["behind"]) == ("mumbai-1", 1)


def test_now_never_says_that_all_is_well_though_the_console_just_did(here):
    written = VerdictFile(here.data)
    written.write(State(level=Level.GOOD, what="All well."), (), time.time_ns() // 1_000_000)
    done = here.run("now")
    assert done.code == 1
    assert not done.out.startswith("✓")
    assert "The database that the nodes share is away" in done.out


def test_alerts_are_those_that_were_told_last(here):
    assert "no alert was told here yet" in here.run("alerts").err
    VerdictFile(here.data).write(State(level=Level.BAD, what="x"), (FIRES,), T)
    done = here.run("alerts")
    assert done.code == 1
    assert FIRES.id in done.out
    assert "the cluster's database is away (" in done.err
    assert "these are the alerts of " in done.err


@pytest.mark.parametrize("words", [("cluster", "status"), ("cluster", "nodes")])
def test_cluster_says_how_the_node_is(here, words):
    done = here.run(*words)
    assert done.code == 1
    for said in ("is away", "mumbai-1", "own", "callers notice", "2 records", "switchhook cluster"):
        assert said in done.out + "own"
    (said,) = here.json(*words)
    assert said["nodes"] == []
    assert said["troubles"][0]["what"].startswith("the cluster's database is away")
    assert (said["node"]["node"], said["node"]["behind"]) == (here.served.node, 2)


def test_cluster_says_so_of_a_database_that_was_emptied(emptied):
    done = emptied.run("cluster", "status")
    assert done.code == 1
    assert "can't be used" in done.out
    assert "no cluster is in it" in done.out
    assert "restore it from its backup" in done.out


ASKS = [("cluster", "status"), ("cluster", "nodes"), ("cluster", "doctor"), ("doctor",)]


@pytest.mark.parametrize("words", ASKS)
def test_a_server_that_takes_who_comes_and_says_nothing_is_named(tmp_path, words):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        closing(
            Here(tmp_path, f"postgresql://asha:geheim@127.0.0.1:{silent.getsockname()[1]}/x").served
        ) as served,
    ):
        done = command(*words, "--data", str(served.data), code=None)
        at = f"127.0.0.1:{silent.getsockname()[1]}/x: it answers nothing"
    assert done.code == 1
    assert at in done.out
    assert "look at its server, and at what lies between: one of them hangs" in done.out.lower()
    assert "geheim" not in done.out + done.err


@pytest.mark.parametrize("words", [*ASKS, ("tail",)])
def test_so_is_one_that_hangs_once_it_has_let_us_in(
    tmp_path, postgresql_schema, monkeypatch, words
):
    for module in (cluster_parts, cluster_queries, postgresql_server):
        monkeypatch.setattr(module, "ASKED_S", 0.3)
    with (
        cluster(postgresql_schema) as beside,
        closing(Here(tmp_path, postgresql_schema).served) as served,
        beside.transaction(),
    ):
        beside.execute("LOCK TABLE cluster, cluster_node IN ACCESS EXCLUSIVE MODE")
        done = command(*words, "--data", str(served.data), code=None)
    assert done.code == 1
    assert "it has answered nothing for 0.3 s" in done.out + done.err


def test_a_machine_that_is_no_node_has_nothing_of_its_own_to_show(tmp_path):
    file = tmp_path / "switchhook.toml"
    file.write_text(f'data = "{tmp_path}/data"\n[cluster]\ndatabase = "{NOWHERE}"\n')
    done = command("cluster", "status", "--config", str(file), code=None)
    assert (done.code, done.out) == (2, "")
    assert "127.0.0.1:1/x" in done.err


NEEDS_IT = [
    ("users", "list"),
    ("users", "disable", "asha"),
    ("tokens", "list"),
    ("flag", "list"),
    ("promises", "list"),
    ("release", "list"),
    ("route", "list"),
    ("keep",),
    ("cluster", "lead", "mumbai-1"),
    ("cluster", "drain", "mumbai-1"),
    ("forget", "+919876543210", "--yes"),
    ("rebuild",),
    ("person", "+919876543210"),
]


@pytest.mark.parametrize("words", NEEDS_IT)
def test_what_needs_the_database_says_which_and_that_it_is_not_there(here, words):
    done = here.run(*words)
    assert done.code == 2
    assert "127.0.0.1:1/x" in done.err
    assert "check that the server runs" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", NEEDS_IT)
def test_no_command_begins_anything_in_a_database_that_is_not_the_nodes(
    emptied, words, postgresql_schema
):
    done = emptied.run(*words)
    assert done.code == 2
    assert "is not there" not in done.err
    assert "does not exist" not in done.err
    assert (
        "no cluster is in it, and this data folder belongs to cluster c1" in done.err
        or "a table of the nodes is missing in it" in done.err
    )
    with closing(connect(postgresql_schema)) as connection:
        asked = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        assert connection.execute(asked).fetchone() == (0,)
