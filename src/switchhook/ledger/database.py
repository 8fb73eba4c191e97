"""The ledger's file: opened, migrated, written by one at a time, read by any."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import apsw

from switchhook.errors import LedgerError
from switchhook.ledger import (
    access,
    alerts,
    calls,
    capacity,
    issues,
    keeping,
    second_factors,
    views,
)
from switchhook.sqlite_file import file_id, make_private, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "ledger.sqlite"
APPLICATION_ID = 0x53574C31  # "SWL1"
BUSY_MS = 5_000

MIGRATIONS = (
    access.TABLES,
    capacity.TABLES,
    alerts.TABLES,
    issues.TABLES,
    calls.TABLES,
    views.TABLES,
    keeping.TABLES,
    keeping.TRUSTED_TABLE,
    second_factors.TABLES,
)
"""Number n leads from version n to n + 1; all that are due run in one transaction."""


_DAMAGED = (apsw.CorruptError, apsw.NotADBError)
_UNSURE = (apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)
"""After these a connection may not know its file any more; a new one may."""


class Ledger:
    """The ledger in a folder; made where it is missing. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._local = threading.local()
        self._problems: dict[str, LedgerError] = {}
        with self.explained():
            folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileExistsError):
                make_private(self.path)
            self._file = file_id(self.path)
            self._writer = self._connect()
            self._migrate()

    @property
    def problem(self) -> LedgerError | None:
        """Why it can't be written or read, as of the last try; None where it could."""
        return next(iter(self._problems.values()), None)

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """A transaction of the one writer, durable when it ends well. Raises LedgerError.

        What it reads stays true until it ends: commands may write the ledger beside the console.
        """
        with self._noting("write"), self._lock:
            self._check_place()
            try:
                with transaction(self._writer):
                    yield self._writer
            except (*_UNSURE, *_DAMAGED):
                self._connect_again()
                raise

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection of this thread's own, which can't write. Raises LedgerError."""
        with self._noting("read"):
            self._check_place()
            connection: apsw.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._connect()
                connection.pragma("query_only", 1)
            try:
                yield connection
            except (*_UNSURE, *_DAMAGED):
                self._local.connection = None  # the next one is a new one
                raise

    def close(self) -> None:
        """Close the writer; readers close with their threads."""
        self._writer.close()

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            with self.explained():
                yield
        except LedgerError as error:
            self._problems[what] = error
            raise
        if self._problems:
            self._problems.pop(what, None)

    def _check_place(self) -> None:
        """LedgerError where our file is not the one under its name: what it is told would be lost.

        It is never made anew: what it knows is known nowhere else.
        """
        if file_id(self.path) != self._file:
            problem = "it was taken away, or another file was put in its place"
            hint = "put it back, or restore it from a backup and start switchhook again"
            raise LedgerError(str(self.path), problem, hint)

    def _connect_again(self) -> None:
        """A new writer in place of one that may not be trusted any more."""
        with suppress(apsw.Error):
            self._writer.close()
        self._writer = self._connect()

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", 1)
        connection.pragma("secure_delete", 1)  # what is erased is gone from the file, too
        return connection

    def _migrate(self) -> None:
        with transaction(self._writer):
            self._migrate_alone()

    def _migrate_alone(self) -> None:
        application = self._writer.pragma("application_id")
        version = self._writer.pragma("user_version")
        if application not in (0, APPLICATION_ID) or (version and not application):
            raise LedgerError(
                str(self.path), "it is no ledger of ours", "move the file away and look at it"
            )
        if version > len(MIGRATIONS):
            problem = f"it has version {version}, this release knows version {len(MIGRATIONS)}"
            raise LedgerError(str(self.path), problem, "run the release that wrote it, or a later")
        for number in range(version, len(MIGRATIONS)):
            self._writer.execute(MIGRATIONS[number])
            self._writer.pragma("application_id", APPLICATION_ID)
            self._writer.pragma("user_version", number + 1)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what SQLite and the system refuse into a sentence with what to do."""
        try:
            yield
        except (apsw.FullError, apsw.IOError) as error:
            raise LedgerError(
                str(self.path), str(error).lower(), "make room on its disk"
            ) from error
        except (apsw.CorruptError, apsw.NotADBError) as error:
            hint = "restore it from a backup: switchhook restore"
            raise LedgerError(str(self.path), f"it is damaged: {error}", hint) from error
        except (apsw.BusyError, apsw.CantOpenError, apsw.ReadOnlyError, OSError) as error:
            hint = "check the disk, and that switchhook's user owns the file"
            raise LedgerError(str(self.path), str(error).lower(), hint) from error
