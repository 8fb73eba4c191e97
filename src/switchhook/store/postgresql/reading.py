"""What is asked of the store, by any thread."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from switchhook.errors import ClusterError
from switchhook.postgresql_server import explained, name_of
from switchhook.store.buckets import bucket_of
from switchhook.store.deadline import Deadline
from switchhook.store.digest import NOTE, hash_of
from switchhook.store.placing import decode_axis
from switchhook.store.postgresql.connections import Readers
from switchhook.store.postgresql.lists import find
from switchhook.store.postgresql.searching import PostgresqlSearchTables
from switchhook.store.postgresql.statements import restored, rows_of
from switchhook.store.postgresql.times import seqs_between
from switchhook.store.searching import search
from switchhook.store.stories import decode_story
from switchhook.store.tables import SeqRange
from switchhook.streams.facet import Count, Facet, Form, RuleHits, Tally, Use
from switchhook.streams.store import Marks, Quarantined, StreamFilter
from switchhook.streams.story import StreamStory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psycopg import Connection

    from switchhook.journal.source import JournalSource
    from switchhook.journal.steady_time import Axis
    from switchhook.postgresql_server import Url
    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Query, SearchPage

LAST_SEQ = 2**63 - 1
LONGEST_SEARCH_S = 5.0
"""A page of what is found comes within this time, or not at all."""
_WORDS = "endpoint, status, cause, option, kind, host, exophone"
_MOST_NOTES = 1000


class PostgresqlReader:
    """Reads the store in a database. Everything raises ClusterError where that can't be had."""

    def __init__(self, url: Url, journal: JournalSource) -> None:
        self._url, self._journal = url, journal
        self._readers = Readers(url)

    def axis(self) -> Axis | None:
        with self._reading() as connection:
            ((blob,),) = rows_of(connection, "SELECT axis FROM store_progress")
            return None if blob is None else decode_axis(blob)

    def placed(self, seqs: Iterable[int]) -> dict[int, int]:
        with self._reading() as connection:
            rows = rows_of(
                connection,
                "SELECT seq, at FROM store_displaced WHERE seq = ANY(%s::bigint[])",
                list(seqs),
            )
            return dict(rows)

    def seqs_between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int | None]:
        with self._reading() as connection:
            return seqs_between(connection, since_ms, until_ms)

    def position(self) -> int:
        with self._reading() as connection:
            ((seq,),) = rows_of(connection, "SELECT seq FROM store_progress")
            return int(seq)

    def receipts(self, wanted: StreamFilter) -> list[int]:
        with self._reading() as connection:
            return find(connection, "receipt", wanted)

    def streams(self, wanted: StreamFilter) -> list[tuple[int, StreamStory | None]]:
        with self._reading() as connection:
            seqs = find(connection, "stream", wanted)
            rows = rows_of(
                connection,
                "SELECT seq, story FROM store_stream"
                " WHERE story IS NOT NULL AND seq = ANY(%s::bigint[])",
                seqs,
            )
            stories = dict(rows)
            return [(q, decode_story(stories[q]) if q in stories else None) for q in seqs]

    def search(
        self,
        query: Query,
        names: Names,
        *,
        before_seq: int = LAST_SEQ,
        after_seq: int = 0,
        limit: int = 100,
        counted: bool = False,
    ) -> SearchPage:
        with self._reading() as connection:
            span = SeqRange(after_seq + 1, before_seq)
            deadline = Deadline(LONGEST_SEARCH_S, time.monotonic)
            tables = PostgresqlSearchTables(connection)
            return search(
                tables, self._journal, query, names, span, limit, deadline, counted=counted
            )

    def tallies(self, since_ms: int, until_ms: int, *, hours: bool = False) -> list[Tally]:
        table = "hour" if hours else "minute"
        with self._reading() as connection:
            rows = rows_of(
                connection,
                f"SELECT t.at, t.streams, {_WORDS} FROM store_{table} t"  # noqa: S608 - our words
                " JOIN store_facet f ON f.id = t.facet WHERE t.at >= %s AND t.at < %s"
                " ORDER BY t.at, t.facet",
                *(since_ms, until_ms),
            )
            return [Tally(at, _facet(words), streams) for at, streams, *words in rows]

    def uses(self) -> list[Use]:
        at = (
            "SELECT s.at FROM store_stream s WHERE s.facet = f.id ORDER BY s.facet {0}, s.seq {0}"
            " LIMIT 1"
        )
        with self._reading() as connection:
            rows = rows_of(
                connection,
                f"SELECT ({at.format('ASC')}), ({at.format('DESC')}), streams, {_WORDS}"  # noqa: S608 - our words
                " FROM store_facet f WHERE streams > 0",
            )
            return [Use(_facet(words), a, z, streams) for a, z, streams, *words in rows]

    def counts(self, since_ms: int, until_ms: int) -> list[Count]:
        with self._reading() as connection:
            rows = rows_of(
                connection,
                "SELECT minute, name, count FROM store_count"
                " WHERE minute >= %s AND minute < %s ORDER BY minute, name",
                *(since_ms, until_ms),
            )
            return [Count(minute, restored(name), count) for minute, name, count in rows]

    def forms(self, since_ms: int, until_ms: int) -> list[Form]:
        with self._reading() as connection:
            rows = rows_of(
                connection,
                "SELECT hour, endpoint, aspect, value, count FROM store_form"
                " WHERE hour >= %s AND hour < %s"
                " ORDER BY hour, endpoint, aspect, count DESC, value",
                *(since_ms, until_ms),
            )
            return [
                Form(hour, restored(endpoint), aspect, restored(value), count)
                for hour, endpoint, aspect, value, count in rows
            ]

    def rule_hits(self, since_ms: int, until_ms: int) -> list[RuleHits]:
        with self._reading() as connection:
            rows = rows_of(
                connection,
                "SELECT endpoint, release, rule, option,"
                " coalesce((SELECT sum(h.hits) FROM store_rule_hour h"
                " WHERE h.hour >= %s AND h.hour < %s AND h.endpoint = r.endpoint"
                " AND h.release = r.release AND h.rule = r.rule AND h.option = r.option), 0)"
                "::bigint, last_at, last_seq FROM store_rule r"
                " ORDER BY endpoint, release, rule, option",
                *(since_ms, until_ms),
            )
            return [RuleHits(*_texts(row[:4]), *row[4:]) for row in rows]

    def notes(self, call_sid: str) -> list[int]:
        with self._reading() as connection:
            ((last,),) = rows_of(connection, "SELECT seq FROM store_progress")
            rows = rows_of(
                connection,
                "SELECT m.seq FROM unnest(%s::integer[]) AS b (bucket)"
                " JOIN store_mention m ON m.bucket = b.bucket AND m.key = %s"
                " ORDER BY m.seq DESC LIMIT %s",
                *(list(range(bucket_of(last) + 1)), hash_of(NOTE, call_sid), _MOST_NOTES),
            )
            return [seq for (seq,) in reversed(rows)]

    def oldest_ms(self) -> int | None:
        with self._reading() as connection:
            rows = rows_of(connection, "SELECT at FROM store_stream ORDER BY seq LIMIT 1")
            return rows[0][0] if rows else None

    def marks(self, seqs: Iterable[int]) -> dict[int, Marks]:
        with self._reading() as connection:
            rows = rows_of(
                connection,
                "SELECT a.seq, l.late_ms, o.seq IS NOT NULL FROM unnest(%s::bigint[]) AS a (seq)"
                " LEFT JOIN store_late l ON l.seq = a.seq"
                " LEFT JOIN store_one_copy o ON o.seq = a.seq"
                " WHERE l.late_ms IS NOT NULL OR o.seq IS NOT NULL",
                list(seqs),
            )
            return {seq: Marks(late_ms, one_copy) for seq, late_ms, one_copy in rows}

    def events(self, kind: int, limit: int, before_seq: int = LAST_SEQ) -> list[int]:
        with self._reading() as connection:
            rows = rows_of(
                connection,
                "SELECT seq FROM store_event WHERE kind = %s AND seq < %s"
                " ORDER BY seq DESC LIMIT %s",
                *(kind, before_seq, limit),
            )
            return [seq for (seq,) in rows]

    def counters(self) -> dict[str, int]:
        with self._reading() as connection:
            rows = rows_of(connection, "SELECT name, count FROM store_counter ORDER BY name")
            return {restored(name): count for name, count in rows}

    def quarantined(self, limit: int) -> tuple[int, list[Quarantined]]:
        with self._reading() as connection:
            ((count,),) = rows_of(connection, "SELECT count(*) FROM store_quarantine")
            rows = rows_of(
                connection,
                "SELECT seq, reason FROM store_quarantine ORDER BY seq DESC LIMIT %s",
                limit,
            )
            return count, [Quarantined(seq, restored(reason)) for seq, reason in rows]

    @contextmanager
    def _reading(self) -> Iterator[Connection[Any]]:
        """A connection to read by, whose failures are said in words."""
        with explained(self._url):
            try:
                with self._readers.lent() as connection:
                    yield connection
            except Exception as error:
                if (said := _worded(error, name_of(self._url))) is not None:
                    raise said from error
                raise


def _worded(error: Exception, name: str) -> ClusterError | None:
    """What fails, where that says more than the server does."""
    import psycopg

    if isinstance(error, psycopg.errors.UndefinedTable):
        hint = "wait until a node leads, which makes it from the journal"
        return ClusterError(name, "there is no store of this release yet", hint)
    if isinstance(error, TimeoutError):
        hint = "look at what takes long: `pg_stat_activity` shows it"
        return ClusterError(name, "all connections to read the store by are in use", hint)
    return None


def _texts(words: Iterable[str]) -> tuple[Any, ...]:
    return tuple(map(restored, words))


def _facet(words: Iterable[str]) -> Facet:
    return Facet(*map(restored, words))
