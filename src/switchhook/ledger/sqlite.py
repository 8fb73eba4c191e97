"""The ledger's file: opened, recognised, missed, and kept the one that belongs to its folder."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from switchhook.errors import LedgerError
from switchhook.ledger import belonging, dbapi, dialect
from switchhook.sqlite_file import (
    RawFile,
    add_checksums,
    connect_checked,
    damage_text,
    file_id,
    is_damage,
    make_private,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

FILE = "ledger.sqlite"
APPLICATION_ID = 0x53574C31  # "SWL1"
BUSY_MS = 5_000
_READERS = 4
"""Connections that stay open between two readings; more are made where more are needed."""
_RESTORE = "restore it from a backup: switchhook restore BACKUP --ledger-only"
_BACK = "stop the console, then bring it back, or: switchhook restore BACKUP --ledger-only"
_TRIES, _PAUSE_S = 20, 0.05

CHECKED_VERSION = 11
"""From this one on pages have checksums."""


class SqliteFile:
    """The ledger's file in a folder; made where it is missing.

    In a data folder only the ledger that belongs to it is opened. Raises LedgerError.
    """

    begins_at_the_head = False
    """A new file takes the same steps as those in the field."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.name = str(self.path)
        self._noting = threading.Lock()
        with self.explained():
            self._note_file = belonging.note_file(folder)
            self._note = None if self._note_file is None else belonging.read_note(self._note_file)
            if not self.path.exists():
                self._check(None)
                folder.mkdir(mode=0o700, exist_ok=True)
                with suppress(FileExistsError):
                    make_private(self.path)
            self._file = file_id(self.path)
            with closing(self._connect()) as connection:
                self._check(connection)
                if 0 < self._recognise(connection) < CHECKED_VERSION:
                    add_checksums(connection)
        self.sharing = nullcontext[object]
        self.write = _engine(self._connect)
        self.read = _engine(self._connect_to_read, autocommit=True)

    def away(self) -> LedgerError | None:
        """That our file is not the one under its name: what it is told would be lost.

        It is never made anew: what it knows is known nowhere else.
        """
        now = file_id(self.path)
        if now == self._file:
            return None
        what = "was removed" if now is None else "was replaced by another file"
        return LedgerError(self.name, f"the file {what} while the console ran", _BACK)

    def take_turn(self, connection: Connection) -> None:
        """Nothing: whoever has begun to write a file has it alone."""

    def version(self, connection: Connection) -> int:
        return self._recognise(apsw_of(connection))

    def oldest(self, connection: Connection) -> int | None:
        """The oldest version whose release can use what is there; None is no older one."""
        raw = apsw_of(connection)
        there = "SELECT count(*) FROM sqlite_master WHERE name = 'ledger_oldest'"
        return (
            raw.execute("SELECT version FROM ledger_oldest").get if raw.execute(there).get else None
        )

    def sample_no_text(self, _connection: Connection, _tables: object) -> None:
        """Nothing: nobody has it keep statistics."""

    def note_version(self, connection: Connection, version: int, oldest: int) -> None:
        raw = apsw_of(connection)
        raw.pragma("application_id", APPLICATION_ID)
        raw.pragma("user_version", version)
        raw.execute("DROP TABLE IF EXISTS ledger_oldest")
        if oldest < version:
            raw.execute("CREATE TABLE ledger_oldest (version INTEGER NOT NULL) STRICT")
            raw.execute("INSERT INTO ledger_oldest VALUES (?)", (oldest,))

    def migrate(self, work: Callable[[Connection], None]) -> None:
        """Run it in one transaction. Raises LedgerError."""
        with self.explained(), self.write.begin() as connection:
            work(connection)

    def keep_note(self) -> None:
        """Note in the data folder which ledger this is and how far it has come, where that changed.

        Raises LedgerError.
        """
        if self._note_file is None:
            return
        with self.explained(), self._noting, self.read.connect() as connection:
            found = belonging.find(apsw_of(connection))
            known = self._note
            noted = known is not None and found.entry == known.entry
            if found.id is None or (noted and not belonging.is_damaged(self._note_file)):
                return
            if not _is_ours(self._note_file.parent):
                return
            note = belonging.Note(found.id, found.entry)
            belonging.write_note(self._note_file, note)
            self._note = note

    def rewrite(self, _: object) -> None:
        """Write the file anew, so that nothing is left of what was deleted. Raises LedgerError."""
        with self.explained(), closing(self._connect()) as connection:
            connection.execute("VACUUM")
        self._empty_log()

    def raw(self, _: object, overlap: int) -> Iterator[bytes]:
        """The bytes of file and log by the megabyte, each with the first `overlap` of the next.

        Raises LedgerError.
        """
        self._empty_log()
        for name in (self.name, f"{self.name}-wal"):
            if Path(name).exists():
                with self.explained(), RawFile(name) as file:
                    yield from file.chunks(overlap)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what SQLite and the system refuse into a sentence with what to do."""
        try:
            yield
        except (DBAPIError, apsw.Error, OSError) as error:
            said = _cause_of(error)
            told = self._told(said)
            if told is None:
                raise
            raise told from said

    def close(self) -> None:
        self.write.dispose()
        self.read.dispose()

    def _told(self, error: BaseException) -> LedgerError | None:
        """What is wrong with the file; None where the fault is the statement's."""
        if is_damage(error):
            return LedgerError(self.name, f"it is damaged: {damage_text(error)}", _RESTORE)
        if isinstance(error, apsw.FullError | apsw.IOError):
            return LedgerError(self.name, str(error).lower(), "make room on its disk")
        if isinstance(error, apsw.BusyError | apsw.CantOpenError | apsw.ReadOnlyError | OSError):
            hint = "check the disk, and that switchhook's user owns the file"
            return LedgerError(self.name, str(error).lower(), hint)
        return None

    def _connect(self) -> apsw.Connection:
        connection = connect_checked(self.path, APPLICATION_ID, CHECKED_VERSION)
        try:
            connection.set_busy_timeout(BUSY_MS)
            _keep_a_log(connection)
            connection.pragma("synchronous", "full")
            connection.pragma("foreign_keys", 1)
            connection.pragma("secure_delete", 1)  # what is erased is gone from the file, too
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_to_read(self) -> apsw.Connection:
        connection = self._connect()
        connection.pragma("query_only", 1)
        return connection

    def _check(self, connection: apsw.Connection | None) -> None:
        """Refuse a ledger that is not the noted one; without a connection it is missing."""
        if self._note is None:
            return
        found = None if connection is None else belonging.find(connection)
        problem = belonging.problem_of(self._note, found)
        if problem is not None:
            backup = belonging.read_backup(self.path.parent.parent)
            raise LedgerError(self.name, problem, belonging.way_back(backup))

    def _recognise(self, connection: apsw.Connection) -> int:
        """The version of what is there. LedgerError for what is not ours."""
        application = connection.pragma("application_id")
        version = int(connection.pragma("user_version"))
        if application not in (0, APPLICATION_ID) or (version and not application):
            raise LedgerError(
                self.name, "it is no ledger of ours", "move the file away and look at it"
            )
        return version

    def _empty_log(self) -> None:
        """Copy the log into the file, so that old pages are in neither.

        LedgerError where somebody reads for so long that it can't be done now.
        """
        log = Path(f"{self.name}-wal")
        with self.explained(), closing(self._connect()) as connection:
            connection.execute("SELECT 1 FROM sqlite_master")  # else it knows of no log
            for _ in range(_TRIES):
                with suppress(apsw.BusyError):
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                if not log.exists() or not log.stat().st_size:
                    return
                time.sleep(_PAUSE_S)
        problem = "its log can't be emptied: something reads it all the time"
        raise LedgerError(self.name, problem, "end what reads the ledger beside switchhook")


def apsw_of(connection: Connection) -> apsw.Connection:
    """SQLite's own connection behind one of SQLAlchemy's."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, dbapi.Connection)
    return raw.apsw


def _keep_a_log(connection: apsw.Connection) -> None:
    """Write ahead. SQLite waits for nobody here where two do it first at the same moment."""
    for left in reversed(range(_TRIES)):
        try:
            connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if not left:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _engine(connect: Callable[[], apsw.Connection], *, autocommit: bool = False) -> Engine:
    return create_engine(
        f"{dialect.NAME}://",
        creator=lambda: dbapi.Connection(connect()),
        isolation_level="AUTOCOMMIT" if autocommit else "SERIALIZABLE",
        poolclass=QueuePool,
        pool_size=_READERS if autocommit else 1,
        max_overflow=-1 if autocommit else 0,
    )


def _cause_of(error: BaseException) -> BaseException:
    """What SQLite said, behind SQLAlchemy's error and that of the interface between them."""
    said = error.orig if isinstance(error, DBAPIError) else error
    cause = said.__cause__ if isinstance(said, dbapi.Error) else said
    return cause or error


def _is_ours(folder: Path) -> bool:
    """Whether what we write there can be read by whoever runs on it."""
    return folder.stat().st_uid == os.geteuid()
