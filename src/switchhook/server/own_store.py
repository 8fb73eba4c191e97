"""A store of a node's own journal alone, for commands: folded when it is asked, gone afterwards.

A member of a cluster keeps none: what is folded of all nodes is in the database that they share.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from switchhook.journal import JournalReader
from switchhook.journal.reader import MOST_BYTES
from switchhook.store import SqliteStore, rebuild
from switchhook.system.data_folder import JOURNAL, STORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.journal.segment import Record

MOST_RECORDS = 100_000
"""The newest of them are folded: some seconds."""


class NewestRecords(JournalReader):
    """A journal as if it began with its newest `most` records, for what reads all of it."""

    def __init__(self, folder: Path, most: int = MOST_RECORDS) -> None:
        super().__init__(folder)
        self.begins_after = max(self.last_seq() - most, super().first_seq() - 1, 0)

    @property
    def is_whole(self) -> bool:
        """Whether it has all that is there."""
        return self.begins_after < max(super().first_seq(), 1)

    def read(self, after_seq: int, limit: int, *, max_bytes: int = MOST_BYTES) -> list[Record]:
        return super().read(max(after_seq, self.begins_after), limit, max_bytes=max_bytes)

    def first_seq(self) -> int:
        return self.begins_after + 1 if super().first_seq() else 0


@contextmanager
def own_store(
    data: Path, progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[NewestRecords, SqliteStore]]:
    """A data folder's own newest records, and the store of them.

    It lies in a folder that this user alone can look into, as it has numbers of callers. `progress`
    is told the seq reached and the last one. Raises DataFolderError, JournalError.
    """
    journal = NewestRecords(data / JOURNAL)
    try:
        with TemporaryDirectory(prefix="switchhook-") as folder:
            place = Path(folder) / STORE
            rebuild(place, journal, progress)
            yield journal, SqliteStore(place, journal)
    finally:
        journal.close()
