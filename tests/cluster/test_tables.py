"""The tables that nodes share: made once, whoever comes first, and changed under who uses them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from handed_over import now_ms, record
from switchhook.cluster import tables
from switchhook.cluster.heartbeat import Heartbeat, NodeNow
from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect

EXPAND = """
ALTER TABLE cluster_node ADD COLUMN zone text NOT NULL DEFAULT '';
ALTER TABLE cluster_receipt ADD COLUMN came_by text;
ALTER TABLE cluster_place ADD COLUMN zone text;
ALTER TABLE cluster_erasure ADD COLUMN zone text;
ALTER TABLE cluster_told ADD COLUMN zone text;
ALTER TABLE cluster_lease ADD COLUMN zone text;
CREATE TABLE cluster_zone (name text PRIMARY KEY)
"""
"""What a next release could add to tables that each node and the leader write."""
CONTRACT = "ALTER TABLE cluster_node DROP COLUMN clock_ms"
"""What the one after it takes away."""


@pytest.fixture
def database(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        tables.bring_up(connection)
        yield connection


def version(connection):
    return connection.execute("SELECT version, oldest FROM cluster_version").fetchone()


def the_next(connection):
    tables.bring_up(connection, [*tables.MIGRATIONS, EXPAND])


def the_one_after(connection):
    tables.bring_up(connection, [*tables.MIGRATIONS, EXPAND, CONTRACT], tables.VERSION + 1)


def beating(url):
    now = NodeNow(name="one", address="", release="1", process="p")
    return closing(Heartbeat(url, 7, "mine", lambda: now))


def join(connection):
    connection.execute(
        "INSERT INTO cluster_node (node, member, name, release) VALUES (7, 'mine', '', '1')"
    )


def test_of_nodes_that_begin_at_once_one_makes_them(postgresql_schema):
    def begin(_):
        with closing(connect(postgresql_schema)) as connection:
            tables.bring_up(connection)

    with ThreadPoolExecutor(4) as many:
        list(many.map(begin, range(4)))
    with closing(connect(postgresql_schema)) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
        assert "cluster_receipt" in {name for (name,) in rows}
        assert version(connection) == (tables.VERSION, tables.OLDEST)


def test_a_release_of_before_goes_on_beside_the_next(database, postgresql_schema):
    """One that runs while the tables change, and one that starts on them."""
    join(database)
    with beating(postgresql_schema) as running, beating(postgresql_schema) as later:
        running.beat()
        the_next(database)
        for each in (running, later):
            each.beat()
            assert each.known
    assert version(database) == (tables.VERSION + 1, tables.OLDEST)


def test_it_hands_over_places_and_leads_on_the_next_one_s_tables(shared):
    shared.hand_over(1, [record(1, now_ms())])
    the_next(shared.connection)
    shared.hand_over(1, [record(2, now_ms())])
    shared.place()
    rows = shared.connection.execute("SELECT node, seq FROM cluster_place ORDER BY place")
    assert rows.fetchall() == [(1, 1), (1, 2)]


def test_a_release_of_before_brings_nothing_back(database):
    """It is gone back to by one version; what the next one added stays for when it comes again."""
    the_next(database)
    tables.bring_up(database)
    the_next(database)
    assert version(database) == (tables.VERSION + 1, tables.OLDEST)


def test_one_that_runs_on_too_old_a_release_says_so_and_leads_no_more(database, postgresql_schema):
    join(database)
    with beating(postgresql_schema) as running, beating(postgresql_schema) as later:
        running.beat()
        database.execute("UPDATE cluster_version SET version = 9, oldest = 9")
        for each in (running, later):
            with pytest.raises(ClusterError, match="of no use to this release") as raised:
                each.beat()
            assert raised.value.hint.startswith("upgrade this node")
            assert each.known is False


def test_it_is_of_no_use_two_versions_later(database):
    the_one_after(database)
    with pytest.raises(ClusterError, match=f"which knows version {tables.VERSION} of them"):
        tables.bring_up(database)
    the_one_after(database)


def test_a_step_waits_for_what_uses_a_table_no_longer_than_callers_can(database, postgresql_schema):
    """Each statement on the table would wait behind it; the next start tries again."""
    with closing(connect(postgresql_schema)) as other, other.transaction():
        other.execute("SELECT FROM cluster_node")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            the_next(database)
    assert version(database) == (tables.VERSION, tables.OLDEST)
    the_next(database)


def test_a_step_that_fails_leaves_what_was_there(database):
    with pytest.raises(psycopg.errors.UndefinedTable):
        tables.bring_up(database, [*tables.MIGRATIONS, EXPAND, "DROP TABLE nothing"])
    assert version(database) == (tables.VERSION, tables.OLDEST)
    the_next(database)


def test_who_has_joined_makes_none_where_they_are_gone(postgresql_schema):
    """A node that runs on begins no cluster in a database that was emptied under it."""
    now = NodeNow(name="one", address="", release="1", process="p")
    beats = Heartbeat(postgresql_schema, 1, "m", lambda: now)
    with closing(connect(postgresql_schema)) as connection:
        with pytest.raises(ClusterError, match="a table of the nodes is missing in it"):
            beats.beat()
        with pytest.raises(ClusterError, match="a table of the nodes is missing in it"):
            tables.bring_up(connection, begin=False)
        asked = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        assert connection.execute(asked).fetchone() == (0,)
        tables.bring_up(connection)
        tables.bring_up(connection, begin=False)
        assert version(connection) == (tables.VERSION, tables.OLDEST)
