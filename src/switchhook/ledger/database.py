"""The ledger: migrated, written by one at a time, read by any, and explained where it can't be."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from switchhook.errors import LedgerError, NotLeaderError
from switchhook.ledger.sqlite import SqliteFile
from switchhook.postgresql_server import is_away
from switchhook.sqlite_file import is_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, MetaData, Table

    from switchhook.ledger.postgresql import PostgresqlServer
    from switchhook.postgresql_server import Url

    Migration = str | Callable[[Connection], None]
    """SQL of SQLite, from before there was PostgreSQL; or what both can do."""


class Fence(Protocol):
    """The right to write for all nodes: `sql` gives a row while the epoch leads."""

    @property
    def epoch(self) -> int: ...
    @property
    def sql(self) -> str: ...


_WAY = "reach"
"""What fails where its server is not reached: it is over once anything was done there."""


class Ledger:
    """The ledger in a folder, or at the URL of a PostgreSQL database; made where it is missing.

    Number n of `migrations` leads from version n to n + 1; all that are due run in one transaction.
    They end with the tables of `topics`. Any thread may use it. Raises LedgerError.

    `oldest` is the oldest version whose release can still work with those tables, so that nodes are
    upgraded one by one, and a release can be gone back from; None is no older one. A ledger of a
    newer release is used as it is where that said the same of ours.

    With a `fence` it is written while that holds only: a write of an epoch that leads no more is
    refused, by a LedgerError whose cause is a NotLeaderError.
    """

    def __init__(
        self,
        place: Path | Url,
        migrations: Sequence[Migration],
        topics: Sequence[MetaData] = (),
        *,
        fence: Fence | None = None,
        oldest: int | None = None,
    ) -> None:
        self._fence = fence
        self._oldest = len(migrations) if oldest is None else oldest
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
    def fenced(self) -> bool:
        """Whether it is written only while its fence holds: another node may write it next."""
        return self._fence is not None

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
            with self._home.sharing(), self._home.write.begin() as connection:
                self._home.take_turn(connection)
                self._hold_fence(connection)
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that can't write. Raises LedgerError."""
        with self._noting("read"):
            self._check_place()
            with self._home.sharing(), self._home.read.connect() as connection:
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
            self._problems[_WAY if is_away(error) else what] = error
            if error.__cause__ is not None and is_damage(error.__cause__):
                self._problems["damage"] = error  # a page that can be read mends no other
            raise
        if self._problems:
            self._problems.pop(what, None)
            self._problems.pop(_WAY, None)

    def _check_place(self) -> None:
        if (error := self._home.away()) is not None:
            raise error

    def _hold_fence(self, connection: Connection) -> None:
        fence = self._fence
        if fence is None or connection.exec_driver_sql(fence.sql).first() is not None:
            return
        cause = NotLeaderError(fence.epoch)
        raise LedgerError(self.name, cause.problem, cause.hint) from cause

    def _migrate(self, connection: Connection) -> None:
        version, newest = self._home.version(connection), len(self._migrations)
        if version > newest:
            self._refuse_newer(connection, version)
        if version >= newest:
            return
        if not version and self._home.begins_at_the_head:
            for topic in self._topics:
                topic.create_all(connection, checkfirst=False)
        else:
            for number in range(version, newest):
                _run(connection, self._migrations[number])
        self._home.sample_no_text(connection, self.tables)
        self._home.note_version(connection, newest, self._oldest)

    def _refuse_newer(self, connection: Connection, version: int) -> None:
        """Raises LedgerError where a newer release left nothing that ours could use."""
        oldest = self._home.oldest(connection)
        refuse_newer(self.name, version, oldest, len(self._migrations))


def refuse_newer(name: str, version: int, oldest: int | None, newest: int) -> None:
    """Whether a release that knows `newest` can use a ledger's version. Raises LedgerError.

    `oldest` is the oldest version whose release can; None is no older one.
    """
    if version <= newest or (oldest is not None and oldest <= newest):
        return
    problem = f"it has version {version}, this release knows version {newest}"
    if oldest is not None:
        problem += f", and it is of no use to releases that don't know version {oldest}"
    raise LedgerError(name, problem, "run the release that wrote it, or a later")


def _run(connection: Connection, migration: Migration) -> None:
    if isinstance(migration, str):
        assert connection.dialect.name == "sqlite", "PostgreSQL's ledgers began later"
        connection.exec_driver_sql(migration)
    else:
        migration(connection)


def _server(url: Url) -> PostgresqlServer:
    from switchhook.ledger.postgresql import PostgresqlServer

    return PostgresqlServer(url)
