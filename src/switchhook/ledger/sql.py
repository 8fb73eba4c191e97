"""What SQLite and PostgreSQL spell differently, and how a table is changed in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Double,
    Integer,
    LargeBinary,
    TypeDecorator,
    func,
    insert,
)
from sqlalchemy import Text as AnyText
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateColumn

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection, Dialect, Table
    from sqlalchemy.types import TypeEngine

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 64 bits; a time is one in Unix milliseconds or microseconds, as its name says.

As the only column of a primary key, left out of an INSERT, it counts by itself.
"""


def has_room(number: int) -> bool:
    """Whether a `Number` can be it; neither database can even be asked for one that can't."""
    return -(2**63) <= number < 2**63


Text = AnyText().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Any text; compared and ordered by code point, whatever the server's language is."""
Blob = LargeBinary()
Real: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
"""A number with a fraction, of 64 bits."""


class Flag(TypeDecorator[bool]):
    """A boolean; SQLite's strict tables have numbers only."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[bool]:
        known = Integer() if dialect.name == "sqlite" else Boolean()
        return cast("TypeEngine[bool]", dialect.type_descriptor(known))

    def process_result_value(self, value: object, _: Dialect) -> bool | None:
        return None if value is None else bool(value)


STRICT: dict[str, Any] = {"sqlite_strict": True}
"""For each table: SQLite checks types, as PostgreSQL does."""
KEYED: dict[str, Any] = {**STRICT, "sqlite_with_rowid": False}
"""For tables whose key is no number: SQLite orders their rows by it."""
COUNTED: dict[str, Any] = {**STRICT, "sqlite_autoincrement": True}
"""For tables whose numbers are never given twice, not even after their row has gone."""


def has(column: Column[str], text: str) -> ColumnElement[bool]:
    """Whether a text is in a column's, letter for letter; LIKE differs between the two."""
    return func.replace(column, text, "") != column


def upsert(connection: Connection, table: Table) -> sqlite.Insert:
    """An INSERT that may say `on_conflict_do_update`, `on_conflict_do_nothing`.

    The two databases have it in the same words, but each in a class of its own.
    """
    if connection.dialect.name == "postgresql":
        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


def put(connection: Connection, table: Table, **values: Any) -> None:
    """Insert a row, in the place of the one that has its key."""
    row = upsert(connection, table).values(values)
    key = [column.name for column in table.primary_key]
    change = {name: row.excluded[name] for name in values if name not in key}
    connection.execute(row.on_conflict_do_update(index_elements=key, set_=change))


def add(connection: Connection, table: Table, **values: Any) -> int:
    """Insert a row that is numbered by the database; its number."""
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    number: int = key[0]
    return number


def add_column(connection: Connection, table: str, column: Column[object]) -> None:
    """Add a column to a table, in a migration. Where it can't be null it needs a default."""
    words = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {words}")
