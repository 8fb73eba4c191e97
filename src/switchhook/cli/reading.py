"""What commands read: what the console folded, or a node's own journal while nothing else is there.

with reading(folder) as found:
found.queries.streams(...)
return found.code()
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.cli.by_itself import by_itself, say_own_journal
from switchhook.cli.reads import not_noted, noted
from switchhook.server.own_store import MOST_RECORDS, own_store
from switchhook.server.places import journal_of, store_of
from switchhook.streams.names import Names
from switchhook.streams.queries import StreamQueries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from switchhook.cli.by_itself import ByItself
    from switchhook.journal.source import ReadableJournal
    from switchhook.store import PostgresqlStore, SqliteStore

_MOST_DAMAGED = 5


class Reading:
    """What is read of a data folder, and what of it can't be.

    `away` says why it is this node's own part alone; None where it is all there is.
    """

    def __init__(
        self,
        folder: Path,
        journal: ReadableJournal,
        store: SqliteStore | PostgresqlStore,
        names: Callable[[], Names],
        away: ByItself | None = None,
    ) -> None:
        self._folder = folder
        self.journal, self.store, self.away = journal, store, away
        self.queries = StreamQueries(journal, store, names)

    def noted(self, command: str, **asked: str | None) -> bool:
        """Note a read of numbers, as `reads.noted`; while the database is away it can't be."""
        return not_noted() if self.away is not None else noted(self._folder, command, **asked)

    def code(self) -> int:
        """Say what can't be read and so isn't shown; the exit code: 1 where it is not all."""
        _, newest = self.store.quarantined(_MOST_DAMAGED)
        found = {each.seq: each.reason for each in newest}
        damaged = say_damage({**found, **self.journal.damage})
        return damaged if self.away is None else 1


@contextmanager
def reading(folder: Path, names: Callable[[], Names] = Names) -> Iterator[Reading]:
    """All that is kept; on a node whose cluster's database is of no use, its own, and that said.

    Raises SwitchhookError.
    """
    away = by_itself(folder)
    if away is None:
        journal = journal_of(folder)
        store = store_of(folder, journal)
        behind = journal.last_seq() - store.position()
        if behind > 0:
            output.err.print(
                f"the store is {behind} records behind the journal: is the console running?"
            )
        yield Reading(folder, journal, store, names)
        return
    with own_store(folder) as (journal, store):
        say_own_journal(away, None if journal.is_whole else MOST_RECORDS)
        yield Reading(folder, journal, store, names, away)


def say_damage(damage: Mapping[int, str]) -> int:
    """Say which records can't be read; 1 where there are any."""
    for seq, reason in sorted(damage.items())[:_MOST_DAMAGED]:
        output.err.print(f"record {seq:,} can't be read, and is not shown: {reason}")
    if len(damage) > _MOST_DAMAGED:
        output.err.print(f"and {len(damage) - _MOST_DAMAGED} more like these")
    return 1 if damage else 0
