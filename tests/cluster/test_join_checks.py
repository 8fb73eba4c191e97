"""The database before a folder joins: what is there, and what keeps the folder out."""

from __future__ import annotations

from contextlib import closing

import pytest

import node_folders as folders
from kept_receipts import Kept, receipt
from switchhook.cluster import tables
from switchhook.cluster.join_checks import look_at_cluster
from switchhook.cluster.joining import join_if_needed, look
from switchhook.postgresql_server import connect
from switchhook.system.data_folder import JOURNAL, adopt_identity, read_identity


@pytest.fixture
def folder(tmp_path):
    """One with three records."""
    found = folders.fresh(tmp_path / "data")
    with closing(Kept(found / JOURNAL, read_identity(found).node)) as kept:
        kept.keep(receipt(), receipt(), receipt())
    return found


@pytest.fixture
def connection(postgresql_schema):
    with closing(connect(postgresql_schema)) as found:
        yield found


def looked(url, folder, ledger=(), member=""):
    return look_at_cluster(folders.settings(url), ledger, look(folder), member)


def test_of_an_empty_database_nothing_is_made(folder, postgresql_schema, connection):
    there = looked(postgresql_schema, folder)
    assert (there.id, there.nodes, there.key, there.refused, there.ledger) == (
        "",
        0,
        None,
        (),
        None,
    )
    assert connection.execute("SELECT to_regclass('cluster')").fetchone() == (None,)


def test_of_a_cluster_it_says_who_is_there(tmp_path, folder, postgresql_schema):
    other = folders.fresh(tmp_path / "other")
    note = join_if_needed(folders.settings(postgresql_schema), other, "1")
    there = looked(postgresql_schema, folder, member=note.member)
    assert (there.id, there.nodes, there.node) == (note.id, 1, note.node)
    assert there.key == read_identity(other).key
    assert "key=…" in repr(there)
    assert str(there.key) not in repr(there)


def test_rows_of_the_ledger_and_its_version_are_seen(folder, postgresql_schema, connection):
    connection.execute(
        "CREATE TABLE ledger_version (version bigint, oldest bigint);"
        "INSERT INTO ledger_version VALUES (21, NULL); CREATE TABLE users (a int);"
        "CREATE TABLE audit (a int); INSERT INTO users VALUES (1)"
    )
    there = looked(postgresql_schema, folder, ("audit", "users"))
    assert (there.full, there.ledger) == (("users",), (21, None))


@pytest.mark.parametrize(
    ("row", "taken"),
    [
        ("last_seq = 3, seen_at = seen_at - interval '1 minute'", False),  # it lost its note
        ("last_seq = 4, seen_at = seen_at - interval '1 minute'", True),
        ("last_seq = 3", True),  # it runs
    ],
)
@pytest.mark.parametrize("own_key", [True, False])
def test_a_number_is_taken_by_who_runs_or_has_more(
    row, taken, own_key, tmp_path, folder, postgresql_schema, connection
):
    other, ours = folders.fresh(tmp_path / "other"), read_identity(folder)
    adopt_identity(other, ours.node, ours.key if own_key else bytes(32))
    join_if_needed(folders.settings(postgresql_schema), other, "1")
    connection.execute(f"UPDATE cluster_node SET {row}".encode())
    refused = looked(postgresql_schema, folder).refused
    assert bool(refused) == (taken or not own_key)
    assert looked(postgresql_schema, folders.fresh(tmp_path / "empty")).refused == ()


def test_its_tables_are_known_by_name():
    assert {"cluster", "cluster_node", "cluster_lease", "cluster_version"} <= set(tables.names())
