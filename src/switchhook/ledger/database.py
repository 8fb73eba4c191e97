"""The ledger's file: opened, migrated, written by one at a time, read by any."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import apsw

from switchhook.errors import LedgerError
from switchhook.ledger import belonging
from switchhook.sqlite_file import (
    add_checksums,
    connect_checked,
    damage_told,
    file_id,
    is_damage,
    make_private,
    transaction,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE = "ledger.sqlite"
APPLICATION_ID = 0x53574C31  # "SWL1"
BUSY_MS = 5_000
_RESTORE = "restore it from a backup: switchhook restore BACKUP --ledger-only"
_BACK = "stop the console, then bring it back, or: switchhook restore BACKUP --ledger-only"

CHECKED_VERSION = 11
"""From this one on pages have checksums."""


_DAMAGED = (apsw.CorruptError, apsw.NotADBError)
_UNSURE = (apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)
"""After these a connection may not know its file any more; a new one may."""


class Ledger:
    """The ledger in a folder; made where it is missing. Any thread may use it.

    In a data folder only the ledger that belongs to it is opened. Number n of `migrations` leads
    from version n to n + 1; all that are due run in one transaction. Raises LedgerError.
    """

    def __init__(self, folder: Path, migrations: Sequence[str]) -> None:
        self._migrations = migrations
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._local = threading.local()
        self._problems: dict[str, LedgerError] = {}
        with self.explained():
            self._note_file = belonging.note_file(folder)
            self._note = None if self._note_file is None else belonging.read_note(self._note_file)
            if not self.path.exists():
                self._check(None)
                folder.mkdir(mode=0o700, exist_ok=True)
                with suppress(FileExistsError):
                    make_private(self.path)
            self._file = file_id(self.path)
            self._writer = self._connect()
            try:
                self._check(self._writer)
                self._migrate()
            except BaseException:
                self._writer.close()
                raise
            self.keep_note()

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

    @property
    def problem(self) -> LedgerError | None:
        """Why it can't be written or read, as of the last try; None where it could."""
        return self._away() or next(iter(self._problems.values()), None)

    def keep_note(self) -> None:
        """Note in the data folder which ledger this is and how far it has come, where that changed.

        Raises LedgerError.
        """
        if self._note_file is None or self.problem is not None:
            return
        with self.explained(), self._lock:
            found = belonging.find(self._writer)
            known = self._note
            if found.id is None or (known is not None and found.entry == known.entry):
                return
            if not _is_ours(self._note_file.parent):
                return
            note = belonging.Note(found.id, found.entry)
            belonging.write_note(self._note_file, note)
            self._note = note

    def close(self) -> None:
        """Close the writer; readers close with their threads."""
        with suppress(LedgerError):  # the next to open it notes it
            self.keep_note()
        self._writer.close()

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            with self.explained():
                yield
        except LedgerError as error:
            self._problems[what] = error
            if error.__cause__ is not None and is_damage(error.__cause__):
                self._problems["damage"] = error  # a page that can be read mends no other
            raise
        if self._problems:
            self._problems.pop(what, None)

    def _check_place(self) -> None:
        """LedgerError where our file is not the one under its name: what it is told would be lost.

        It is never made anew: what it knows is known nowhere else.
        """
        if (error := self._away()) is not None:
            raise error

    def _away(self) -> LedgerError | None:
        now = file_id(self.path)
        if now == self._file:
            return None
        what = "was removed" if now is None else "was replaced by another file"
        return LedgerError(str(self.path), f"the file {what} while the console ran", _BACK)

    def _connect_again(self) -> None:
        """A new writer in place of one that may not be trusted any more."""
        with suppress(apsw.Error):
            self._writer.close()
        self._writer = self._connect()

    def _check(self, connection: apsw.Connection | None) -> None:
        """Refuse a ledger that is not the noted one; without a connection it is missing."""
        if self._note is None:
            return
        found = None if connection is None else belonging.find(connection)
        problem = belonging.problem_of(self._note, found)
        if problem is not None:
            backup = belonging.read_backup(self.path.parent.parent)
            raise LedgerError(str(self.path), problem, belonging.way_back(backup))

    def connect(self) -> apsw.Connection:
        """A connection that may write, without any settings. Raises apsw.Error."""
        return connect_checked(self.path, APPLICATION_ID, CHECKED_VERSION)

    def _connect(self) -> apsw.Connection:
        connection = self.connect()
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", 1)
        connection.pragma("secure_delete", 1)  # what is erased is gone from the file, too
        return connection

    def _migrate(self) -> None:
        if 0 < self._recognise() < CHECKED_VERSION:
            add_checksums(self._writer)
        with transaction(self._writer):
            self._migrate_alone()

    def _recognise(self) -> int:
        """The version of what is there. LedgerError for what is not ours."""
        application = self._writer.pragma("application_id")
        version = self._writer.pragma("user_version")
        if application not in (0, APPLICATION_ID) or (version and not application):
            raise LedgerError(
                str(self.path), "it is no ledger of ours", "move the file away and look at it"
            )
        if version > len(self._migrations):
            problem = (
                f"it has version {version}, this release knows version {len(self._migrations)}"
            )
            raise LedgerError(str(self.path), problem, "run the release that wrote it, or a later")
        return int(version)

    def _migrate_alone(self) -> None:
        for number in range(self._recognise(), len(self._migrations)):
            self._writer.execute(self._migrations[number])
            self._writer.pragma("application_id", APPLICATION_ID)
            self._writer.pragma("user_version", number + 1)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what SQLite and the system refuse into a sentence with what to do."""
        try:
            yield
        except (apsw.FullError, apsw.IOError) as error:
            if is_damage(error):
                raise LedgerError(
                    str(self.path), f"it is damaged: {damage_told(error)}", _RESTORE
                ) from error
            raise LedgerError(
                str(self.path), str(error).lower(), "make room on its disk"
            ) from error
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise LedgerError(str(self.path), f"it is damaged: {error}", _RESTORE) from error
        except (apsw.BusyError, apsw.CantOpenError, apsw.ReadOnlyError, OSError) as error:
            hint = "check the disk, and that switchhook's user owns the file"
            raise LedgerError(str(self.path), str(error).lower(), hint) from error


def _is_ours(folder: Path) -> bool:
    """Whether what we write there can be read by whoever runs on it."""
    return folder.stat().st_uid == os.geteuid()
