"""Which records may be of a stretch of time, where times need not ascend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.store.buckets import seqs_of
from switchhook.store.postgresql.statements import rows_of

if TYPE_CHECKING:
    from psycopg import Connection

_LISTED = (
    "(SELECT seq, at FROM store_receipt WHERE seq >= %s AND seq < %s"
    " UNION ALL SELECT seq, at FROM store_event WHERE seq >= %s AND seq < %s) AS listed"
)


def seqs_between(
    connection: Connection[Any], since_ms: int | None, until_ms: int | None
) -> tuple[int, int | None]:
    """Seqs among which are all records from a time on and before another: from, and to before.

    The first stretch of records that has one of the time is found, and the first one in it; so is
    the last. Where nodes were away for long some of those between may be of other times.
    """
    low, high = 0, None
    if since_ms is not None:
        low = _first(connection, since_ms)
    if until_ms is not None:
        high = _last(connection, until_ms) + 1
    return low, high


def _first(connection: Connection[Any], since_ms: int) -> int:
    """The first record from a time on, of those that are listed; past the last where none is."""
    found = rows_of(
        connection,
        "SELECT stretch FROM store_stretch WHERE high >= %s ORDER BY stretch LIMIT 1",
        since_ms,
    )
    if not found:
        ((seq,),) = rows_of(connection, "SELECT seq FROM store_progress")
        return int(seq) + 1
    begin, end = seqs_of(found[0][0])
    ((seq,),) = rows_of(
        connection,
        f"SELECT min(seq) FROM {_LISTED} WHERE at >= %s",  # noqa: S608 - our words
        *(begin, end, begin, end, since_ms),
    )
    return int(begin if seq is None else seq)


def _last(connection: Connection[Any], until_ms: int) -> int:
    """The last record before a time, of those that are listed; 0 where none is."""
    found = rows_of(
        connection,
        "SELECT stretch FROM store_stretch WHERE low < %s ORDER BY stretch DESC LIMIT 1",
        until_ms,
    )
    if not found:
        return 0
    begin, end = seqs_of(found[0][0])
    ((seq,),) = rows_of(
        connection,
        f"SELECT max(seq) FROM {_LISTED} WHERE at < %s",  # noqa: S608 - our words
        *(begin, end, begin, end, until_ms),
    )
    return int(end - 1 if seq is None else seq)
