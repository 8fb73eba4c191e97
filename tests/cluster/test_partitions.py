"""The tables of days: made once, whoever comes first, and in nobody's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from switchhook.cluster import tables
from switchhook.cluster.days import first_ms, table_of
from switchhook.cluster.partitions import days_there, make_days
from switchhook.postgresql_server import connect

DAY = 20_000
ROW = (
    "INSERT INTO cluster_receipt (node, seq, at, segment, kind, body, hash)"
    " VALUES (7, %s, %s, '', 1, '', 0)"
)


@pytest.fixture
def database(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        tables.bring_up(connection)
        yield connection


def test_of_nodes_that_need_them_at_once_each_goes_on(database, postgresql_schema):
    def make(first):
        with closing(connect(postgresql_schema)) as connection:
            make_days(connection, range(first, first + 5))

    with ThreadPoolExecutor(4) as many:
        list(many.map(make, range(DAY, DAY + 4)))
    assert days_there(database) == set(range(DAY, DAY + 8))
    database.execute(ROW, (1, first_ms(DAY)))
    database.execute(ROW, (2, first_ms(DAY + 1) - 1))
    found = database.execute(f"SELECT count(*) FROM {table_of(DAY)}".encode()).fetchone()
    assert found == (2,)


def test_nobody_who_writes_is_waited_for_or_waits(database, postgresql_schema):
    make_days(database, [DAY])
    with closing(connect(postgresql_schema)) as other, other.transaction():
        other.execute(ROW, (1, first_ms(DAY)))
        make_days(database, [DAY + 1])
        other.execute(ROW, (2, first_ms(DAY + 1)))
    assert days_there(database) == {DAY, DAY + 1}


def test_where_somebody_holds_the_tables_nothing_is_made(database, postgresql_schema):
    with closing(connect(postgresql_schema)) as other, other.transaction():
        other.execute("LOCK TABLE cluster_receipt IN SHARE UPDATE EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            make_days(database, [DAY])
    assert days_there(database) == set()
    make_days(database, [DAY])
    assert days_there(database) == {DAY}


def test_a_day_that_was_detached_and_not_dropped_comes_back(database):
    make_days(database, [DAY])
    database.execute(ROW, (1, first_ms(DAY)))
    database.execute(f"ALTER TABLE cluster_receipt DETACH PARTITION {table_of(DAY)}".encode())
    make_days(database, [DAY])
    assert database.execute("SELECT seq FROM cluster_receipt").fetchall() == [(1,)]


def test_no_statistics_tell_of_requests_that_are_erased(database):
    make_days(database, [DAY])
    for seq in range(50):
        database.execute(
            "INSERT INTO cluster_receipt (node, seq, at, segment, kind, body, hash)"
            " VALUES (7, %s, %s, '', 1, 'From=%%2B919876543210', 0)",
            (seq, first_ms(DAY)),
        )
    database.execute(f"ANALYZE cluster_receipt, {table_of(DAY)}".encode())
    told = database.execute(
        "SELECT tablename, attname FROM pg_stats WHERE schemaname = current_schema()"
    ).fetchall()
    assert (table_of(DAY), "segment") in told
    assert not [table for table, column in told if column == "body"]
