"""Lists of the store by filters: seqs of receipts and streams, in order."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from switchhook.store.buckets import bucket_of
from switchhook.store.lists import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import apsw

    from switchhook.store.lists import Asked
    from switchhook.streams.store import StreamFilter


def find(connection: apsw.Connection, table: str, wanted: StreamFilter) -> list[int]:
    """The seqs in a table (`receipt` or `stream`) that are wanted."""
    asked = asked_of(wanted)
    facets = None if asked.any_facet else _facets(connection, asked)
    if asked.keys:
        return _by_keys(connection, table, wanted, list(asked.keys), facets)
    return _by_facets(connection, table, wanted, facets)


def _facets(connection: apsw.Connection, asked: Asked) -> list[int]:
    rows = connection.execute("SELECT id, endpoint, status, cause, option FROM facet")
    return [number for number, *said in rows if asked.holds(said)]


def _by_keys(
    connection: apsw.Connection,
    table: str,
    wanted: StreamFilter,
    keys: list[int],
    facets: list[int] | None,
) -> list[int]:
    also = "".join(
        " AND EXISTS (SELECT 1 FROM mention WHERE bucket = m.bucket AND key = ? AND seq = m.seq)"
        for _ in keys[1:]
    )
    within = "" if facets is None else f" AND t.facet IN ({','.join(map(str, facets))})"
    sql = (
        f"SELECT m.seq FROM mention m JOIN {table} t ON t.seq = m.seq"  # noqa: S608 - our words
        f" WHERE m.bucket = ? AND m.key = ? AND m.seq >= ? AND m.seq < ?{also}{within}"
        f" ORDER BY m.seq {_order(wanted)} LIMIT ?"
    )
    last = min(wanted.before_seq, connection.execute("SELECT seq FROM progress").get + 1) - 1
    buckets: Iterable[int] = range(bucket_of(wanted.from_seq), bucket_of(last) + 1)
    found: list[int] = []
    for bucket in buckets if wanted.oldest_first else reversed(list(buckets)):
        left = wanted.limit - len(found)
        if left <= 0:
            break
        span = (bucket, keys[0], wanted.from_seq, wanted.before_seq)
        found += [seq for (seq,) in connection.execute(sql, (*span, *keys[1:], left))]
    return found


def _by_facets(
    connection: apsw.Connection, table: str, wanted: StreamFilter, facets: list[int] | None
) -> list[int]:
    span = (wanted.from_seq, wanted.before_seq)
    order = _order(wanted)
    if facets is None:
        sql = f"SELECT seq FROM {table} WHERE seq >= ? AND seq < ? ORDER BY seq {order} LIMIT ?"  # noqa: S608 - our words
        return [seq for (seq,) in connection.execute(sql, (*span, wanted.limit))]
    sql = (
        f"SELECT seq FROM {table} INDEXED BY {table}_facet"  # noqa: S608 - our words
        f" WHERE facet = ? AND seq >= ? AND seq < ? ORDER BY seq {order}"
    )
    # Each facet's rows come in order already; only as many are read as are needed.
    cursors = [connection.execute(sql, (facet, *span)) for facet in facets]
    merged = heapq.merge(*cursors, reverse=not wanted.oldest_first)
    try:
        return [seq for (seq,), _ in zip(merged, range(wanted.limit), strict=False)]
    finally:
        for cursor in cursors:
            cursor.close()  # an open one would hold its snapshot


def _order(wanted: StreamFilter) -> str:
    return "ASC" if wanted.oldest_first else "DESC"
