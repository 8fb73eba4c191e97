"""The ledger: migrated, written by one at a time, read by any, and explained where it can't be."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.errors import LedgerError
from switchhook.ledger.sqlite import SqliteFile
from switchhook.sqlite_file import is_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, MetaData, Table

    from switchhook.ledger.postgresql import PostgresqlServer

    Migration = str | Callable[[Connection], None]
    """SQL of SQLite, from before there was PostgreSQL; or what both can do."""


class Ledger:
    """The ledger in a folder, or at the URL of a PostgreSQL database; made where it is missing.

    Number n of `migrations` leads from version n to n + 1; all that are due run in one transaction.
    They end with the tables of `topics`. Any thread may use it. Raises LedgerError.
    """

    def __init__(
        self, place: Path | str, migrations: Sequence[Migration], topics: Sequence[MetaData] = ()
    ) -> None:
        self._migrations = migrations
        self._topics = topics
        self._lock = threading.Lock()
        self._problems: dict[str, LedgerError] = {}
        self._home = SqliteFile(place) if isinstance(place, Path) else _server(place)
        try:
            self._home.migrate(self._migrate)
            self.keep_note()
        except BaseException:
            self._home.close()
            raise

    @property
    def name(self) -> str:
        """Where it is, as people are told."""
        return self._home.name

    @property
    def tables(self) -> list[Table]:
        """All that it has, by name."""
        found = [table for topic in self._topics for table in topic.tables.values()]
        return sorted(found, key=lambda table: table.name)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the one writer, durable when it ends well. Raises LedgerError.

        What it reads stays true until it ends: commands may write the ledger beside the console.
        """
        with self._noting("write"), self._lock:
            self._check_place()
            with self._home.write.begin() as connection:
                self._home.take_turn(connection)
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that can't write. Raises LedgerError."""
        with self._noting("read"):
            self._check_place()
            with self._home.read.connect() as connection:
                yield connection

    @property
    def problem(self) -> LedgerError | None:
        """Why it can't be written or read, as of the last try; None where it could."""
        return self._home.away() or next(iter(self._problems.values()), None)

    def keep_note(self) -> None:
        """Note in the data folder which ledger this is and how far it has come, where that changed.

        Raises LedgerError.
        """
        if self.problem is None:
            self._home.keep_note()

    def rewrite(self) -> None:
        """Write it anew, so that nothing is left of what was deleted. Raises LedgerError."""
        self._home.rewrite(self.tables)

    def raw(self, overlap: int) -> Iterator[bytes]:
        """The bytes in which it is kept, by pieces with the first `overlap` of the next, too.

        Nothing of what was deleted is in what it can't show. Raises LedgerError.
        """
        return self._home.raw(self.tables, overlap)

    def close(self) -> None:
        with suppress(LedgerError):  # the next to open it notes it
            self.keep_note()
        self._home.close()

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            with self._home.explained():
                yield
        except LedgerError as error:
            self._problems[what] = error
            if error.__cause__ is not None and is_damage(error.__cause__):
                self._problems["damage"] = error  # a page that can be read mends no other
            raise
        if self._problems:
            self._problems.pop(what, None)

    def _check_place(self) -> None:
        if (error := self._home.away()) is not None:
            raise error

    def _migrate(self, connection: Connection) -> None:
        version, newest = self._home.version(connection), len(self._migrations)
        if version > newest:
            problem = f"it has version {version}, this release knows version {newest}"
            raise LedgerError(self.name, problem, "run the release that wrote it, or a later")
        if version == newest:
            return
        if not version and self._home.begins_at_the_head:
            for topic in self._topics:
                topic.create_all(connection, checkfirst=False)
        else:
            for number in range(version, newest):
                _run(connection, self._migrations[number])
        self._home.note_version(connection, newest)


def _run(connection: Connection, migration: Migration) -> None:
    if isinstance(migration, str):
        assert connection.dialect.name == "sqlite", "PostgreSQL's ledgers began later"
        connection.exec_driver_sql(migration)
    else:
        migration(connection)


def _server(url: str) -> PostgresqlServer:
    from switchhook.ledger.postgresql import PostgresqlServer

    return PostgresqlServer(url)
