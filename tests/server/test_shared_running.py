"""What runs on all nodes, as releases ask and change it from any of them."""

from __future__ import annotations

from contextlib import closing, contextmanager

import pytest

from program import until
from releases.made import release
from switchhook.config import Config
from switchhook.config.kept_text import hash_of
from switchhook.config.released import ReleasedRules
from switchhook.config.values import EndpointConfig
from switchhook.errors import LedgerError
from switchhook.postgresql_server import Fence
from switchhook.rules.rules_file import BUILTIN
from switchhook.server.running import FolderRunning
from switchhook.server.shared_running import shared_running
from told_nodes import Cluster

DEFAULT = "rules/default"
CONFIG = Config(endpoints=(EndpointConfig(name="default"),))


@pytest.fixture
def cluster(postgresql_schema, tmp_path):
    return Cluster(postgresql_schema, tmp_path)


@contextmanager
def running(cluster, node, fence=None):
    made = shared_running(cluster.folder(node), cluster.url, fence)(lambda: CONFIG)
    with closing(made):
        yield made


def folder_text(cluster, node):
    found = ReleasedRules(cluster.folder(node)).running(DEFAULT)
    return None if found is None else found.text


def runs_on_all(cluster, text):
    until(lambda: {folder_text(cluster, node) for node in (1, 2)} == {text}, "it runs on all")


def test_a_release_put_in_place_on_one_node_runs_on_all(cluster):
    with running(cluster, 1) as one, running(cluster, 2) as two:
        assert one.texts()[0].hash == two.texts()[0].hash == BUILTIN.release
        with cluster.relay(1), cluster.relay(2):
            first = release(7, "B")
            one.run(first, "asha")
            (text,) = two.texts()
            assert (text.release, text.by, text.hash) == (7, "asha", hash_of(first.text))
            runs_on_all(cluster, first.text)
            second = release(8, "A")
            two.run(second, "ravi")
            runs_on_all(cluster, second.text)
            assert [each.release for each in one.ran(DEFAULT)] == [7]


def test_what_ran_is_told_only_where_this_node_runs_what_all_run(cluster):
    """Its relay may be behind: what it ran before is none of what ran before that."""
    with running(cluster, 1) as one:
        FolderRunning(cluster.folder(1), lambda: CONFIG).run(release(3, "A"), "asha")
        FolderRunning(cluster.folder(1), lambda: CONFIG).run(release(4, "C"), "asha")
        one.run(release(7, "B"), "asha")
        assert list(one.ran(DEFAULT)) == []


def test_a_candidate_stands_beside_on_all_until_something_else_runs(cluster):
    def all_have(number):
        rules = [ReleasedRules(cluster.folder(node)) for node in (1, 2)]
        found = [each.candidate(DEFAULT) for each in rules]
        return [None if each is None else each.number for each in found] == [number, number]

    relays = cluster.relay(1), cluster.relay(2)
    with running(cluster, 1) as one, running(cluster, 2) as two, relays[0], relays[1]:
        one.run(release(7, "B"), "asha")
        one.propose(DEFAULT, release(8, "A"))
        assert two.candidates() == {DEFAULT: 8}
        until(lambda: all_have(8), "it stands beside")
        two.run(release(9, "C"), "ravi")
        assert one.candidates() == {}
        until(lambda: all_have(None), "it goes")
        two.propose(DEFAULT, release(10, "A"))
        two.propose(DEFAULT, None)
        assert one.candidates() == {}


def test_the_first_leader_begins_with_what_its_folder_runs(cluster):
    FolderRunning(cluster.folder(1), lambda: CONFIG).run(release(3, "A"), "asha")
    FolderRunning(cluster.folder(1), lambda: CONFIG).propose(DEFAULT, release(4, "B"))
    with running(cluster, 2) as two:
        assert two.texts()[0].hash == BUILTIN.release
        with running(cluster, 1, Fence(1)) as one:
            assert one.texts()[0].release == 3
        assert two.texts()[0].release == 3
        assert two.candidates() == {DEFAULT: 4}
    FolderRunning(cluster.folder(2), lambda: CONFIG).run(release(5, "C"), "asha")
    with running(cluster, 2, Fence(1)) as two:
        assert two.texts()[0].release == 3  # it runs, whatever the next leader's folder has


def test_who_leads_no_more_changes_nothing(cluster):
    with running(cluster, 1, Fence(1)) as one, running(cluster, 2) as two:
        with cluster.connection() as connection:
            connection.execute("UPDATE cluster_lease SET epoch = 2, node = 2")
        with pytest.raises(LedgerError, match="leads no more"):
            one.run(release(7, "B"), "asha")
        assert two.texts()[0].hash == BUILTIN.release


def test_without_the_database_it_says_so(tmp_path):
    url = "postgresql://asha:geheim@127.0.0.1:1/x"
    with pytest.raises(LedgerError) as refused:
        shared_running(tmp_path, url)(lambda: CONFIG).texts()
    assert "geheim" not in str(refused.value)
