"""How many streams a search finds, where indexes tell it: exact, or more than so many.

Over all time the store's own counts say it. In a stretch of time the rows of an index are counted,
up to a ceiling that costs a few milliseconds however many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.store.tables import SeqRange
from switchhook.streams.search.query import StreamCount, facet_decides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.store.tables import SearchTables
    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Query

MOST_COUNTED = 10_000
_MOST_FACETS = 300  # each costs a statement


def count_found(
    tables: SearchTables, journal: JournalSource, query: Query, names: Names
) -> StreamCount | None:
    """How many fit; None where streams have to be looked at one by one for that."""
    facets: dict[int, int] = {}
    for number, streams, facet in tables.facets():
        decided = facet_decides(query, names, facet) if streams else False
        if decided is None:
            return None
        if decided:
            facets[number] = streams
    if query.since is None and query.until is None:
        return StreamCount(sum(facets.values()), more=False)
    return _in_time(tables, journal, query, list(facets))


def _in_time(
    tables: SearchTables, journal: JournalSource, query: Query, facets: Sequence[int]
) -> StreamCount | None:
    since_ms = 0 if query.since is None else query.since.ms
    until_ms = 2**63 - 1 if query.until is None else query.until.ms
    low, high = tables.seqs_between(since_ms, until_ms)
    if low <= journal.first_seq():
        low = 0  # before the journal's first record the streams themselves tell when they were
    if len(facets) > _MOST_FACETS:
        return None
    span = SeqRange(low, 2**63 - 1 if high is None else high, since_ms, until_ms)
    found = tables.count(facets, span, MOST_COUNTED)
    if found > MOST_COUNTED:
        return StreamCount(MOST_COUNTED, more=True)
    return StreamCount(found, more=False)
