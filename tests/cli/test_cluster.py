"""`switchhook cluster …`, as people call it."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

import node_folders as folders
from kept_receipts import Kept, receipt
from node_rows import A, B, C, cluster, is_away, lead
from program import command
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.config.live import SettingsKeeper
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import read_identity


class Here:
    def __init__(self, folder, url, connection):
        self.folder, self.url, self.connection = folder, url, connection
        self.file = folder / "switchhook.toml"
        self.file.write_text(f'data = "{folder}/data"\n[cluster]\ndatabase = "{url}"\n')
        self.data = folder / "data"

    def run(self, *words):
        return command("cluster", *words, "--config", str(self.file), code=None)

    def json(self, *words):
        return [json.loads(line) for line in self.run(*words, "--json").out.splitlines()]

    def audit(self):
        with closing(open_ledger(self.url)) as ledger:
            return [each.what for each in LedgerAudit(ledger).oldest_first()]


@pytest.fixture
def here(tmp_path, postgresql_schema):
    with cluster(postgresql_schema, (A, "mumbai-1"), (B, "mumbai-2"), (C, "c"), leads=A) as found:
        yield Here(tmp_path, postgresql_schema, found)


def test_status_says_who_leads_and_what_is_wrong(here):
    done = here.run("status")
    assert done.code == 1  # no partitions yet
    assert "mumbai-1 leads since" in done.out
    assert "3 of 3 nodes are there" in done.out
    assert "no table for the receipts of tomorrow" in done.out
    (said,) = here.json("status")
    assert said["cluster"]["leader"]["name"] == "mumbai-1"
    assert said["troubles"][0]["todo"]


def test_without_a_leader_status_says_so(here):
    here.connection.execute("DELETE FROM cluster_lease")
    done = here.run("status")
    assert (done.code, "nobody leads" in done.out) == (1, True)


def test_nodes_lists_each_as_it_is(here):
    is_away(here.connection, B, 125)
    here.connection.execute(f"UPDATE cluster_node SET last_seq = 12 WHERE node = {C}")
    done = here.run("nodes")
    assert done.code == 1
    assert "leads" in done.out
    assert "away" in done.out
    assert "12 for" in done.out
    assert [each["name"] for each in here.json("nodes")] == ["c", "mumbai-1", "mumbai-2"]


def test_lead_waits_until_it_leads(here):
    done = here.run("lead", "mumbai-2", "--within", "0")
    assert (done.code, "does not lead yet" in done.out) == (1, True)
    lead(here.connection, C)
    here.connection.execute("UPDATE cluster_lease SET wanted = NULL")
    lead(here.connection, B)
    done = here.run("lead", "c", "--within", "0", "--reason", "a new disk")
    assert done.code == 1
    assert here.audit() == ["wanted a node as leader"] * 2


def test_a_wrong_name_names_the_near_ones(here):
    done = here.run("lead", "mumbay-1")
    assert done.code == 2
    assert "mumbai-1" in done.err


def test_drain_says_when_it_may_be_taken_away(here):
    done = here.run("drain", "mumbai-2", "--within", "10")
    assert (done.code, "may be taken away  yes" in done.out) == (0, True)
    here.connection.execute(f"UPDATE cluster_node SET last_seq = 9 WHERE node = {B}")
    done = here.run("drain", str(B), "--within", "0")
    assert done.code == 1
    assert "all but 9 records" in done.out
    assert here.run("drain", "mumbai-2", "--back").out == "mumbai-2 takes part again\n"
    assert here.audit() == ["drained a node", "took a node back"]


def test_one_that_was_stopped_leaves_at_once(here):
    is_away(here.connection, B)
    assert here.json("leave", "mumbai-2") == [{"said": "mumbai-2 has left; its receipts stay"}]
    assert here.run("leave", "mumbai-2").code == 2
    here.connection.execute("UPDATE cluster_node SET last_seq = 3 WHERE node = 33")
    is_away(here.connection, C)
    assert "start it until they are handed over" in here.run("leave", "c").err
    assert here.run("leave", "c", "--anyway").code == 0
    shown = here.run("nodes").out
    assert "mumbai-2 left on " in shown
    assert "nothing of it is kept" in shown
    assert "; 3 of its records never came" in shown
    table = shown.partition("\nc left on ")[0]
    assert table.count("\n") == 1  # its head, and the one that is there
    assert here.run("status").out.count("1 of 1 nodes are there; 0 records wait") == 1


def test_one_that_runs_is_drained_and_has_left_once_it_handed_over_all(here):
    here.connection.execute(f"UPDATE cluster_node SET last_seq = 9 WHERE node = {B}")
    done = here.run("leave", "mumbai-2", "--within", "0")
    assert done.code == 1
    assert done.out.startswith("mumbai-2 is drained, and has not left yet\n")
    assert "all but 9 records" in done.out
    (said,) = here.json("leave", "mumbai-2", "--within", "0")
    assert said == {"said": "mumbai-2 is drained, and has not left yet"}
    here.connection.execute(f"UPDATE cluster_node SET last_seq = 0 WHERE node = {B}")
    keeps_running(here, B)
    done = here.run("leave", "mumbai-2", "--within", "10")
    assert (done.code, done.out) == (
        0,
        "mumbai-2 has left, and may be stopped; its receipts stay\n",
    )
    assert here.audit() == ["drained a node", "had a node leave"]
    nodes = here.run("nodes")
    assert (nodes.code, "left, still runs" in nodes.out) == (1, True)
    assert "Node mumbai-2 still runs, and it left the cluster" in here.run("status").out
    assert here.run("drain", "mumbai-2", "--back").out == "mumbai-2 takes part again\n"


def keeps_running(here, node):
    """Its heartbeat, further than any wait of these tests."""
    ahead = "UPDATE cluster_node SET seen_at = clock_timestamp() + interval '1 minute'"
    here.connection.execute(f"{ahead} WHERE node = {node}".encode())


def test_doctor_says_of_each_thing_how_it_is(here):
    done = here.run("doctor")
    assert done.code == 1
    assert "PostgreSQL" in done.out
    assert "cluster: partitions" in done.out
    checks = {each["check"]: each for each in here.json("doctor")}
    assert checks["cluster: leader"]["level"] == "ok"


def test_on_one_machine_each_says_so(tmp_path):
    file = tmp_path / "switchhook.toml"
    file.write_text(f'data = "{tmp_path}/data"\n')
    for words in (("status",), ("nodes",), ("drain", "a"), ("doctor",)):
        done = command("cluster", *words, "--config", str(file), code=None)
        assert (done.code, "one machine" in done.err) == (2, True), words


def test_a_database_without_nodes_is_not_begun_by_looking(tmp_path, postgresql_schema):
    file = tmp_path / "switchhook.toml"
    file.write_text(f'[cluster]\ndatabase = "{postgresql_schema}"\n')
    done = command("cluster", "status", "--config", str(file), code=None)
    assert (done.code, "no node has joined it yet" in done.err) == (2, True)
    assert "switchhook cluster join" in done.err  # a machine with a ledger can't begin by serve


DEEDS = (
    ("cluster", "join"),
    ("cluster", "join", "--plan"),
    ("cluster", "lead", "mumbai-2"),
    ("cluster", "drain", "mumbai-2"),
    ("cluster", "drain", "mumbai-2", "--back"),
    ("cluster", "leave", "mumbai-2", "--anyway"),
    ("forget", "+919876543210", "--yes"),
    ("restore", "backup.tar.gz"),
    ("restore", "backup.tar.gz", "--ledger-only"),
    ("rebuild",),
    ("users", "delete", "asha"),
    ("tokens", "revoke", "1"),
    ("promises", "cancel", "--all", "--yes", "--reason", "x"),
    ("promises", "stop-dialling", "sales"),
)


def run_before(here):
    """A configuration that ran on the data folder, and whose file is refused since."""
    folders.with_ledger(here.data)
    SettingsKeeper(here.data, str(here.file), environ={}).start()
    here.file.write_text(here.file.read_text() + "nodes = 3\n[endpoints.a]\nbodies = 1\n")
    return sorted(each.name for each in here.data.rglob("*"))


@pytest.mark.parametrize("words", DEEDS)
def test_what_cant_be_undone_goes_by_no_other_configuration_than_is_named(here, words):
    before = run_before(here)
    done = command(*words, "--config", str(here.file), code=None)
    assert (done.code, done.out) == (2, "")
    first, *problems = done.err.splitlines()
    assert first.startswith("nothing was done, as no other configuration stands in")
    assert ["cluster: unknown key 'nodes'" in each for each in problems] == [False, True]
    assert "endpoints.a.bodies: it is not a table" in problems[0]
    assert sorted(each.name for each in here.data.rglob("*")) == before
    states = here.connection.execute("SELECT DISTINCT state FROM cluster_node").fetchall()
    assert states == [("active",)]


LOOKS = (("cluster", "nodes"), ("users", "list"), ("tokens", "list"), ("promises", "list"))


@pytest.mark.parametrize("words", LOOKS)
def test_what_only_looks_goes_by_the_one_that_ran_last_and_says_so_on_one_line(here, words):
    run_before(here)
    done = command(*words, "--config", str(here.file), code=None)
    assert done.code == 0
    said, *_ = done.err.splitlines()
    assert said.startswith("by the configuration that ran last, as ")
    assert "\\n" not in said
    assert "it is not a table" in said
    assert f"; {here.file}: cluster: unknown key 'nodes'" in said


def test_join_plans_and_joins(tmp_path, postgresql_schema):
    folder = folders.with_ledger(tmp_path / "data")
    with closing(Kept(folder / "journal", read_identity(folder).node)) as kept:
        kept.keep(receipt(), receipt())
    file = tmp_path / "switchhook.toml"
    file.write_text(f'data = "{folder}"\n[cluster]\ndatabase = "{postgresql_schema}"\n')
    words = ("cluster", "join", "--config", str(file))
    saved = command("backup", str(tmp_path / "a.tar.gz"), "--config", str(file))
    assert "back that up as well" not in saved.err
    plan = command(*words, "--plan")
    assert plan.code == 0
    assert "2 of users" in plan.out
    assert "2 records of the journal" in plan.out
    done = command(*words)
    assert (done.code, done.err) == (0, "")
    assert "copied and compared" in done.out
    assert "ledger-before-cluster-" in done.out
    saved = command("backup", str(tmp_path / "b.tar.gz"), "--config", str(file))
    assert "back that up as well" in saved.err  # the ledger is not in it any more
    again = json.loads(command(*words, "--json").out)
    assert (again["member"], again["rows_copied"]) == (True, 0)

    other = folders.with_ledger(tmp_path / "other")
    file.write_text(f'data = "{other}"\n[cluster]\ndatabase = "{postgresql_schema}"\n')
    plan = command(*words, "--plan", code=None)
    assert (plan.code, "can't be done" in plan.out) == (1, True)
    assert command(*words, code=None).code == 2
    behind = command(*words, "--plan", "--leave-ledger-behind")
    assert "would not be known any more" in behind.out
    assert "takes the cluster's key" in behind.out
    assert command(*words, "--leave-ledger-behind").code == 0
