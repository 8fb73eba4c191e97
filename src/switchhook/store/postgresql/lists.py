"""Lists by filters: seqs of receipts and streams, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.store.buckets import bucket_of
from switchhook.store.lists import asked_of
from switchhook.store.postgresql.statements import restored, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from switchhook.store.lists import Asked
    from switchhook.streams.store import StreamFilter

_BUCKETS_AT_ONCE = 16


def find(connection: Connection[Any], table: str, wanted: StreamFilter) -> list[int]:
    """The seqs in a table (`receipt` or `stream`) that are wanted."""
    asked = asked_of(wanted)
    facets = None if asked.any_facet else _facets(connection, asked)
    if asked.keys:
        return _by_keys(connection, table, wanted, asked.keys, facets)
    return _by_facets(connection, table, wanted, facets)


def _facets(connection: Connection[Any], asked: Asked) -> list[int]:
    rows = rows_of(connection, "SELECT id, endpoint, status, cause, option FROM store_facet")
    return [number for number, *said in rows if asked.holds([restored(word) for word in said])]


def _by_keys(
    connection: Connection[Any],
    table: str,
    wanted: StreamFilter,
    keys: Sequence[int],
    facets: list[int] | None,
) -> list[int]:
    also = "".join(
        " AND EXISTS (SELECT 1 FROM store_mention o"
        " WHERE o.bucket = m.bucket AND o.key = %s AND o.seq = m.seq)"
        for _ in keys[1:]
    )
    within = "" if facets is None else " AND t.facet = ANY(%s::integer[])"
    order = _order(wanted)
    text = (
        "SELECT found.seq FROM unnest(%s::integer[]) AS b (bucket) CROSS JOIN LATERAL ("  # noqa: S608 - our words
        f"SELECT m.seq FROM store_mention m JOIN store_{table} t ON t.seq = m.seq"
        " WHERE m.bucket = b.bucket AND m.key = %s AND m.seq >= %s AND m.seq < %s"
        f"{also}{within} ORDER BY m.seq {order} LIMIT %s"
        f") AS found ORDER BY found.seq {order} LIMIT %s"
    )
    ((position,),) = rows_of(connection, "SELECT seq FROM store_progress")
    last = min(wanted.before_seq, position + 1) - 1
    buckets = list(range(bucket_of(wanted.from_seq), bucket_of(last) + 1))
    if not wanted.oldest_first:
        buckets.reverse()
    found: list[int] = []
    for start in range(0, len(buckets), _BUCKETS_AT_ONCE):
        left = wanted.limit - len(found)
        if left <= 0:
            break
        asked = (buckets[start : start + _BUCKETS_AT_ONCE], keys[0])
        span = (wanted.from_seq, wanted.before_seq, *keys[1:])
        of_facets = () if facets is None else (facets,)
        rows = rows_of(connection, text, *asked, *span, *of_facets, left, left)
        found += [seq for (seq,) in rows]
    return found


def _by_facets(
    connection: Connection[Any], table: str, wanted: StreamFilter, facets: list[int] | None
) -> list[int]:
    span, order = (wanted.from_seq, wanted.before_seq), _order(wanted)
    if facets is None:
        text = (
            f"SELECT seq FROM store_{table} WHERE seq >= %s AND seq < %s"  # noqa: S608 - our words
            f" ORDER BY seq {order} LIMIT %s"
        )
        return [seq for (seq,) in rows_of(connection, text, *span, wanted.limit)]
    text = (
        "SELECT found.seq FROM unnest(%s::integer[]) AS f (id) CROSS JOIN LATERAL ("  # noqa: S608 - our words
        f"SELECT t.seq FROM store_{table} t WHERE t.facet = f.id AND t.seq >= %s AND t.seq < %s"
        f" ORDER BY t.seq {order} LIMIT %s) AS found ORDER BY found.seq {order} LIMIT %s"
    )
    rows = rows_of(connection, text, facets, *span, wanted.limit, wanted.limit)
    return [seq for (seq,) in rows]


def _order(wanted: StreamFilter) -> str:
    return "ASC" if wanted.oldest_first else "DESC"
