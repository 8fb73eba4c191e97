"""The view is read each second; while the database is away it says how old it is."""

from __future__ import annotations

from node_rows import NOW_MS, A, cluster
from program import until
from switchhook.cluster.watch import ClusterWatch


def test_it_follows(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), leads=A) as connection:
        watch = ClusterWatch(postgresql_schema, lambda: NOW_MS)
        watch.start()
        try:
            until(lambda: watch.now().leads is not None, "the leader")
            connection.execute("UPDATE cluster_node SET name = 'other'")
            until(lambda: watch.now().label(A) == "other", "the new name")
        finally:
            watch.stop()


def test_away_the_last_view_stays_with_the_problem_and_since_when(postgresql_schema):
    times = iter([NOW_MS, NOW_MS + 1_000, NOW_MS + 9_000])
    with cluster(postgresql_schema, (A, "a"), leads=A) as connection:
        watch = ClusterWatch(postgresql_schema, lambda: next(times))
        assert watch.look().problem == ""
        connection.execute("ALTER TABLE cluster_lease RENAME TO gone")
        first = watch.look()
        assert (first.read_ms, first.since_problem_ms) == (NOW_MS, NOW_MS + 1_000)
        assert "a table of the nodes is missing" in first.problem
        assert first.label(A) == "a"
        connection.execute("ALTER TABLE gone RENAME TO cluster_lease")
        back = watch.look()
    watch.stop()
    assert (back.problem, back.since_problem_ms, back.read_ms) == ("", None, NOW_MS + 9_000)


def test_a_database_that_nobody_runs_is_a_problem_and_no_more():
    watch = ClusterWatch("postgresql://127.0.0.1:1/none", lambda: NOW_MS)
    assert watch.look().problem
    assert watch.now().read_ms == 0
    assert watch.problems() == ()
    watch.stop()


def test_it_knows_for_how_long_the_database_was_there(postgresql_schema):
    """Looks that are far apart, as we were frozen or it was away, tell of no time between."""
    times = iter([10.0, 11.0, 14.5, 40.0, 41.0])
    with cluster(postgresql_schema, (A, "a"), leads=A) as connection:
        watch = ClusterWatch(postgresql_schema, lambda: NOW_MS, lambda: next(times))
        assert [watch.look().reached_s for _ in range(3)] == [0.0, 1.0, 4.5]
        connection.execute("ALTER TABLE cluster_lease RENAME TO gone")
        assert watch.look().problem
        connection.execute("ALTER TABLE gone RENAME TO cluster_lease")
        assert [watch.look().reached_s for _ in range(2)] == [0.0, 1.0]
    watch.stop()
