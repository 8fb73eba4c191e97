"""How many streams a search finds, where indexes tell it: exact, or more than so many.

Over all time the store's own counts say it. In a stretch of time the rows of an index are counted,
up to a ceiling that costs a few milliseconds however many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.store.placing import seqs_between
from switchhook.streams.facet import Facet
from switchhook.streams.search.query import StreamCount, facet_decides

if TYPE_CHECKING:
    from collections.abc import Collection

    import apsw

    from switchhook.journal.source import JournalSource
    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Query

MOST_COUNTED = 10_000
_MOST_FACETS = 300  # each costs a statement
_FACETS = "SELECT id, streams, endpoint, status, cause, option, kind, host, exophone FROM facet"


def count_found(
    connection: apsw.Connection,
    journal: JournalSource,
    query: Query,
    names: Names,
) -> StreamCount | None:
    """How many fit; None where streams have to be looked at one by one for that."""
    facets: dict[int, int] = {}
    rows: list[Any] = connection.execute(_FACETS).fetchall()
    for number, streams, *words in rows:
        decided = facet_decides(query, names, Facet(*words)) if streams else False
        if decided is None:
            return None
        if decided:
            facets[number] = streams
    if query.since is None and query.until is None:
        return StreamCount(sum(facets.values()), more=False)
    return _in_time(connection, journal, query, facets)


def _in_time(
    connection: apsw.Connection,
    journal: JournalSource,
    query: Query,
    facets: Collection[int],
) -> StreamCount | None:
    since_ms = 0 if query.since is None else query.since.ms
    until_ms = 2**63 - 1 if query.until is None else query.until.ms
    low, high = seqs_between(connection, journal, since_ms, until_ms)
    if low <= journal.first_seq():
        low = 0  # before the journal's first record the streams themselves tell when they were
    if len(facets) > _MOST_FACETS:
        return None
    sql = (
        "SELECT count(*) FROM (SELECT 1 FROM stream INDEXED BY stream_facet"
        " WHERE facet = ? AND seq >= ? AND seq < ? AND at >= ? AND at < ? LIMIT ?)"
    )
    found, last = 0, 2**63 - 1 if high is None else high
    for number in facets:
        left = MOST_COUNTED + 1 - found
        asked = (number, low, last, since_ms, until_ms, left)
        found += connection.execute(sql, asked).get
        if found > MOST_COUNTED:
            return StreamCount(MOST_COUNTED, more=True)
    return StreamCount(found, more=False)
