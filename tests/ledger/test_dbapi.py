"""apsw behind Python's database interface: what SQLAlchemy relies upon."""

from __future__ import annotations

import apsw
import pytest

from switchhook.ledger import dbapi


@pytest.fixture
def connection():
    connection = dbapi.Connection(apsw.Connection(":memory:"))
    run(connection, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL) STRICT")
    yield connection
    connection.close()


def run(connection, statement, values=()):
    cursor = connection.cursor()
    cursor.execute(statement, values)
    return cursor


def test_columns_are_told_where_no_row_is_found(connection):
    cursor = run(connection, "SELECT a, b FROM t")
    assert [column[0] for column in cursor.description] == ["a", "b"]
    assert (cursor.fetchone(), cursor.fetchall(), cursor.rowcount) == (None, [], -1)


def test_changes_are_counted(connection):
    cursor = run(connection, "INSERT INTO t VALUES (7, 'x'), (9, 'y')")
    assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (2, 9, None)
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [(1, "a"), (2, "b"), (3, "c")])
    assert (cursor.rowcount, cursor.lastrowid) == (3, 3)
    cursor = run(connection, "DELETE FROM t WHERE a < ? RETURNING a", (4,))
    assert cursor.fetchmany(2) == [(1,), (2,)]
    assert cursor.fetchall() == [(3,)]


def test_a_transaction_takes_the_one_writing_place_at_once(tmp_path):
    path = str(tmp_path / "d.sqlite")
    first, second = (dbapi.Connection(apsw.Connection(path)) for _ in range(2))
    first.begin()
    with pytest.raises(dbapi.OperationalError) as refused:
        second.begin()
    assert isinstance(refused.value.__cause__, apsw.BusyError)
    first.rollback()
    second.begin()
    second.autocommit = True
    second.begin()  # nothing: each statement stands alone
    second.commit()
    second.commit()
    for each in (first, second):
        each.close()


@pytest.mark.parametrize(
    "statement, values, kind",
    [
        ("INSERT INTO t VALUES (1, NULL)", (), dbapi.IntegrityError),
        ("INSERT INTO t VALUES ('x', 'y')", (), dbapi.DataError),
        ("SELECT nothing", (), dbapi.ProgrammingError),
        ("SELECT ?", (), dbapi.ProgrammingError),
    ],
)
def test_errors_are_of_a_kind(connection, statement, values, kind):
    with pytest.raises(kind) as refused:
        run(connection, statement, values)
    assert isinstance(refused.value.__cause__, apsw.Error)


def test_a_closed_connection_says_so(connection):
    connection.close()
    with pytest.raises(apsw.ConnectionClosedError):
        connection.cursor()
