"""Taking rows out of the tables: to be folded anew, too old, or naming a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.store.buckets import bucket_of, stretch_of
from switchhook.store.digest import CALL, STREAM, caller_keys_of, kind_of
from switchhook.store.postgresql.statements import rows_of, statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Connection

_FOLDED = ("receipt", "event", "quarantine")
_BY_SEQ = (*_FOLDED, "late", "one_copy", "displaced")
_BY_BUCKET = ("mention", "caller", "key")


def of_same_calls(connection: Connection[Any], seqs: Iterable[int]) -> list[int]:
    """These receipts and all others of their calls and streams, ascending."""
    found = set(seqs)
    rows = rows_of(
        connection,
        "SELECT DISTINCT m.key FROM store_mention m"
        " WHERE m.bucket = ANY(%s::integer[]) AND m.seq = ANY(%s::bigint[])",
        *(sorted({bucket_of(seq) for seq in found}), list(found)),
    )
    keys = [key for (key,) in rows if kind_of(key) in (CALL, STREAM)]
    rows = rows_of(
        connection,
        "SELECT m.seq FROM unnest(%s::integer[]) AS b (bucket)"
        " CROSS JOIN unnest(%s::bigint[]) AS a (key)"
        " JOIN store_mention m ON m.bucket = b.bucket AND m.key = a.key",
        *(buckets_of(connection), keys),
    )
    found.update(seq for (seq,) in rows)
    return sorted(found)


def take_out(connection: Connection[Any], seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Delete all rows of some records; gives facet and time of the streams among them."""
    asked, buckets = list(seqs), sorted({bucket_of(seq) for seq in seqs})
    streams = rows_of(
        connection,
        "DELETE FROM store_stream WHERE seq = ANY(%s::bigint[]) RETURNING facet, at",
        asked,
    )
    with connection.pipeline():
        for table in _FOLDED:  # what others say of a record, as that it was late, stays true
            sql = f"DELETE FROM store_{table} WHERE seq = ANY(%s::bigint[])"  # noqa: S608 - our words
            connection.execute(statement(sql), (asked,))
        for table in _BY_BUCKET:
            sql = (
                f"DELETE FROM store_{table} WHERE bucket = ANY(%s::integer[])"  # noqa: S608 - our words
                " AND seq = ANY(%s::bigint[])"
            )
            connection.execute(statement(sql), (buckets, asked))
    return [(facet, at) for facet, at in streams]


def drop_before(connection: Connection[Any], seq: int, at: int) -> list[tuple[int, int]]:
    """Delete everything before a record and its time; gives facet and time of the streams."""
    streams = rows_of(
        connection, "DELETE FROM store_stream WHERE seq < %s RETURNING facet, at", seq
    )
    with connection.pipeline():
        for table in _BY_SEQ:
            sql = f"DELETE FROM store_{table} WHERE seq < %s"  # noqa: S608 - our words
            connection.execute(statement(sql), (seq,))
        for table in _BY_BUCKET:
            sql = f"DELETE FROM store_{table} WHERE bucket <= %s AND seq < %s"  # noqa: S608 - our words
            connection.execute(statement(sql), (bucket_of(seq), seq))
        for table, column, before in (
            ("stretch", "stretch", stretch_of(seq)),
            ("form", "hour", at - at % HOUR_MS),
            ("rule_hour", "hour", at - at % HOUR_MS),
            ("rule", "last_at", at - at % HOUR_MS),
            ("count", "minute", at - at % MINUTE_MS),
        ):
            sql = f"DELETE FROM store_{table} WHERE {column} < %s"  # noqa: S608 - our words
            connection.execute(statement(sql), (before,))
    return [(facet, first_at) for facet, first_at in streams]


def oldest_kept(
    connection: Connection[Any], before_ms: int, most: int, newest_ms: int
) -> tuple[int, int]:
    """The record, and its time, before which at most `most` streams older than that go."""
    rows = rows_of(connection, "SELECT seq, at FROM store_stream ORDER BY seq LIMIT %s", most + 1)
    seq = at = 0
    for seq, at in rows:
        if at > newest_ms:  # of a clock wrong for long: it was before what came next
            sql = "SELECT at FROM store_stream WHERE seq > %s AND at <= %s ORDER BY seq LIMIT 1"
            later = rows_of(connection, sql, seq, newest_ms)
            at = later[0][0] if later else newest_ms
        if at >= before_ms:
            return seq, at
    if seq and len(rows) <= most:
        return seq + 1, at + 1
    return seq, at


def drop_unused_facets(connection: Connection[Any]) -> None:
    """Delete the facets that nothing is counted or listed under any more."""
    connection.execute(
        statement(
            "DELETE FROM store_facet f WHERE streams = 0"
            " AND NOT EXISTS (SELECT 1 FROM store_receipt r WHERE r.facet = f.id)"
            " AND NOT EXISTS (SELECT 1 FROM store_stream s WHERE s.facet = f.id)"
        )
    )


def records_of_number(connection: Connection[Any], number: str) -> list[int]:
    """The seqs of records that are known to name a number in E.164, ascending."""
    rows = rows_of(
        connection,
        "SELECT c.seq FROM unnest(%s::integer[]) AS b (bucket)"
        " CROSS JOIN unnest(%s::text[]) AS a (digits)"
        " JOIN store_caller c ON c.bucket = b.bucket AND c.digits = a.digits",
        *(buckets_of(connection), list(caller_keys_of(number))),
    )
    found = {seq for (seq,) in rows}
    for table in ("receipt", "stream"):
        sql = (
            f"SELECT seq FROM store_facet f JOIN store_{table} t ON t.facet = f.id"  # noqa: S608 - our words
            " WHERE exophone = %s"
        )
        found.update(seq for (seq,) in rows_of(connection, sql, number))
    return sorted(found)


def buckets_of(connection: Connection[Any]) -> list[int]:
    """All buckets that there may be."""
    ((last,),) = rows_of(connection, "SELECT seq FROM store_progress")
    return list(range(bucket_of(last) + 1))
