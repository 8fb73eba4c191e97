"""The view is what the tables say, by the database's clock."""

from __future__ import annotations

import psycopg
import pytest

from node_rows import NOW_MS, A, B, cluster, is_away, lead
from switchhook.cluster.view import UNKNOWN_DAYS, NodeState
from switchhook.cluster.view_queries import read_view


def test_an_empty_cluster_is_read(postgresql_schema):
    with cluster(postgresql_schema) as connection:
        view = read_view(connection, NOW_MS)
    assert (view.id, view.nodes, view.leader, view.days_ahead) == ("c1", (), None, UNKNOWN_DAYS)


def test_each_node_is_as_it_said(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), (B, "b"), leads=A) as connection:
        connection.execute(
            "UPDATE cluster_node SET state = 'draining', clock_ms = -1500, last_seq = 120,"
            " segments = 2, waiting_bytes = 5000, one_copy = 2, problems = '{full}'"
            " WHERE node = %s",
            (B,),
        )
        connection.execute(
            "INSERT INTO cluster_handed (node, seq, segment, hash, one_copy, at) VALUES"
            " (%s, 100, 's', 1, 3, clock_timestamp() - interval '40 s')",
            (B,),
        )
        is_away(connection, A, 25)
        view = read_view(connection, NOW_MS)
    a, b = view.nodes
    assert (a.name, a.away, a.behind, a.handed_ago_s) == ("a", True, 0, None)
    assert 25 <= a.seen_ago_s < 60
    assert (b.state, b.behind, b.segments, b.waiting_bytes) == (NodeState.DRAINING, 20, 2, 5000)
    assert 40 <= b.behind_s < 70
    assert (b.clock_ms, b.one_copy, b.problems) == (-1500, 5, ("full",))
    assert (view.leads.node, view.leader.epoch) == (A, 1)
    assert 0 < view.leader.left_s <= 10


def test_of_one_that_left_it_is_known_when_and_whether_anything_is_kept(postgresql_schema):
    def seen():
        return {each.name: each for each in read_view(connection, NOW_MS).nodes}

    with cluster(postgresql_schema, (A, "a"), (B, "b"), leads=A) as connection:
        assert (seen()["b"].left_ms, seen()["b"].kept) == (None, True)
        connection.execute(
            "UPDATE cluster_node SET state = 'left', left_at = clock_timestamp() - interval '90 s'"
            " WHERE node = %s",
            (B,),
        )
        left = seen()["b"]
        assert 90 <= left.left_ago_s < 120
        assert left.left_ms > left.joined_ms - 120_000
        assert not left.kept
        for table, columns, values in (
            ("cluster_handed", "seq, segment, hash", "5, 's', 1"),  # it has no place yet
            ("cluster_placed", "seq, at, steady", "5, 0, 0"),
        ):
            connection.execute(
                f"INSERT INTO {table} (node, {columns}) VALUES ({B}, {values})".encode()
            )
            assert seen()["b"].kept is (table == "cluster_handed")
        connection.execute("INSERT INTO cluster_place VALUES (1, %s, 5, 0, 0)", (B,))
        assert seen()["b"].kept


def test_who_led_in_an_hour_is_known_renewals_are_no_change(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), (B, "b"), leads=A) as connection:
        connection.execute("UPDATE cluster_lease SET expires_at = expires_at + interval '1 s'")
        lead(connection, B)
        lead(connection, A)
        connection.execute("UPDATE cluster_led SET since = since - interval '2 h' WHERE epoch = 1")
        view = read_view(connection, NOW_MS)
    assert [(each.epoch, each.node) for each in view.led] == [(3, A), (2, B)]


def test_partitions_count_from_today(postgresql_schema):
    with cluster(postgresql_schema) as connection:
        for ahead in range(4):
            day, low, high = connection.execute(
                "SELECT to_char(d, 'YYYYMMDD'), (extract(epoch FROM d) * 1000)::int8,"
                " (extract(epoch FROM d + interval '1 day') * 1000)::int8 FROM"
                " (SELECT date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC')"
                "  + make_interval(days => %s) AS d) AS one",
                (ahead,),
            ).fetchone()
            connection.execute(
                f"CREATE TABLE cluster_receipt_{day} PARTITION OF cluster_receipt"
                f" FOR VALUES FROM ({low}) TO ({high})".encode()
            )
        assert read_view(connection, NOW_MS).days_ahead == 3


def test_clones_and_undated_receipts_are_counted(postgresql_schema):
    with cluster(postgresql_schema, (A, "a")) as connection:
        connection.execute(
            "INSERT INTO cluster_conflict (node, seq, hash, segment, at) VALUES"
            " (11, 1, 1, 's', clock_timestamp()), (11, 2, 1, 's', clock_timestamp()),"
            " (22, 1, 1, 's', clock_timestamp() - interval '2 days')"
        )
        connection.execute(
            "INSERT INTO cluster_receipt_undated (node, seq, at, segment, kind, body, hash) VALUES"
            " (11, 1, 0, 's', 1, '', 1), (11, 2, 0, 's', -1, '', 1)"
        )
        view = read_view(connection, NOW_MS)
    assert [(each.node, each.count) for each in view.conflicts] == [(A, 2)]
    assert view.undated == 1


def test_a_database_that_is_no_cluster_s_is_said(postgresql_schema):
    with cluster(postgresql_schema) as connection:
        connection.execute("DROP TABLE cluster_lease CASCADE")
        with pytest.raises(psycopg.Error):
            read_view(connection, NOW_MS)
