"""Opening the store's file: for folding, for reading, or a new one."""

from __future__ import annotations

from contextlib import closing, suppress
from errno import ENOENT
from typing import TYPE_CHECKING

import apsw

from switchhook.errors import DataFolderError
from switchhook.exotel.phone_numbers import counted
from switchhook.sqlite_file import file_id
from switchhook.store.sqlite import files
from switchhook.store.sqlite.healing import StorePlace
from switchhook.store.sqlite.open_store import OpenStore
from switchhook.store.sqlite.tables import SqliteTables

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.journal.source import JournalSource


def place_of(folder: Path) -> StorePlace | None:
    """The store's file, and which one it is; None where there is none."""
    path = files.current_file(folder)
    found = None if path is None else file_id(path)
    return None if path is None or found is None else StorePlace(path, found)


def connect_reading(folder: Path, path: Path) -> apsw.Connection:
    connection = files.connect(path)
    files.check(connection, path)
    if files.outdated(connection):
        problem = f"{path.name} is an older release's"
        hint = "start the console, which begins a new one; or " + files.REBUILD
        raise DataFolderError(str(folder), problem, hint)
    connection.pragma("query_only", 1)
    return connection


def begin(folder: Path) -> StorePlace:
    """Put an empty store in place, under the next name."""
    folder.mkdir(mode=0o700, exist_ok=True)
    unfinished = folder / files.BEGINNING
    files.remove(unfinished)
    with closing(files.connect(unfinished, create=True)) as connection:
        files.create_tables(connection)
    path = files.put_in_place(unfinished, folder)
    found = file_id(path)
    if found is None:
        raise FileNotFoundError(ENOENT, "it was removed as soon as it was made")
    return StorePlace(path, found)


def open_folding(path: Path, journal: JournalSource) -> OpenStore | None:
    """Open a store's file for folding; None where a new one has to be begun instead.

    DataFolderError where it can't be used.
    """
    connection = files.connect(path)
    try:
        files.check(connection, path)
        if files.outdated(connection):
            connection.close()
            return None
        connection.pragma("journal_mode", "wal")
        folding = OpenStore(connection, journal)
        if folding.suspect:
            folding.leave()
            return None
        _check_against(journal, connection, path)
    except BaseException:
        with suppress(apsw.Error):
            connection.close()
        raise
    return folding


def _check_against(journal: JournalSource, connection: apsw.Connection, path: Path) -> None:
    """DataFolderError where the store can't have been folded from this journal."""
    progress = SqliteTables(connection).progress()
    node, seq, at = progress.node, progress.seq, progress.at
    if not seq:
        return
    name, last, problem = path.name, journal.last_seq(), ""
    if journal.node is None and not last:
        problem = f"{name} is folded up to seq {counted(seq)}, but there is no journal"
    elif journal.node != node:
        whose = f"the journal of node {counted(node or 0)}, this is that of node"
        problem = f"{name} is folded from {whose} {counted(journal.node or 0)}"
    elif last < seq:
        ends = f"the journal ends at seq {counted(last)}"
        problem = f"{name} is folded up to seq {counted(seq)}, but {ends}"
    else:
        record = journal.get_many([seq]).get(seq)
        if record is not None and record.at != at:
            problem = f"{name} is folded from another journal: seq {counted(seq)} differs"
    if problem:
        hint = f"put the journal back that belongs to it; or {files.REBUILD}"
        raise DataFolderError(str(path.parent), problem, hint)
