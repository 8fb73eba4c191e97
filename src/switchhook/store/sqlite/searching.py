"""The store's file as a search reads it."""

from __future__ import annotations

import heapq
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from switchhook.sqlite_file import transaction
from switchhook.store.buckets import bucket_of
from switchhook.store.sqlite.tables import WORDS
from switchhook.store.sqlite.times import seqs_between
from switchhook.store.tables import FoundRow
from switchhook.streams.facet import Facet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.store.deadline import Deadline
    from switchhook.store.tables import SeqRange

_MOST_SCANNED = 200_000
"""Rows of the table of streams that one search goes through."""
_MOST_MERGED = 300  # facets whose rows are merged; each costs a statement
_SCANNED_A_FACET = 100  # rows; looking at so many costs about what a statement does
_STEPS = 20_000  # of SQLite's machine between two looks at the clock; about a millisecond


class SqliteSearchTables:
    """A connection's tables: `store.tables.SearchTables`."""

    def __init__(self, connection: apsw.Connection, journal: JournalSource) -> None:
        self._connection, self._journal = connection, journal

    @contextmanager
    def snapshot(self, deadline: Deadline) -> Iterator[None]:
        self._connection.set_progress_handler(lambda: deadline.passed, _STEPS)
        try:
            with transaction(self._connection, "DEFERRED"):
                yield
        except apsw.InterruptError:
            raise deadline.error() from None
        finally:
            self._connection.set_progress_handler(None)

    def facets(self) -> list[tuple[int, int, Facet]]:
        rows = self._connection.execute(f"SELECT id, streams, {WORDS} FROM facet")  # noqa: S608 - our words
        return [(number, streams, Facet(*words)) for number, streams, *words in rows]

    def last_seq(self) -> int:
        seq: int = self._connection.execute("SELECT seq FROM progress").get
        return seq

    def seqs_between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int | None]:
        return seqs_between(self._connection, self._journal, since_ms, until_ms)

    def candidates(self, span: SeqRange, facets: Mapping[int, Facet] | None) -> SqliteCandidates:
        return SqliteCandidates(self._connection, span, facets)

    def rows(self, seqs: Sequence[int]) -> list[FoundRow]:
        rows = self._connection.execute(
            "SELECT s.seq, at, story, late_ms, one_copy.seq IS NOT NULL FROM stream s"
            " LEFT JOIN late ON late.seq = s.seq LEFT JOIN one_copy ON one_copy.seq = s.seq"
            " WHERE s.seq IN (SELECT value FROM json_each(?))",
            (json.dumps(seqs),),
        )
        return [
            FoundRow(seq, at, story, late_ms, bool(alone))
            for seq, at, story, late_ms, alone in rows
        ]

    def count(self, facets: Sequence[int], span: SeqRange, most: int) -> int:
        sql = (
            "SELECT count(*) FROM (SELECT 1 FROM stream INDEXED BY stream_facet"
            " WHERE facet = ? AND seq >= ? AND seq < ? AND at >= ? AND at < ? LIMIT ?)"
        )
        found = 0
        for number in facets:
            within = (span.low, span.high, span.since_ms, span.until_ms)
            found += self._connection.execute(sql, (number, *within, most + 1 - found)).get
            if found > most:
                break
        return found


class SqliteCandidates:
    """What the file's indexes give: `store.tables.Candidates`."""

    def __init__(
        self, connection: apsw.Connection, span: SeqRange, facets: Mapping[int, Facet] | None
    ) -> None:
        self._connection, self._span = connection, span
        # The condition that a stream's facet is a possible one.
        self._within = "" if facets is None else f" AND s.facet IN ({','.join(map(str, facets))})"
        self._cursors: list[apsw.Cursor] = []
        self.stopped_at: int | None = None

    def close(self) -> None:
        """End what is open: a cursor would hold its snapshot."""
        for cursor in self._cursors:
            cursor.close()

    def _rows_of(self, sql: str, *bindings: int | str) -> apsw.Cursor:
        cursor = self._connection.execute(sql, bindings)
        self._cursors.append(cursor)
        return cursor

    def by_hash(self, keys: Sequence[int]) -> Iterator[int]:
        sql = (
            "SELECT m.seq FROM mention m CROSS JOIN stream s ON s.seq = m.seq"  # noqa: S608 - numbers
            f" WHERE m.bucket = ? AND m.key = ? AND m.seq >= ? AND m.seq < ?{self._within}"
        )
        return self._by_bucket(sql, [(key,) for key in keys])

    def by_number(self, ranges: Sequence[tuple[str, str]]) -> Iterator[int]:
        sql = (
            "SELECT m.seq FROM caller m CROSS JOIN stream s ON s.seq = m.seq"  # noqa: S608 - numbers
            " WHERE m.bucket = ? AND m.digits >= ? AND m.digits < ?"
            f" AND m.seq >= ? AND m.seq < ?{self._within}"
        )
        return self._by_bucket(sql, ranges)

    def by_late(self) -> Iterator[int]:
        return self._marked("late")

    def by_one_copy(self) -> Iterator[int]:
        return self._marked("one_copy")

    def _marked(self, table: str) -> Iterator[int]:
        """The streams of whose first receipts a table of few rows says something."""
        rows = self._rows_of(
            f"SELECT s.seq FROM {table} m CROSS JOIN stream s ON s.seq = m.seq"  # noqa: S608 - our words
            f" WHERE m.seq >= ? AND m.seq < ?{self._within} ORDER BY m.seq DESC",
            self._span.low,
            self._span.high,
        )
        return (seq for (seq,) in rows)

    def _by_bucket(self, sql: str, keys: Sequence[tuple[int | str, ...]]) -> Iterator[int]:
        low, high = self._span.low, self._span.high
        for bucket in range(bucket_of(high - 1), bucket_of(low) - 1, -1):
            found: set[int] = set()
            for key in keys:
                rows = self._connection.execute(sql, (bucket, *key, low, high))
                found.update(seq for (seq,) in rows)
            yield from sorted(found, reverse=True)

    def by_facet(self, facets: Mapping[int, Facet] | None) -> Iterator[int]:
        if facets is None:
            sql = "SELECT seq FROM stream WHERE seq >= ? AND seq < ? ORDER BY seq DESC"
            return (seq for (seq,) in self._rows_of(sql, self._span.low, self._span.high))
        if len(facets) > _MOST_MERGED:
            return self._by_scan(facets)
        return self._by_scan_and_merge(facets)

    def _by_scan_and_merge(self, facets: Mapping[int, Facet]) -> Iterator[int]:
        """The newest rows are gone through for what opening the facets' cursors would cost.

        What many streams have fills a page by then, however many facets they have; only for what
        is rarer are the cursors opened.
        """
        low, high = self._span.low, self._span.high
        middle = max(low, high - _SCANNED_A_FACET * len(facets))
        sql = (
            "SELECT seq FROM stream NOT INDEXED"  # noqa: S608 - numbers
            f" WHERE seq >= ? AND seq < ? AND facet IN ({','.join(map(str, facets))})"
            " ORDER BY seq DESC"
        )
        for (seq,) in self._rows_of(sql, middle, high):
            yield seq
        sql = (
            "SELECT seq FROM stream INDEXED BY stream_facet"
            " WHERE facet = ? AND seq >= ? AND seq < ? ORDER BY seq DESC"
        )
        # Each facet's rows come in order already; only as many are read as are needed.
        cursors = [self._rows_of(sql, facet, low, middle) for facet in facets]
        for (seq,) in heapq.merge(*cursors, reverse=True):
            yield seq

    def _by_scan(self, facets: Mapping[int, Facet]) -> Iterator[int]:
        """All streams in turn: so many facets are most of them, or else rare."""
        sql = "SELECT seq, facet FROM stream WHERE seq >= ? AND seq < ? ORDER BY seq DESC LIMIT ?"
        rows = self._rows_of(sql, self._span.low, self._span.high, _MOST_SCANNED)
        seen, seq = 0, self._span.high
        for seq, facet in rows:
            seen += 1
            if facet in facets:
                yield seq
        if seen == _MOST_SCANNED:
            self.stopped_at = seq
