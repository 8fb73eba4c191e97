"""A node has what all nodes run before anything runs on its folder; it starts without, too."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest

from switchhook.cluster import told
from switchhook.cluster.settings import ClusterSettings
from switchhook.cluster.told import ToldText
from switchhook.config import Config
from switchhook.config.kept_text import hash_of
from switchhook.config.released import ReleasedRules
from switchhook.errors import DataFolderError
from switchhook.postgresql_server import connect
from switchhook.server.joined import join_cluster
from switchhook.system.data_folder import DataFolder

SALES = "rules/sales"
OLD, NEW = (f'[rule.{each}]\noption = "{each}"\nwhen = "true"\n' for each in "AB")


@pytest.fixture
def config(postgresql_schema):
    return Config(cluster=ClusterSettings(database=postgresql_schema, name="late"))


def begin(folder):
    DataFolder.open(folder, "answer").close()
    ReleasedRules(folder).run(SALES, OLD, release=0, by="start")


def tell(config, text, release):
    body = told.encode(ToldText(text, hash_of(text), "asha", "2026-11-29T10:00:00+00:00", release))
    with closing(connect(config.cluster.database)) as connection:
        told.tell(connection, {told.topic_of_text(SALES): body}, 1)


def running(folder):
    found = ReleasedRules(folder).running(SALES)
    assert found is not None
    return found.text, found.release


def test_who_joins_or_comes_back_has_what_all_run_before_it_starts(tmp_path, config):
    first, late = tmp_path / "first", tmp_path / "late"
    begin(first)
    join_cluster(config, first)
    tell(config, NEW, 2)
    begin(late)
    join_cluster(config, late)
    assert running(late) == (NEW, 2)
    tell(config, OLD, 3)
    join_cluster(config, late)
    assert running(late) == (OLD, 3)


def leave(config):
    with closing(connect(config.cluster.database)) as connection:
        connection.execute("UPDATE cluster_node SET state = 'left', left_at = '2026-11-29 10:00Z'")


def test_a_node_that_left_does_not_start_and_is_told_the_ways_on(tmp_path, config):
    begin(tmp_path)
    join_cluster(config, tmp_path)
    leave(config)
    tell(config, NEW, 2)
    with pytest.raises(DataFolderError) as refused:
        join_cluster(config, tmp_path)
    assert refused.value.problem == "its node, late, left the cluster on 2026-11-29 10:00 UTC"
    assert "take it back: switchhook cluster join" in refused.value.hint
    assert "an empty data folder, with a configuration without [cluster]" in refused.value.hint
    assert running(tmp_path) == (OLD, 0)


def test_while_the_database_is_away_one_that_left_starts(tmp_path, config):
    """Its callers come first."""
    begin(tmp_path)
    join_cluster(config, tmp_path)
    leave(config)
    away = msgspec.structs.replace(config.cluster, database="postgresql://asha@127.0.0.1:1/x")
    join_cluster(msgspec.structs.replace(config, cluster=away), tmp_path)


def test_one_that_the_cluster_does_not_know_starts(tmp_path, config):
    """The database may have been restored to a time before it joined."""
    begin(tmp_path)
    join_cluster(config, tmp_path)
    with closing(connect(config.cluster.database)) as connection:
        connection.execute("DELETE FROM cluster_node")
    tell(config, NEW, 2)
    join_cluster(config, tmp_path)
    assert running(tmp_path) == (NEW, 2)


def test_a_member_starts_with_what_it_has_while_the_database_is_away(tmp_path, config, caplog):
    begin(tmp_path)
    join_cluster(config, tmp_path)
    away = msgspec.structs.replace(config.cluster, database="postgresql://asha@127.0.0.1:1/x")
    join_cluster(msgspec.structs.replace(config, cluster=away), tmp_path)
    assert running(tmp_path) == (OLD, 0)
    assert "this node starts with what it ran last" in caplog.text


def test_where_a_program_runs_on_the_folder_that_one_has_it_told(tmp_path, config):
    begin(tmp_path)
    join_cluster(config, tmp_path)
    tell(config, NEW, 2)
    with DataFolder.open(tmp_path, "console"):
        join_cluster(config, tmp_path)
    assert running(tmp_path) == (OLD, 0)


def test_a_machine_alone_asks_nobody(tmp_path):
    begin(tmp_path)
    join_cluster(Config(), tmp_path)
    assert running(tmp_path) == (OLD, 0)
