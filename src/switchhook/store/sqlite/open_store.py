"""The store's file, open for folding: what is SQLite's own of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import apsw

from switchhook.store.maintenance import OpenTables
from switchhook.store.sqlite.tables import SqliteTables
from switchhook.system.data_folder import boot_id
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.journal.source import JournalSource

_PAGE_CACHE_KIB = 24 * 1024
_CHECKPOINT_PAGES = 4000
_STEPS_A_BREATH = 1000  # of SQLite's virtual machine: about 0.1 ms


class OpenStore(OpenTables):
    """A store's file, open for folding and for forgetting.

    `suspect` is whether it is not to be trusted: it was open when the machine went down.
    """

    def __init__(self, connection: apsw.Connection, journal: JournalSource) -> None:
        self._connection = connection
        connection.pragma("synchronous", "off")
        connection.pragma("cache_size", -_PAGE_CACHE_KIB)
        connection.wal_autocheckpoint(_CHECKPOINT_PAGES)
        connection.set_progress_handler(yield_cpu, _STEPS_A_BREATH)
        connection.pragma("secure_delete", "on")  # what is forgotten must not stay on the disk
        boot, closed = connection.execute("SELECT boot, closed FROM progress").get
        super().__init__(SqliteTables(connection), journal)
        self.suspect = bool(self.position and not closed and boot != boot_id())

    def begin(self) -> None:
        """Mark the file as open: as it doesn't sync, it must not be trusted after a power cut."""
        self._mark(closed=False)

    def close(self) -> None:
        """Make the file durable and close it."""
        self._connection.pragma("synchronous", "full")
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._mark(closed=True)
        self._connection.close()

    def leave(self) -> None:
        """Close the file as it is: it is not to be trusted, or not there any more."""
        with suppress(apsw.Error):
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.close()

    def _mark(self, *, closed: bool) -> None:
        self._connection.execute("UPDATE progress SET boot = ?, closed = ?", (boot_id(), closed))

    def checkpoint(self) -> None:
        """Write what the log has into the file, and empty it."""
        with suppress(apsw.BusyError):  # somebody reads: what is left in it is found, and said
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def copy_to(self, path: Path) -> None:
        """Write what is used of the file to another one."""
        self._connection.execute("VACUUM INTO ?", (str(path),))
        path.chmod(0o600)
