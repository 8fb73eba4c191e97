"""What a node says of itself, and what it learns: the database's time, and whether it is known."""

from __future__ import annotations

from contextlib import closing

import msgspec
import pytest

from cutting_proxy import proxy_to
from switchhook.cluster import heartbeat, tables
from switchhook.cluster.database_clock import steady_s
from switchhook.cluster.heartbeat import TWINS_S, Heartbeat, NodeNow
from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect, is_silent

NOW = NodeNow(
    name="one", address="http://10.0.0.1:8081", release="1.2", process="p", last_seq=5, one_copy=2
)


@pytest.fixture
def database(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        tables.bring_up(connection)
        connection.execute(
            "INSERT INTO cluster_node (node, member, name, release, seen_at)"
            " VALUES (7, 'mine', '', '1', now() - interval '1 hour')"
        )
        yield connection


def beating(url, member="mine", **more):
    look = more.pop("look", lambda: NOW)
    return Heartbeat(url, 7, member, look, **more)


def test_it_says_how_the_node_is(database, postgresql_schema):
    with closing(beating(postgresql_schema)) as heart:
        heart.beat()
        assert heart.known
        assert heart.problem is None
    row = database.execute(
        "SELECT name, address, release, process, last_seq, one_copy, problems,"
        " seen_at > now() - interval '1 minute' FROM cluster_node"
    ).fetchone()
    assert row == ("one", "http://10.0.0.1:8081", "1.2", "p", 5, 2, [], True)


def test_how_far_the_clock_is_ahead_is_known_and_changes_no_time(database, postgresql_schema):
    day_ms = 86_400_000
    ahead = beating(postgresql_schema, wall_ms=lambda: _now_ms(database) + day_ms)
    with closing(ahead):
        assert ahead.now_ms() - _now_ms(database) == pytest.approx(day_ms, abs=5_000)
        ahead.beat()
        assert ahead.now_ms() == pytest.approx(_now_ms(database), abs=5_000)
    (clock_ms,) = database.execute("SELECT clock_ms FROM cluster_node").fetchone()
    assert clock_ms == pytest.approx(day_ms, abs=5_000)


def test_time_goes_on_while_the_database_is_away(database, postgresql_schema):
    steps = [0.0]
    heart = beating(postgresql_schema, now_s=lambda: steady_s() + steps[0])
    heart.beat()
    heart.close()
    before = heart.now_ms()
    steps[0] = 3600
    assert heart.now_ms() - before == pytest.approx(3_600_000, abs=5_000)


def test_a_folder_that_the_cluster_does_not_know_finds_that(database, postgresql_schema):
    """Its number is another's, or nobody's; the database's time it learns all the same."""
    with closing(beating(postgresql_schema, member="copy", wall_ms=lambda: 0)) as heart:
        heart.beat()
        assert heart.known is False
        assert heart.problem is None
        assert heart.now_ms() == pytest.approx(_now_ms(database), abs=5_000)
    assert database.execute("SELECT name FROM cluster_node").fetchone() == ("",)


def test_it_learns_that_its_node_left_and_that_it_is_back(database, postgresql_schema):
    with closing(beating(postgresql_schema)) as heart:
        heart.beat()
        assert heart.left_ms is None
        database.execute("UPDATE cluster_node SET state = 'left', left_at = clock_timestamp()")
        heart.beat()
        assert heart.left_ms == pytest.approx(_now_ms(database), abs=5_000)
        database.execute("UPDATE cluster_node SET state = 'active', left_at = NULL")
        heart.beat()
        assert heart.left_ms is None


def test_two_machines_on_copies_of_one_folder_find_each_other(database, postgresql_schema):
    steps = [0.0]
    now_s = lambda: steady_s() + steps[0]  # noqa: E731
    other = msgspec.structs.replace(NOW, process="q")
    with (
        closing(beating(postgresql_schema, now_s=now_s)) as one,
        closing(beating(postgresql_schema, now_s=now_s, look=lambda: other)) as two,
    ):
        one.beat()
        two.beat()
        assert not two.has_twin  # it may have been started anew in the place of the other
        one.beat()
        two.beat()
        assert not one.has_twin
        one.beat()
        two.beat()
        assert (one.has_twin, two.has_twin) == (True, True)
        steps[0] = TWINS_S
        two.beat()
        two.beat()
        assert not two.has_twin


def test_after_an_error_it_begins_with_a_connection_of_its_own(database, postgresql_schema):
    with closing(beating(postgresql_schema)) as heart:
        heart.beat()
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND query LIKE '%UPDATE cluster_node%'"
        )
        with pytest.raises(ClusterError):
            heart.beat()
        assert heart.problem is not None
        assert heart.known
        heart.beat()
        assert heart.problem is None


def test_a_database_that_answers_nothing_is_away_until_it_does(
    database, postgresql_schema, monkeypatch
):
    monkeypatch.setattr(heartbeat, "ANSWER_S", 0.5)
    with proxy_to(postgresql_schema) as proxy:
        heart = beating(proxy.url(postgresql_schema))
        with closing(heart):
            heart.beat()
            proxy.freeze()
            with pytest.raises(ClusterError, match="answered nothing for") as told:
                heart.beat()
            assert is_silent(told.value.__cause__)
            assert heart.problem is not None
            proxy.thaw()
            heart.beat()
            assert heart.problem is None
    (clock_ms,) = database.execute("SELECT clock_ms FROM cluster_node").fetchone()
    assert clock_ms == pytest.approx(0, abs=1_000)


def _now_ms(database):
    asked = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    return database.execute(asked).fetchone()[0]
