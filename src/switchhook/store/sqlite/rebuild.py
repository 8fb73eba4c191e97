"""Making the store again from the journal, beside the old one, whoever has that one open."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.errors import DataFolderError
from switchhook.store.sqlite import files
from switchhook.store.sqlite.healing import FAILURES, explain
from switchhook.store.sqlite.open_store import OpenStore
from switchhook.streams.parsed_record import parse_records
from switchhook.system.priority import yield_cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.journal.source import JournalSource

_UNFINISHED = ".store-rebuilding.sqlite"
_LOCK = ".store-rebuild.lock"
_BATCH = 4000


def rebuild(
    folder: Path, journal: JournalSource, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Fold the whole journal into a new store and put it in place of the old one.

    `progress` is told the seq reached and the last one. A console that runs takes the new store
    over by itself. Cut short, it leaves the old one in use.
    """
    unfinished = folder / _UNFINISHED
    with _explained(folder), _alone(folder):
        files.remove(unfinished)  # of a rebuild that was cut short: we are the only one
        connection = files.connect(unfinished, create=True)
        connection.pragma("journal_mode", "memory")
        files.create_tables(connection)
        folding = OpenStore(connection, journal)
        while records := journal.read(folding.position, _BATCH):
            folding.fold(parse_records(records, yield_cpu))
            if progress is not None:
                progress(folding.position, max(journal.last_seq(), folding.position))
        folding.close()
        return files.put_in_place(unfinished, folder)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        raise explain(error, folder, "the new store") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            problem = "another rebuild is running"
            raise DataFolderError(str(folder), problem, "wait for it to end") from error
        yield
    finally:
        os.close(descriptor)
