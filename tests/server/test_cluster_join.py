"""A single machine's data folder, taken along into a cluster."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import node_folders as folders
from kept_receipts import Kept, receipt
from node_rows import is_away
from postgresql import role
from switchhook.access import audit_ledger
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Role
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.cluster import taking_along
from switchhook.cluster.acts import NodeActs
from switchhook.cluster.joining import join_if_needed
from switchhook.cluster.membership import read_membership
from switchhook.cluster.settings import ClusterSettings
from switchhook.errors import ClusterError, ConfigError, DataFolderError
from switchhook.postgresql_server import connect
from switchhook.server import cluster_join
from switchhook.server.cluster_join import ASIDE, join, plan_join
from switchhook.server.tables import TOPICS, open_ledger
from switchhook.system.data_folder import DataFolder, adopt_identity, read_identity


def deed(what, said):
    return folders.deed(what, details=dict(said))


def run(url, folder, *, behind=False, name="node-a"):
    return join(
        folders.settings(url, name),
        folder,
        behind=behind,
        release="1.0",
        deed=deed,
        now_us=folders.NOW_US,
    )


@pytest.fixture
def machine(tmp_path):
    """A machine that ran alone: users, an audit log, three receipts."""
    folder = folders.with_ledger(tmp_path / "a")
    with closing(Kept(folder / "journal", read_identity(folder).node)) as kept:
        kept.keep(receipt(), receipt(), receipt())
    (folder / "store").mkdir()
    return folder


def all_rows(ledger):
    with ledger.reading() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(table.select())), key=repr)
            for table in ledger.tables
        }


def test_every_row_arrives_and_numbers_go_on(machine, postgresql_schema):
    with closing(open_ledger(machine / "ledger")) as ledger:
        before = all_rows(ledger)
    done = run(postgresql_schema, machine)

    with closing(open_ledger(postgresql_schema)) as ledger:
        after = all_rows(ledger)
        audit = LedgerAccess(ledger).audit
        said = [each.what for each in audit.oldest_first()]
        assert said[-1] == "took the ledger along into the cluster"
        newest = len(before["audit"])
        assert after["audit"][:newest] == before["audit"]
        assert (audit.head().newest_seq, done.copied.entries) == (newest + 1, newest + 1)
        for name in before.keys() - {"audit", "audit_base"}:
            assert after[name] == before[name], name
        users = LedgerAccess(ledger).users
        added = users.add("bina", Role.VIEWER, deed("added a user", {}), folders.NOW_US)
        assert added.id > max(row[0] for row in before["users"])
        with ledger.reading() as connection:
            assert not audit_ledger.verified(connection).problem


def test_its_journal_keeps_its_numbers_as_places(machine, postgresql_schema):
    node = read_identity(machine).node
    done = run(postgresql_schema, machine)
    with closing(connect(postgresql_schema)) as connection:
        assert connection.execute("SELECT base_node, base_seq FROM cluster").fetchall() == [
            (node, 3)
        ]
        assert connection.execute("SELECT node, last_seq FROM cluster_node").fetchall() == [
            (node, 3)
        ]
    assert (done.node, read_identity(machine).node) == (node, node)
    assert read_membership(machine).is_member


def test_the_file_is_kept_aside_and_the_store_is_gone(machine, postgresql_schema):
    done = run(postgresql_schema, machine)
    assert not (machine / "ledger").exists()
    assert not (machine / "ledger.json").exists()
    assert not (machine / "store").exists()
    assert [str(each) for each in cluster_join.ledgers_aside(machine)] == [done.aside]
    with closing(open_ledger(machine / done.aside)) as ledger:
        assert LedgerAccess(ledger).users.named("asha") is not None


def test_the_way_back_is_the_one_of_the_documentation(machine, postgresql_schema):
    aside = Path(run(postgresql_schema, machine).aside)
    (aside / "ledger.json").rename(machine / "ledger.json")
    aside.rename(machine / "ledger")
    (machine / "cluster.json").unlink()
    assert join_if_needed(ClusterSettings(), machine, "1.0") is None
    with closing(open_ledger(machine / "ledger")) as ledger:
        assert LedgerAccess(ledger).users.named("asha") is not None


def test_the_plan_changes_nothing(machine, postgresql_schema):
    before = {each.relative_to(machine) for each in machine.rglob("*")}
    plan = plan_join(folders.settings(postgresql_schema), machine, behind=False)
    assert (plan.along, plan.records, plan.refused, plan.runs) == (True, 3, (), "")
    assert plan.rows["users"] == 2
    assert {each.relative_to(machine) for each in machine.rglob("*")} == before
    with closing(connect(postgresql_schema)) as connection:
        assert connection.execute("SELECT to_regclass('cluster')").fetchone() == (None,)


def test_a_second_ledger_is_not_taken_into_a_full_one(machine, tmp_path, postgresql_schema):
    run(postgresql_schema, machine)
    other = folders.with_ledger(tmp_path / "b", ("chitra",))
    with pytest.raises(ClusterError, match="--leave-ledger-behind"):
        run(postgresql_schema, other, name="node-b")
    assert read_membership(other) is None
    assert (other / "ledger").exists()


def test_nor_one_of_the_same_key(machine, tmp_path, postgresql_schema):
    run(postgresql_schema, machine)
    other = folders.with_ledger(tmp_path / "b", ("chitra",))
    adopt_identity(other, read_identity(other).node, read_identity(machine).key)
    with pytest.raises(ClusterError, match="its ledger is not empty"):
        run(postgresql_schema, other, name="node-b")


def test_it_may_be_left_behind(machine, tmp_path, postgresql_schema):
    run(postgresql_schema, machine)
    other = folders.with_ledger(tmp_path / "b", ("chitra",))
    plan = plan_join(folders.settings(postgresql_schema), other, behind=True)
    assert (plan.behind, plan.new_key, plan.rows["users"]) == (True, True, 2)
    done = run(postgresql_schema, other, behind=True, name="node-b")

    assert ASIDE in done.aside
    assert read_identity(other).key == read_identity(machine).key
    with closing(open_ledger(postgresql_schema)) as ledger:
        assert LedgerAccess(ledger).users.named("chitra") is None


def test_nobody_leaves_a_ledger_behind_for_nobody(machine, postgresql_schema):
    with pytest.raises(ClusterError, match="nobody is in the cluster yet"):
        run(postgresql_schema, machine, behind=True)


def test_a_copy_of_a_machine_does_not_join(machine, tmp_path, postgresql_schema):
    run(postgresql_schema, machine)
    copy = folders.fresh(tmp_path / "b")
    adopt_identity(copy, read_identity(machine).node, read_identity(machine).key)
    with closing(Kept(copy / "journal", read_identity(machine).node)) as kept:
        kept.keep(receipt())
    with pytest.raises(ClusterError, match="was this data folder copied from it"):
        run(postgresql_schema, copy, name="node-b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE cluster SET id = 'another'", "it is cluster another"),
        ("DELETE FROM cluster", "no cluster is in it"),
    ],
)
def test_a_member_of_one_cluster_joins_no_other(change, said, machine, postgresql_schema):
    run(postgresql_schema, machine)
    note = read_membership(machine)
    with closing(connect(postgresql_schema)) as connection:
        connection.execute(change)
    with pytest.raises(ClusterError, match=f"{said}.*belongs to cluster {note.id}"):
        run(postgresql_schema, machine)
    assert read_membership(machine) == note


def leave(url, folder):
    with closing(open_ledger(url)) as ledger:
        acts = NodeActs(ledger, lambda: folders.NOW_US // 1_000)
        node = str(read_identity(folder).node)
        deed = lambda what, subject, _: folders.deed(what, subject=subject)  # noqa: E731
        return acts.leave(node, "", deed, anyway=True)


def state_of(url):
    with closing(connect(url)) as connection:
        is_away(connection, read_node(connection))
        return connection.execute("SELECT state, left_at FROM cluster_node").fetchone()


def read_node(connection):
    return connection.execute("SELECT node FROM cluster_node").fetchone()[0]


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("how", ["left", "unknown"])
def test_a_node_that_left_or_is_not_known_takes_part_again(
    how, runs, machine, tmp_path, postgresql_schema
):
    """Also while it runs, which it does where its callers came first."""
    folder = folders.fresh(tmp_path / "b") if how == "unknown" else machine
    run(postgresql_schema, folder)
    before = read_membership(folder)
    if how == "unknown":
        with closing(connect(postgresql_schema)) as connection:
            connection.execute("DELETE FROM cluster_node")
    else:
        state_of(postgresql_schema)
        leave(postgresql_schema, folder)
        assert state_of(postgresql_schema)[0] == "left"
    settings = folders.settings(postgresql_schema)
    assert plan_join(settings, folder, behind=False).back
    with ExitStack() as stack:
        if runs:
            stack.enter_context(DataFolder.open(folder, "console"))
        done = run(postgresql_schema, folder)
    assert (done.plan.back, done.node, done.copied) == (True, before.node, None)
    assert read_membership(folder) == before
    assert state_of(postgresql_schema) == ("active", None)
    assert not plan_join(settings, folder, behind=False).back
    with closing(open_ledger(postgresql_schema)) as ledger:
        last = [each.what for each in LedgerAccess(ledger).audit.oldest_first()][-1]
    assert last == "took a node back"


def test_a_member_whose_number_is_another_s_by_now_is_not_taken_back(tmp_path, postgresql_schema):
    folder = folders.fresh(tmp_path / "b")
    run(postgresql_schema, folder)
    with closing(connect(postgresql_schema)) as connection:
        connection.execute("UPDATE cluster_node SET member = 'another'")
    with pytest.raises(ClusterError, match="is another machine by now"):
        run(postgresql_schema, folder)
    assert state_of(postgresql_schema)[0] == "active"


def test_while_it_runs_nothing_is_joined(machine, postgresql_schema):
    with (
        DataFolder.open(machine, "console"),
        pytest.raises(DataFolderError, match="stop switchhook serve first"),
    ):
        run(postgresql_schema, machine)


def test_without_a_database_it_says_what_to_set(machine):
    with pytest.raises(ConfigError, match=r"cluster\.database"):
        plan_join(ClusterSettings(), machine, behind=False)


class Machine:
    """The machine before a refusal, with what a case needs of it."""

    def __init__(self, folder, other, url, connection, held):
        self.folder, self.other, self.url, self.connection = folder, other, url, connection
        self._held = held

    def as_role(self, granted, options=""):
        """Who is in its URL may do no more with its schema than what is granted here."""
        user = self._held.enter_context(role(self.connection, options))
        schema = self.url.rpartition("%3D")[2]
        self.connection.execute(f"GRANT {granted} ON SCHEMA {schema} TO {user}".encode())
        self.url = self.url.replace("postgres@", f"{user}@")

    def another_joined(self):
        run(self.url, self.other, name="node-b")

    def same_key(self):
        adopt_identity(self.other, read_identity(self.other).node, read_identity(self.folder).key)

    def same_number(self):
        ours = read_identity(self.folder)
        adopt_identity(self.other, ours.node, ours.key)


def _a_member_elsewhere(case):
    run(case.url, case.folder)
    case.connection.execute("UPDATE cluster SET id = 'another'")


def _a_cluster_that_is_gone(case):
    run(case.url, case.folder)
    case.connection.execute("DELETE FROM cluster")


def _another_key(case):
    case.another_joined()


def _a_full_ledger(case):
    case.same_key()
    case.another_joined()


def _a_copy(case):
    case.same_number()
    case.another_joined()
    case.connection.execute("UPDATE cluster_node SET last_seq = 9")


def _a_copy_that_leaves_its_ledger(case):
    _a_copy(case)


def _nobody_to_leave_it_for(case):
    """An empty database."""


def _a_broken_audit_log(case):
    with closing(open_ledger(case.folder / "ledger")) as ledger, ledger.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_is_not_changed")
        connection.exec_driver_sql("UPDATE audit SET who = 'somebody' WHERE seq = 2")


def _newer_tables(case):
    case.another_joined()
    case.connection.execute("UPDATE cluster_version SET version = 99, oldest = 99")


def _a_newer_ledger(case):
    case.another_joined()
    case.connection.execute("UPDATE ledger_version SET version = 99, oldest = 99")


def _tables_of_somebody_else(case):
    case.connection.execute("CREATE TABLE users (name text)")


def _nodes_of_somebody_else(case):
    case.connection.execute("CREATE TABLE cluster_node (name text)")


def _no_rights(case):
    case.as_role("USAGE")


def _may_have(connections):
    """The user of the URL may have so many connections."""
    return lambda case: case.as_role("ALL", f"CONNECTION LIMIT {connections}")


@pytest.fixture
def case(machine, tmp_path, postgresql_schema):
    other = folders.with_ledger(tmp_path / "b", ("chitra",))
    with closing(connect(postgresql_schema)) as connection, ExitStack() as held:
        yield Machine(machine, other, postgresql_schema, connection, held)


@pytest.mark.parametrize(
    ("prepared", "behind", "said"),
    [
        (_a_member_elsewhere, False, "it is cluster another, and this data folder belongs to"),
        (_a_cluster_that_is_gone, False, "no cluster is in it, and this data folder belongs to"),
        (_another_key, False, "the cluster has a key of its own"),
        (_a_full_ledger, False, "its ledger is not empty: "),
        (_a_copy, False, "is another machine already: was this data folder copied from it?"),
        (_a_copy_that_leaves_its_ledger, True, "is another machine already"),
        (_nobody_to_leave_it_for, True, "nobody is in the cluster yet"),
        (_a_broken_audit_log, False, "its audit log does not hold"),
        (_newer_tables, False, "its tables are of no use to this release"),
        (_a_newer_ledger, True, "it has version 99, this release knows version"),
        (_tables_of_somebody_else, False, "its schema has tables of somebody else"),
        (_nodes_of_somebody_else, False, "its schema has tables of somebody else"),
        (_no_rights, False, "its user may not make tables in its schema"),
        (_may_have(13), False, "there is room for 13: the limit of their user"),
    ],
)
def test_the_plan_names_what_joining_refuses(prepared, behind, said, case):
    """And joining refuses it for the first of the same reasons, with nothing changed."""
    prepared(case)
    node, note = read_identity(case.folder), read_membership(case.folder)
    plan = plan_join(folders.settings(case.url), case.folder, behind=behind)
    assert said in "; ".join(each.problem for each in plan.refused)
    assert all(each.hint for each in plan.refused)
    assert not plan.along
    with pytest.raises(ClusterError) as refused:
        run(case.url, case.folder, behind=behind)
    assert refused.value.problem == plan.refused[0].problem
    assert (read_identity(case.folder), read_membership(case.folder)) == (node, note)


def test_the_plan_names_all_of_them_at_once(case):
    _a_copy(case)
    _a_broken_audit_log(case)
    plan = plan_join(folders.settings(case.url), case.folder, behind=False)
    said = [each.problem for each in plan.refused]
    for each in ("is another machine already", "its ledger is not empty", "audit log does not"):
        assert any(each in one for one in said), each


def test_the_plan_warns_where_the_lead_could_not_change(case):
    _may_have(21)(case)
    plan = plan_join(folders.settings(case.url), case.folder, behind=False)
    (warned,) = plan.warned
    assert "up to 14 connections, and 22 while the lead changes; there is room for 21" in warned[0]
    assert (plan.along, plan.refused) == (True, ())


def test_the_plan_says_what_has_to_be_stopped_before(machine, postgresql_schema):
    with DataFolder.open(machine, "console"):
        plan = plan_join(folders.settings(postgresql_schema), machine, behind=False)
    assert plan.runs.startswith("it is held by switchhook console")
    assert (plan.along, plan.refused) == (True, ())


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize(
    ("place", "step", "after"),
    [
        (taking_along, "_copy", 3),
        (taking_along, "_set_sequences", 1),
        (cluster_join, "take_along", 1),
        (cluster_join, "finish", 1),
        (cluster_join, "_set_aside", 0),
    ],
)
def test_interrupted_it_is_run_again(place, step, after, machine, postgresql_schema, monkeypatch):
    with closing(open_ledger(machine / "ledger")) as ledger:
        before = all_rows(ledger)
    with monkeypatch.context() as cut:
        done, left = getattr(place, step), [after]

        def then_cut(*arguments, **named):
            if left[0] == 0:
                raise Cut
            found = done(*arguments, **named)
            left[0] -= 1
            if left[0] == 0:
                raise Cut
            return found

        cut.setattr(place, step, then_cut)
        with pytest.raises(Cut):
            run(postgresql_schema, machine)
    run(postgresql_schema, machine)

    assert join_if_needed(folders.settings(postgresql_schema), machine, "1.0").is_member
    assert not (machine / "ledger").exists()
    with closing(open_ledger(postgresql_schema)) as ledger:
        after_rows = all_rows(ledger)
    assert after_rows["users"] == before["users"]
    assert len(after_rows["audit"]) == len(before["audit"]) + 1


def test_a_ledger_that_was_tampered_with_is_not_taken(machine, postgresql_schema):
    with closing(open_ledger(machine / "ledger")) as ledger, ledger.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_is_not_changed")
        connection.exec_driver_sql("UPDATE audit SET who = 'somebody' WHERE seq = 2")
    with pytest.raises(ClusterError, match="its audit log does not hold"):
        run(postgresql_schema, machine)
    with closing(open_ledger(postgresql_schema)) as ledger:
        assert taking_along.counts(ledger) == {}


def test_every_topic_has_a_table_to_take():
    assert {name for topic in TOPICS for name in topic.tables} > taking_along.BEGUN


def test_progress_of_callbacks_is_taken(machine, postgresql_schema):
    with closing(open_ledger(machine / "ledger")) as ledger:
        LedgerPromises(ledger).set_progress("hearing", 3)
    run(postgresql_schema, machine)
    with closing(open_ledger(postgresql_schema)) as ledger:
        assert LedgerPromises(ledger).progress("hearing") == 3
