"""How data folders become nodes of one cluster, whatever comes in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

import node_folders as folders
from kept_receipts import Kept, receipt
from switchhook.cluster import joining
from switchhook.cluster.joining import join_if_needed, look
from switchhook.cluster.membership import NOTE, Membership, read_membership, write_membership
from switchhook.cluster.settings import ClusterSettings
from switchhook.errors import ClusterError, DataFolderError
from switchhook.postgresql_server import connect
from switchhook.system.data_folder import DataFolder, adopt_identity, read_identity


def rows(url, asked):
    with closing(connect(url)) as connection:
        return connection.execute(asked).fetchall()


def test_alone_nothing_is_joined(tmp_path):
    assert join_if_needed(ClusterSettings(), folders.fresh(tmp_path / "a"), "1.0") is None


def test_the_first_gives_its_key_and_the_next_takes_it(tmp_path, postgresql_schema):
    a, b = folders.fresh(tmp_path / "a"), folders.fresh(tmp_path / "b")
    key = read_identity(a).key
    first = join_if_needed(folders.settings(postgresql_schema), a, "1.0")
    second = join_if_needed(folders.settings(postgresql_schema, "node-b"), b, "1.0")

    assert first.id == second.id
    assert read_identity(a).key == read_identity(b).key == key
    assert read_identity(b).node == second.node != first.node
    assert {row[0] for row in rows(postgresql_schema, "SELECT name FROM cluster_node")} == {
        "node-a",
        "node-b",
    }


def test_a_member_starts_without_the_database(tmp_path, postgresql_schema):
    folder = folders.fresh(tmp_path / "a")
    joined = join_if_needed(folders.settings(postgresql_schema), folder, "1.0")
    away = ClusterSettings(database="postgresql://127.0.0.1:1/none")
    assert join_if_needed(away, folder, "1.0") == joined


def test_of_folders_that_begin_at_once_one_makes_the_cluster(tmp_path, postgresql_schema):
    names = [f"node-{at}" for at in range(4)]
    for name in names:
        folders.fresh(tmp_path / name)

    def begin(name):
        return join_if_needed(folders.settings(postgresql_schema, name), tmp_path / name, "1.0")

    with ThreadPoolExecutor(4) as many:
        joined = list(many.map(begin, names))
    assert len({each.id for each in joined}) == 1
    assert len({each.node for each in joined}) == 4
    assert len({read_identity(tmp_path / name).key for name in names}) == 1


def test_a_number_that_another_machine_has_is_not_taken(tmp_path, postgresql_schema):
    a, b = folders.fresh(tmp_path / "a"), folders.fresh(tmp_path / "b")
    adopt_identity(b, read_identity(a).node, read_identity(a).key)  # of one image
    first = join_if_needed(folders.settings(postgresql_schema), a, "1.0")
    second = join_if_needed(folders.settings(postgresql_schema, "node-b"), b, "1.0")
    assert second.node != first.node
    assert read_identity(b).node == second.node


def test_one_with_things_of_its_own_is_not_joined_by_itself(tmp_path, postgresql_schema):
    folder = folders.with_ledger(tmp_path / "a")
    with pytest.raises(DataFolderError, match="switchhook cluster join") as refused:
        join_if_needed(folders.settings(postgresql_schema), folder, "1.0")
    assert "a ledger of its own" in str(refused.value)
    assert read_membership(folder) is None


def test_nor_one_that_has_receipts(tmp_path, postgresql_schema):
    folder = folders.fresh(tmp_path / "a")
    with closing(Kept(folder / "journal", read_identity(folder).node)) as kept:
        kept.keep(receipt(), receipt())
    assert (look(folder).records, look(folder).fresh) == (2, False)
    with pytest.raises(DataFolderError, match="2 records in its journal"):
        join_if_needed(folders.settings(postgresql_schema), folder, "1.0")


def test_while_it_runs_it_is_not_joined(tmp_path, postgresql_schema):
    folder = folders.fresh(tmp_path / "a")
    with (
        DataFolder.open(folder, "answer"),
        pytest.raises(DataFolderError, match="stop switchhook serve first"),
    ):
        join_if_needed(folders.settings(postgresql_schema), folder, "1.0")


def test_a_database_that_is_away_leaves_no_trace(tmp_path):
    folder = folders.fresh(tmp_path / "a")
    (folder / "answer.lock").touch()
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    with pytest.raises(ClusterError):
        join_if_needed(ClusterSettings(database="postgresql://127.0.0.1:1/none"), folder, "1.0")
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize("step", ["enter", "adopt_identity", "write_membership"])
def test_interrupted_it_goes_on_where_it_was(step, tmp_path, postgresql_schema, monkeypatch):
    folder = folders.fresh(tmp_path / "a")
    others = folders.fresh(tmp_path / "b")
    join_if_needed(folders.settings(postgresql_schema, "node-b"), others, "1.0")
    with monkeypatch.context() as cut:
        done = getattr(joining, step)

        def then_cut(*arguments, **named):
            if step == "write_membership" and not arguments[1].is_member:
                return done(*arguments, **named)
            done(*arguments, **named)
            raise Cut

        cut.setattr(joining, step, then_cut)
        with pytest.raises(Cut):
            join_if_needed(folders.settings(postgresql_schema), folder, "1.0")
    joined = join_if_needed(folders.settings(postgresql_schema), folder, "1.0")

    assert read_identity(folder).node == joined.node
    assert read_identity(folder).key == read_identity(others).key
    assert len(rows(postgresql_schema, "SELECT node FROM cluster_node")) == 2


def test_a_member_does_not_go_on_alone(tmp_path, postgresql_schema):
    """A new ledger would let in whoever comes first."""
    folder = folders.fresh(tmp_path / "a")
    join_if_needed(folders.settings(postgresql_schema), folder, "1.0")
    with pytest.raises(DataFolderError, match=r"no cluster\.database"):
        join_if_needed(ClusterSettings(), folder, "1.0")


def test_no_key_is_shown(tmp_path, postgresql_schema):
    folder = folders.fresh(tmp_path / "a")
    join_if_needed(folders.settings(postgresql_schema), folder, "1.0")
    key = read_identity(folder).key
    assert repr(key) not in repr(joining.Entered("x", key, 1, True))


@pytest.mark.parametrize("content", [b"", b"{", b'{"member":"a","checksum":"00000000"}'])
def test_a_damaged_note_is_named(content, tmp_path):
    (tmp_path / NOTE).write_bytes(content)
    with pytest.raises(DataFolderError, match=r"cluster\.json is damaged"):
        read_membership(tmp_path)


def test_a_note_comes_back_as_it_was(tmp_path):
    note = Membership("m", "c", 7, "2026-11-29T22:00:00+00:00")
    write_membership(tmp_path, note)
    assert read_membership(tmp_path) == note
    assert note.is_member
    assert not Membership("m").is_member
