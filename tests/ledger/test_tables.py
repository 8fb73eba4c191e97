"""The ledger's tables: the same on SQLite and PostgreSQL, migrated or new."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from sqlalchemy import create_engine, inspect

from switchhook.ledger import dbapi, dialect
from switchhook.server.tables import MIGRATIONS, TOPICS, open_ledger

SHAPE = (
    "SELECT name, strict, wr FROM pragma_table_list WHERE name = ?",
    "SELECT name, type, pk, replace(dflt_value, 'FALSE', '0') FROM pragma_table_xinfo(?)",
    """SELECT "table", "from", ifnull("to", 'id'), on_update, on_delete
       FROM pragma_foreign_key_list(?)""",
)
"""What SQLite tells of a table."""


@pytest.fixture
def head(tmp_path):
    """A file that has the tables as they are described, made in one go."""
    path = str(tmp_path / "head.sqlite")
    engine = create_engine(f"{dialect.NAME}://", creator=lambda: dbapi.Connection(raw(path)))
    with engine.begin() as connection:
        for topic in TOPICS:
            topic.create_all(connection, checkfirst=False)
    engine.dispose()
    return path


def raw(path):
    return apsw.Connection(str(path))


def shapes(path):
    """Each table with its columns, references and indexes; each trigger with its words."""
    connection = raw(path)
    named = "SELECT name, sql FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite%'"
    found = {}
    for name, _ in connection.execute(named, ("table",)).fetchall():
        told = [sorted(connection.execute(asked, (name,)), key=str) for asked in SHAPE]
        nulls = 'SELECT name FROM pragma_table_xinfo(?) WHERE NOT "notnull" AND NOT pk'
        told += [sorted(connection.execute(nulls, (name,)))]
        found[name] = (*told, sorted(indexes(connection, name), key=str))
    triggers = connection.execute(named, ("trigger",))
    return found, sorted((name, " ".join(sql.split())) for name, sql in triggers)


def indexes(connection, table):
    asked = 'SELECT name, "unique", origin, partial FROM pragma_index_list(?)'
    for name, unique, origin, partial in connection.execute(asked, (table,)).fetchall():
        columns = connection.execute("SELECT name FROM pragma_index_info(?)", (name,)).fetchall()
        where = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).get
        told = " ".join((where or "").lower().replace("'", "").partition(" where ")[2].split())
        yield (name if origin == "c" else None), unique, origin, partial, columns, told


def test_a_migrated_file_and_a_new_one_have_the_same_tables(tmp_path, head):
    """Step by step from the first version, and as the code describes them: both or neither."""
    open_ledger(tmp_path / "ledger").close()
    migrated, triggers = shapes(tmp_path / "ledger" / "ledger.sqlite")
    new, guards = shapes(head)
    assert migrated == new
    assert triggers == guards
    assert len(migrated) == sum(len(topic.tables) for topic in TOPICS)


def test_each_step_is_taken_once_whatever_the_version_was(tmp_path):
    """A file of any release comes to the same tables."""
    whole = tmp_path / "whole"
    open_ledger(whole).close()
    expected = shapes(whole / "ledger.sqlite")
    for version in range(1, len(MIGRATIONS)):
        folder = tmp_path / str(version)
        older(folder, version)
        open_ledger(folder).close()
        assert shapes(folder / "ledger.sqlite") == expected, version


def older(folder: Path, version: int) -> None:
    """A ledger's file as a release of that version left it."""
    from switchhook.ledger.database import Ledger

    Ledger(folder, MIGRATIONS[:version]).close()


def test_postgresql_has_the_same_tables(postgresql_schema):
    """By name: columns, which may be null, keys, references and indexes."""
    ledger = open_ledger(postgresql_schema)
    with ledger.reading() as connection:
        found = inspect(connection)
        assert set(found.get_table_names()) == {
            *(table.name for table in ledger.tables),
            "ledger_version",
        }
        for table in ledger.tables:
            columns = {each["name"]: each["nullable"] for each in found.get_columns(table.name)}
            assert columns == {each.name: bool(each.nullable) for each in table.columns}
            key = found.get_pk_constraint(table.name)["constrained_columns"]
            assert key == [each.name for each in table.primary_key.columns]
            named = {
                each["name"]
                for each in found.get_indexes(table.name)
                if not each.get("duplicates_constraint")
            }
            assert named == {each.name for each in table.indexes}
    ledger.close()


def test_every_table_is_checked_by_sqlite_as_by_postgresql():
    """A number in a column of texts is refused by both."""
    tables = [table for topic in TOPICS for table in topic.tables.values()]
    assert all(table.dialect_options["sqlite"]["strict"] for table in tables)
