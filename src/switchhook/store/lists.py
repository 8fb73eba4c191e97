"""Lists of the store by filters: seqs of receipts and streams, in order."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from switchhook.exotel.passthru import StreamStatus
from switchhook.store.digest import CALL, STATUS, STREAM, UNKNOWN, hash_of
from switchhook.store.files import BUCKET_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import apsw

    from switchhook.streams.store import StreamFilter

_KNOWN_STATUSES = frozenset(StreamStatus)


def find(connection: apsw.Connection, table: str, wanted: StreamFilter) -> list[int]:
    """The seqs in a table (`receipt` or `stream`) that are wanted."""
    status, keys = wanted.status, []
    if wanted.stream_sid is not None:
        keys.append(hash_of(STREAM, wanted.stream_sid))
    if wanted.call_sid is not None:
        keys.append(hash_of(CALL, wanted.call_sid))
    if status is not None and status not in _KNOWN_STATUSES:
        keys.append(hash_of(STATUS, status))
        status = UNKNOWN
    asked = (wanted.endpoint, status, wanted.cause, wanted.option)
    facets = None if asked == (None,) * 4 else _facets(connection, asked)
    if keys:
        return _by_keys(connection, table, wanted, keys, facets)
    return _by_facets(connection, table, wanted, facets)


def _facets(connection: apsw.Connection, asked: tuple[str | None, ...]) -> list[int]:
    rows = connection.execute("SELECT id, endpoint, status, cause, option FROM facet")
    return [
        number
        for number, *said in rows
        if all(want is None or want == have for want, have in zip(asked, said, strict=True))
    ]


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
    buckets: Iterable[int] = range(wanted.from_seq >> BUCKET_BITS, (last >> BUCKET_BITS) + 1)
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
