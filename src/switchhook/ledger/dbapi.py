"""apsw with the face of Python's database interface 2.0 (PEP 249): as much as SQLAlchemy needs.

A connection begins a transaction when it is told to (`begin`), and takes SQLite's one writing place
at once, so that what it reads stays true. In autocommit each statement stands alone. Connections
are made by `switchhook.ledger.sqlite`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import apsw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

apilevel = "2.0"
threadsafety = 1
"""Threads may share the module, not a connection."""
paramstyle = "qmark"
sqlite_version_info = tuple(map(int, apsw.sqlite_lib_version().split(".")))

Binary = bytes


class Error(Exception):
    """Base of all; its `__cause__` is what apsw raised."""


class InterfaceError(Error):
    """A closed connection or cursor was used."""


class DatabaseError(Error):
    """What SQLite said."""


class DataError(DatabaseError):
    """A value that a column can't hold."""


class OperationalError(DatabaseError):
    """The file, its disk, or somebody else who writes it."""


class IntegrityError(DatabaseError):
    """A constraint, or a trigger that refuses."""


class InternalError(DatabaseError):
    """SQLite is at odds with itself."""


class ProgrammingError(DatabaseError):
    """A statement that is wrong, or values that don't fit it."""


_KINDS: tuple[tuple[type[Exception], type[Error]], ...] = (
    (apsw.ConstraintError, IntegrityError),
    (apsw.MismatchError, DataError),
    (apsw.TooBigError, DataError),
    (apsw.SQLError, ProgrammingError),
    (apsw.BindingsError, ProgrammingError),
    (apsw.InternalError, InternalError),
    (apsw.ConnectionClosedError, InterfaceError),
    (apsw.CursorClosedError, InterfaceError),
    (apsw.Error, OperationalError),
)


def _error_of(error: apsw.Error) -> Error:
    kind = next(ours for theirs, ours in _KINDS if isinstance(error, theirs))
    return kind(str(error))


class Connection:
    """A connection of apsw's, as the interface has one."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.apsw = connection
        self.autocommit = False

    def cursor(self) -> Cursor:
        return Cursor(self.apsw)

    def begin(self) -> None:
        """Begin a transaction that may write; in autocommit nothing."""
        if not self.autocommit:
            self._execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        if self.apsw.in_transaction:
            self._execute("COMMIT")

    def rollback(self) -> None:
        """Undo what was begun; SQLite may have done so by itself (a full disk, an I/O error).

        What fails meanwhile must not hide why it is undone.
        """
        with suppress(apsw.Error):
            if self.apsw.in_transaction:
                self.apsw.execute("ROLLBACK")

    def close(self) -> None:
        self.apsw.close()

    def _execute(self, statement: str) -> None:
        try:
            self.apsw.execute(statement)
        except apsw.Error as error:
            raise _error_of(error) from error


class Cursor:
    """Runs statements, one or several at once; rows are read when they are asked for."""

    arraysize = 1

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._cursor.exec_trace = self._about_to_run
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        """Rows that were changed; -1 where rows are read."""
        self.lastrowid: int | None = None

    def execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        try:
            self._cursor.execute(statement, values)
        except apsw.Error as error:
            raise _error_of(error) from error
        self._note(self._connection.changes())

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        changes = 0
        for values in rows:
            self.execute(statement, values)
            changes += self._connection.changes()
        self._note(changes)

    def fetchone(self) -> Any:
        try:
            return self._cursor.fetchone()
        except apsw.Error as error:
            raise _error_of(error) from error

    def fetchmany(self, size: int = arraysize) -> list[Any]:
        found: list[Any] = []
        while len(found) < size and (row := self.fetchone()) is not None:
            found.append(row)
        return found

    def fetchall(self) -> list[Any]:
        try:
            return self._cursor.fetchall()
        except apsw.Error as error:
            raise _error_of(error) from error

    def close(self) -> None:
        self._cursor.close(True)

    def _about_to_run(self, cursor: apsw.Cursor, *_: object) -> bool:
        """Afterwards a statement that found no row tells no columns any more."""
        columns = cursor.get_description()
        self.description = [(name, kind, *(None,) * 5) for name, kind in columns] or None
        return True

    def _note(self, changes: int) -> None:
        self.rowcount = changes if self.description is None else -1
        self.lastrowid = self._connection.last_insert_rowid()
