"""Where what a data folder's console keeps is: in the folder, or in what the nodes share.

One way for every command to get at the ledger, the journal that is shown, its sealed part and the
store, on any node. Of a folder that is no member of a cluster nothing else is read or loaded.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from switchhook.cluster.membership import read_membership
from switchhook.errors import ClusterError, LedgerError
from switchhook.journal import JournalReader, SealedSegments
from switchhook.ledger.sqlite import FILE
from switchhook.server.running import FolderRunning
from switchhook.server.tables import open_ledger
from switchhook.store import PostgresqlStore, SqliteStore
from switchhook.system.data_folder import JOURNAL, LEDGER, STORE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.config import Config
    from switchhook.journal.closed import ClosedJournal, DatedSegments
    from switchhook.journal.source import JournalSource, ReadableJournal
    from switchhook.ledger.database import Ledger
    from switchhook.releases.running import Running


def database_of(folder: Path) -> str | None:
    """The database that the nodes of a folder's cluster share; None where it is alone.

    Raises ClusterError, ConfigError, DataFolderError.
    """
    note = read_membership(folder)
    if note is None or not note.is_member:
        return None
    from switchhook.config.own_links import running_config

    url = running_config(folder).cluster.database
    if url is None:
        problem = "the configuration that ran last here names none, and the folder is a member"
        hint = "set cluster.database, and run switchhook serve"
        raise ClusterError(f"of {folder}", problem, hint)
    return url


def has_ledger(folder: Path) -> bool:
    """Whether there is a ledger already. Raises DataFolderError."""
    note = read_membership(folder)
    return (note is not None and note.is_member) or (folder / LEDGER / FILE).exists()


def ledger_of(folder: Path) -> Ledger:
    """The ledger, beside a console that may run; made where it is missing, but for a cluster's.

    Raises SwitchhookError.
    """
    url = database_of(folder)
    if url is None:
        return open_ledger(folder / LEDGER)
    try:
        see_whose(folder, url)
    except ClusterError as error:
        raise LedgerError(error.database, error.problem, error.hint) from error
    return open_ledger(url)


def see_whose(folder: Path, url: str) -> None:
    """Nothing is begun in a database that is not the folder's cluster's.

    Raises ClusterError where it is not, or can't be asked.
    """
    from switchhook.cluster.whose import check_whose
    from switchhook.postgresql_server import ASKED_S, connect, explained, name_of

    with explained(url), closing(connect(url, silent_s=ASKED_S)) as connection:
        check_whose(connection, name_of(url), read_membership(folder))


def journal_of(folder: Path, yield_cpu: Callable[[], bool] | None = None) -> ReadableJournal:
    """The journal that the console shows. Raises SwitchhookError."""
    if (database := database_of(folder)) is not None:
        from switchhook.cluster.merged_journal import MergedJournal

        return MergedJournal(database, yield_cpu=yield_cpu)
    return JournalReader(folder / JOURNAL, yield_cpu=yield_cpu)


def sealed_of(folder: Path) -> ClosedJournal:
    """The part of it that nobody writes any more. Raises SwitchhookError.

    Of that of several nodes nothing can be changed by it: that is the leader's.
    """
    if (database := database_of(folder)) is not None:
        from switchhook.cluster.merged_journal import MergedJournal
        from switchhook.cluster.searched_journal import SearchedJournal
        from switchhook.postgresql_server import Fence

        return SearchedJournal(MergedJournal(database), database, Fence(0))
    return SealedSegments(folder / JOURNAL)


def by_age_of(folder: Path) -> DatedSegments:
    """The same as retention removes it, to look at. Raises SwitchhookError."""
    if (database := database_of(folder)) is not None:
        from switchhook.cluster.partitioned_journal import PartitionedJournal
        from switchhook.postgresql_server import Fence

        return PartitionedJournal(database, Fence(0))
    return SealedSegments(folder / JOURNAL)


def store_of(folder: Path, journal: JournalSource | None = None) -> SqliteStore | PostgresqlStore:
    """What is folded of it, to ask. Raises SwitchhookError."""
    url, journal = database_of(folder), journal or journal_of(folder)
    return SqliteStore(folder / STORE, journal) if url is None else PostgresqlStore(url, journal)


def running_of(folder: Path, config: Callable[[], Config]) -> Running:
    """What runs, as releases ask and change it; `close` it. Raises SwitchhookError."""
    url = database_of(folder)
    if url is None:
        return FolderRunning(folder, config)
    from switchhook.server.shared_running import shared_running

    return shared_running(folder, url)(config)
