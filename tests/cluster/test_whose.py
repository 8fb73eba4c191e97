"""Whose a database is, before anything of the nodes is read from it or made in it."""

from __future__ import annotations

from contextlib import closing

import pytest

import node_folders as folders
from switchhook.cluster.joining import join_if_needed
from switchhook.cluster.membership import Membership
from switchhook.cluster.whose import check_whose, refuse_another
from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect

MEMBER = Membership("m", "c1", 7, "2026-11-29")
ON_ITS_WAY = Membership("m")


@pytest.fixture
def connection(postgresql_schema):
    with closing(connect(postgresql_schema)) as found:
        yield found


def refused(connection, note):
    with pytest.raises(ClusterError) as found:
        check_whose(connection, "of all", note)
    return found.value.problem, found.value.hint


def test_the_cluster_that_a_folder_joined_is_its_own(tmp_path, postgresql_schema, connection):
    note = join_if_needed(
        folders.settings(postgresql_schema), folders.fresh(tmp_path / "data"), "1"
    )
    assert check_whose(connection, "of all", note) == note.id
    assert check_whose(connection, "of all", None) == note.id
    problem, hint = refused(connection, MEMBER)
    assert problem == f"it is cluster {note.id}, and this data folder belongs to cluster c1"
    assert "set cluster.database" in hint


@pytest.mark.parametrize("note", [None, ON_ITS_WAY])
def test_an_empty_one_waits_for_its_first_node(connection, note):
    problem, hint = refused(connection, note)
    assert problem == "no node has joined it yet"
    assert "switchhook cluster join" in hint


def test_an_empty_one_is_none_that_a_member_joined(connection):
    problem, hint = refused(connection, MEMBER)
    assert problem == "no cluster is in it, and this data folder belongs to cluster c1"
    assert "restore it from its backup" in hint


@pytest.mark.parametrize(
    ("tables", "named"),
    [(["orders"], "orders"), (["d", "c", "b", "a"], "a, b, c …")],
)
def test_tables_of_something_else_are_named(connection, tables, named):
    for each in tables:
        connection.execute(f"CREATE TABLE {each} ()".encode())
    for note, start in ((None, "no node has joined it yet"), (MEMBER, "no cluster is in it")):
        problem, _ = refused(connection, note)
        assert problem.startswith(f"{start}, only tables of something else ({named})")


@pytest.mark.parametrize("gone", ["cluster", "cluster_node"])
def test_one_whose_tables_were_dropped_is_not_whole(tmp_path, postgresql_schema, connection, gone):
    note = join_if_needed(
        folders.settings(postgresql_schema), folders.fresh(tmp_path / "data"), "1"
    )
    connection.execute(f"DROP TABLE {gone}".encode())
    problem, _ = refused(connection, note)
    assert problem == f"no cluster is in it, and this data folder belongs to cluster {note.id}"


def test_a_table_of_the_same_name_that_nobody_made_is_none(connection):
    connection.execute("CREATE TABLE cluster (id text); CREATE TABLE cluster_node ()")
    assert refused(connection, MEMBER)[0].startswith("no cluster is in it")


def test_a_schema_that_is_not_there_is_told(connection):
    connection.execute("SET search_path = gone")
    assert refused(connection, MEMBER) == (
        "its schema is not there",
        "create it, or mend the search_path in its URL",
    )


def test_who_has_joined_nothing_may_look_at_any():
    refuse_another("of all", "c1", MEMBER)
    refuse_another("of all", "c2", None)
    refuse_another("of all", "c2", ON_ITS_WAY)
    for there in ("", "c2"):
        with pytest.raises(ClusterError):
            refuse_another("of all", there, MEMBER)
