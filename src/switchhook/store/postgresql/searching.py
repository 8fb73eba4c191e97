"""The tables as a search reads them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from switchhook.store.buckets import bucket_of
from switchhook.store.postgresql.statements import restored, rows_of
from switchhook.store.postgresql.times import seqs_between
from switchhook.store.tables import FoundRow
from switchhook.streams.facet import Facet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from psycopg import Connection

    from switchhook.store.deadline import Deadline
    from switchhook.store.tables import SeqRange

_MOST_SCANNED = 200_000
"""Rows of the table of streams that one search goes through."""
_MOST_MERGED = 300  # facets whose newest rows are merged
_SCANNED_A_FACET = 100  # rows; looking at so many costs about what looking into an index does
_FIRST_CHUNK, _LARGEST_CHUNK = 128, 2048
_SCANNED_AT_ONCE = 20_000
_MOST_BUCKETS = 64  # looked into at once


class PostgresqlSearchTables:
    """A connection's tables: `store.tables.SearchTables`."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    @contextmanager
    def snapshot(self, deadline: Deadline) -> Iterator[None]:
        import psycopg

        most_ms = max(int(1000 * deadline.left_s), 1)
        try:
            with self._connection.transaction():
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                self._connection.execute(
                    "SELECT set_config('statement_timeout', %s, true)", (f"{most_ms}ms",)
                )
                yield
        except psycopg.errors.QueryCanceled:
            raise deadline.error() from None

    def facets(self) -> list[tuple[int, int, Facet]]:
        return facets_of(self._connection)

    def last_seq(self) -> int:
        ((seq,),) = rows_of(self._connection, "SELECT seq FROM store_progress")
        return int(seq)

    def seqs_between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int | None]:
        return seqs_between(self._connection, since_ms, until_ms)

    def candidates(
        self, span: SeqRange, facets: Mapping[int, Facet] | None
    ) -> PostgresqlCandidates:
        return PostgresqlCandidates(self._connection, span, facets)

    def rows(self, seqs: Sequence[int]) -> list[FoundRow]:
        rows = rows_of(
            self._connection,
            "SELECT s.seq, s.at, s.story, l.late_ms, o.seq IS NOT NULL FROM store_stream s"
            " LEFT JOIN store_late l ON l.seq = s.seq"
            " LEFT JOIN store_one_copy o ON o.seq = s.seq WHERE s.seq = ANY(%s::bigint[])",
            list(seqs),
        )
        return [FoundRow(*row) for row in rows]

    def count(self, facets: Sequence[int], span: SeqRange, most: int) -> int:
        ((found,),) = rows_of(
            self._connection,
            "SELECT count(*) FROM (SELECT 1 FROM unnest(%s::integer[]) AS f (id)"
            " CROSS JOIN LATERAL (SELECT 1 FROM store_stream s WHERE s.facet = f.id"
            " AND s.seq >= %s AND s.seq < %s AND s.at >= %s AND s.at < %s LIMIT %s) AS one"
            " LIMIT %s) AS counted",
            list(facets),
            *(span.low, span.high, span.since_ms, span.until_ms, most + 1, most + 1),
        )
        return int(found)


def facets_of(connection: Connection[Any]) -> list[tuple[int, int, Facet]]:
    """Number, count of streams and words of each facet."""
    rows = rows_of(
        connection,
        "SELECT id, streams, endpoint, status, cause, option, kind, host, exophone"
        " FROM store_facet",
    )
    return [(number, streams, Facet(*map(restored, words))) for number, streams, *words in rows]


class PostgresqlCandidates:
    """What the indexes give, in chunks: `store.tables.Candidates`.

    Each chunk is a statement that goes on where the one before ended.
    """

    def __init__(
        self, connection: Connection[Any], span: SeqRange, facets: Mapping[int, Facet] | None
    ) -> None:
        self._connection, self._span = connection, span
        within, self._also = "", list[object]()
        if facets is not None:
            within += " AND s.facet = ANY(%s::integer[])"
            self._also.append(list(facets))
        if span.since_ms is not None:
            within += " AND s.at >= %s"
            self._also.append(span.since_ms)
        if span.until_ms is not None:
            within += " AND s.at < %s"
            self._also.append(span.until_ms)
        self._within = within
        self.stopped_at: int | None = None

    def close(self) -> None:
        """Nothing is open between two chunks."""

    def _chunks(
        self, low: int, high: int, ask: Callable[[int, int, int], list[tuple[int]]]
    ) -> Iterator[int]:
        """All that `ask(low, high, most)` gives, newest first."""
        most = _FIRST_CHUNK
        while True:
            found = ask(low, high, most)
            for (seq,) in found:
                yield seq
            if len(found) < most:
                return
            high, most = found[-1][0], min(2 * most, _LARGEST_CHUNK)

    def by_hash(self, keys: Sequence[int]) -> Iterator[int]:
        return self._by_bucket(
            "unnest(%s::bigint[]) AS a (key)",
            "m.key = a.key",
            "store_mention",
            (list(keys),),
        )

    def by_number(self, ranges: Sequence[tuple[str, str]]) -> Iterator[int]:
        return self._by_bucket(
            "unnest(%s::text[], %s::text[]) AS a (low, high)",
            "m.digits >= a.low AND m.digits < a.high",
            "store_caller",
            ([low for low, _ in ranges], [high for _, high in ranges]),
        )

    def _by_bucket(
        self, asked: str, holds: str, table: str, keys: tuple[Sequence[object], ...]
    ) -> Iterator[int]:
        """The newest bucket alone at first, then ever more of them at once."""
        low, high, width = self._span.low, self._span.high, 1
        text = (
            "SELECT DISTINCT found.seq FROM unnest(%s::integer[]) AS b (bucket)"  # noqa: S608 - our words
            f" CROSS JOIN {asked} CROSS JOIN LATERAL ("
            f"SELECT m.seq FROM {table} m JOIN store_stream s ON s.seq = m.seq"
            f" WHERE m.bucket = b.bucket AND {holds}"
            f" AND m.seq >= %s AND m.seq < %s{self._within} ORDER BY m.seq DESC LIMIT %s"
            ") AS found ORDER BY found.seq DESC LIMIT %s"
        )
        newest, oldest = bucket_of(high - 1), bucket_of(low)
        while newest >= oldest:
            buckets = list(range(max(newest - width + 1, oldest), newest + 1))

            def ask(low: int, high: int, most: int, buckets: list[int] = buckets) -> list[Any]:
                values = (buckets, *keys, low, high, *self._also, most, most)
                return rows_of(self._connection, text, *values)

            yield from self._chunks(low, high, ask)
            newest, width = newest - width, min(4 * width, _MOST_BUCKETS)

    def by_late(self) -> Iterator[int]:
        return self._marked("late")

    def by_one_copy(self) -> Iterator[int]:
        return self._marked("one_copy")

    def _marked(self, table: str) -> Iterator[int]:
        text = (
            f"SELECT s.seq FROM store_{table} l JOIN store_stream s ON s.seq = l.seq"  # noqa: S608 - our words
            f" WHERE l.seq >= %s AND l.seq < %s{self._within} ORDER BY l.seq DESC LIMIT %s"
        )
        return self._all(text)

    def _all(self, text: str) -> Iterator[int]:
        def ask(low: int, high: int, most: int) -> list[Any]:
            return rows_of(self._connection, text, low, high, *self._also, most)

        return self._chunks(self._span.low, self._span.high, ask)

    def by_facet(self, facets: Mapping[int, Facet] | None) -> Iterator[int]:
        if facets is None:
            text = "SELECT s.seq FROM store_stream s WHERE s.seq >= %s AND s.seq < %s"
            return self._all(f"{text}{self._within} ORDER BY s.seq DESC LIMIT %s")
        if len(facets) > _MOST_MERGED:
            return self._by_scan(list(facets))
        return self._by_scan_and_merge(list(facets))

    def _by_scan_and_merge(self, facets: list[int]) -> Iterator[int]:
        """The newest rows are gone through for what looking for each facet alone would cost."""
        low, high = self._span.low, self._span.high
        middle = max(low, high - _SCANNED_A_FACET * len(facets))
        ((found,),) = rows_of(
            self._connection,
            "SELECT array_agg(s.seq ORDER BY s.seq DESC) FROM store_stream s"  # noqa: S608 - our words
            f" WHERE s.seq >= %s AND s.seq < %s AND s.facet = ANY(%s::integer[]){self._within}",
            *(middle, high, facets, *self._also),
        )
        yield from found or []
        text = (
            "SELECT found.seq FROM unnest(%s::integer[]) AS f (id) CROSS JOIN LATERAL ("  # noqa: S608 - our words
            "SELECT s.seq FROM store_stream s WHERE s.facet = f.id AND s.seq >= %s AND s.seq < %s"
            f"{self._within} ORDER BY s.seq DESC LIMIT %s) AS found"
            " ORDER BY found.seq DESC LIMIT %s"
        )

        def ask(low: int, high: int, most: int) -> list[Any]:
            values = (facets, low, high, *self._also, most, most)
            return rows_of(self._connection, text, *values)

        if low < middle:
            yield from self._chunks(low, middle, ask)

    def _by_scan(self, facets: list[int]) -> Iterator[int]:
        """All streams in turn: so many facets are most of them, or else rare."""
        high, left = self._span.high, _MOST_SCANNED
        text = (
            "SELECT count(*), min(s.seq), array_agg(s.seq ORDER BY s.seq DESC)"
            " FILTER (WHERE s.facet = ANY(%s::integer[])) FROM (SELECT seq, facet"
            " FROM store_stream WHERE seq >= %s AND seq < %s ORDER BY seq DESC LIMIT %s) AS s"
        )
        while left > 0:
            most = min(left, _SCANNED_AT_ONCE)
            ((seen, low, found),) = rows_of(
                self._connection, text, facets, self._span.low, high, most
            )
            yield from found or []
            if seen < most:
                return
            high, left = low, left - seen
        self.stopped_at = high
