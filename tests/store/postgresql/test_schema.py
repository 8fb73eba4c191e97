"""The tables of several releases beside each other: each folds its own, and none is left behind."""

import pytest

from switchhook.store.postgresql import schema
from switchhook.store.postgresql.connections import connect_writing
from switchhook.store.postgresql.statements import PREFIX


@pytest.fixture
def connection(postgresql_schema):
    with connect_writing(postgresql_schema) as connection:
        yield connection


def tables(connection):
    return {
        name
        for (name,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
    }


def of_another_release(connection, unused_for):
    connection.execute("CREATE TABLE store5_progress (used_at timestamptz NOT NULL)")
    connection.execute("CREATE TABLE store5_stream (seq bigint)")
    connection.execute(
        "INSERT INTO store5_progress VALUES (clock_timestamp() - %s::interval)", (unused_for,)
    )


def test_tables_are_made_once(connection):
    schema.create(connection)
    made = connection.execute(f"SELECT made FROM {PREFIX}progress".encode()).fetchone()
    schema.create(connection)
    assert tables(connection) == set(schema.names())
    assert connection.execute(f"SELECT made FROM {PREFIX}progress".encode()).fetchone() == made


def test_what_another_release_used_today_stays(connection):
    schema.create(connection)
    of_another_release(connection, "23 hours")
    assert schema.drop_unused(connection) == []
    assert {"store5_progress", "store5_stream"} < tables(connection)


def test_what_nobody_used_for_a_day_goes_and_nothing_else(connection):
    schema.create(connection)
    of_another_release(connection, "25 hours")
    connection.execute("CREATE TABLE store55_stream (seq bigint)")
    connection.execute(f"UPDATE {PREFIX}progress SET used_at = now() - interval '9 days'".encode())
    assert schema.drop_unused(connection) == ["store5_"]
    assert tables(connection) == {*schema.names(), "store55_stream"}


def test_emptied_tables_are_other_ones(connection):
    schema.create(connection)
    made = connection.execute(f"SELECT made FROM {PREFIX}progress".encode()).fetchone()
    connection.execute(f"INSERT INTO {PREFIX}late VALUES (1, 2)".encode())
    schema.empty(connection)
    ((seq, anew),) = connection.execute(f"SELECT seq, made FROM {PREFIX}progress".encode())
    assert seq == 0
    assert anew != made
    assert connection.execute(f"SELECT count(*) FROM {PREFIX}late".encode()).fetchone() == (0,)


def test_no_statistics_tell_of_numbers_that_are_erased(connection):
    schema.create(connection)
    for seq in range(50):
        connection.execute(
            f"INSERT INTO {PREFIX}caller VALUES (0, '919876543210', %s)".encode(), (seq,)
        )
    connection.execute(f"ANALYZE {PREFIX}caller".encode())
    told = connection.execute(
        "SELECT attname FROM pg_stats WHERE schemaname = current_schema() AND tablename = %s",
        (f"{PREFIX}caller",),
    ).fetchall()
    assert sorted(told) == [("bucket",), ("seq",)]
