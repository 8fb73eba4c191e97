"""What is asked of the store, by any thread; each has a connection of its own."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from switchhook.errors import DataFolderError
from switchhook.store.buckets import bucket_of
from switchhook.store.deadline import Deadline
from switchhook.store.digest import NOTE, hash_of
from switchhook.store.searching import search
from switchhook.store.sqlite.healing import FAILURES, StoreHealth, StorePlace
from switchhook.store.sqlite.lists import find
from switchhook.store.sqlite.opening import connect_reading, place_of
from switchhook.store.sqlite.searching import SqliteSearchTables
from switchhook.store.sqlite.tables import WORDS
from switchhook.store.sqlite.times import read_axis, seqs_between
from switchhook.store.stories import decode_story
from switchhook.store.tables import SeqRange
from switchhook.streams.facet import Count, Facet, Form, RuleHits, Tally, Use
from switchhook.streams.store import Marks, Quarantined, StreamFilter
from switchhook.streams.story import StreamStory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from switchhook.journal.source import JournalSource
    from switchhook.journal.steady_time import Axis
    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Query, SearchPage

LAST_SEQ = 2**63 - 1
LONGEST_SEARCH_S = 5.0
"""A page of what is found comes within this time, or not at all."""
_MOST_NOTES = 1000


class StoreReader:
    """Reads the store in a folder, whichever file of it counts at the time."""

    def __init__(self, folder: Path, journal: JournalSource, health: StoreHealth) -> None:
        self._folder, self._journal, self._health = folder, journal, health
        self._local = threading.local()

    def axis(self) -> Axis | None:
        with self._reading() as connection:
            return read_axis(connection)

    def placed(self, seqs: Iterable[int]) -> dict[int, int]:
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "SELECT seq, at FROM displaced WHERE seq IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(seqs)),),
                )
            )

    def seqs_between(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int | None]:
        with self._reading() as connection:
            return seqs_between(connection, self._journal, since_ms, until_ms)

    def position(self) -> int:
        with self._reading() as connection:
            seq: int = connection.execute("SELECT seq FROM progress").get
            return seq

    def receipts(self, wanted: StreamFilter) -> list[int]:
        with self._reading() as connection:
            return find(connection, "receipt", wanted)

    def streams(self, wanted: StreamFilter) -> list[tuple[int, StreamStory | None]]:
        with self._reading() as connection:
            seqs = find(connection, "stream", wanted)
            stories = dict(
                connection.execute(
                    "SELECT seq, story FROM stream"
                    " WHERE story NOT NULL AND seq IN (SELECT value FROM json_each(?))",
                    (json.dumps(seqs),),
                )
            )
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
            tables = SqliteSearchTables(connection, self._journal)
            return search(
                tables, self._journal, query, names, span, limit, deadline, counted=counted
            )

    def tallies(self, since_ms: int, until_ms: int, *, hours: bool = False) -> list[Tally]:
        table = "hour" if hours else "minute"
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT at, {table}.streams, {WORDS} FROM {table} JOIN facet ON id = facet"  # noqa: S608 - our words
                " WHERE at >= ? AND at < ? ORDER BY at",
                (since_ms, until_ms),
            )
            return [Tally(at, Facet(*words), streams) for at, streams, *words in rows]

    def uses(self) -> list[Use]:
        at = "SELECT at FROM stream WHERE seq = (SELECT {}(seq) FROM stream WHERE facet = facet.id)"
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT ({at.format('min')}), ({at.format('max')}), streams, {WORDS}"  # noqa: S608 - our words
                " FROM facet WHERE streams > 0"
            )
            return [Use(Facet(*words), a, z, streams) for a, z, streams, *words in rows]

    def counts(self, since_ms: int, until_ms: int) -> list[Count]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT minute, name, count FROM count WHERE minute >= ? AND minute < ?"
                " ORDER BY minute, name",
                (since_ms, until_ms),
            )
            return [Count(*row) for row in rows]

    def forms(self, since_ms: int, until_ms: int) -> list[Form]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT hour, endpoint, aspect, value, count FROM form"
                " WHERE hour >= ? AND hour < ? ORDER BY hour, endpoint, aspect, count DESC, value",
                (since_ms, until_ms),
            )
            return [Form(*row) for row in rows]

    def rule_hits(self, since_ms: int, until_ms: int) -> list[RuleHits]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT endpoint, release, rule, option, coalesce(found.hits, 0), last_at, last_seq"
                " FROM rule LEFT JOIN ("
                "SELECT endpoint, release, rule, option, sum(hits) AS hits FROM rule_hour"
                " WHERE hour >= ? AND hour < ? GROUP BY endpoint, release, rule, option"
                ") AS found USING (endpoint, release, rule, option)"
                " ORDER BY endpoint, release, rule, option",
                (since_ms, until_ms),
            )
            return [RuleHits(*row) for row in rows]

    def notes(self, call_sid: str) -> list[int]:
        key, found = hash_of(NOTE, call_sid), list[int]()
        sql = "SELECT seq FROM mention WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT ?"
        with self._reading() as connection:
            last: int = connection.execute("SELECT seq FROM progress").get
            for bucket in range(bucket_of(last), -1, -1):
                left = _MOST_NOTES - len(found)
                found += [seq for (seq,) in connection.execute(sql, (bucket, key, left))]
        return found[::-1]

    def oldest_ms(self) -> int | None:
        with self._reading() as connection:
            at: int | None = connection.execute("SELECT at FROM stream ORDER BY seq LIMIT 1").get
            return at

    def marks(self, seqs: Iterable[int]) -> dict[int, Marks]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT value, late_ms, one_copy.seq IS NOT NULL FROM json_each(?)"
                " LEFT JOIN late ON late.seq = value LEFT JOIN one_copy ON one_copy.seq = value"
                " WHERE late_ms IS NOT NULL OR one_copy.seq IS NOT NULL",
                (json.dumps(list(seqs)),),
            )
            return {seq: Marks(late_ms, bool(one_copy)) for seq, late_ms, one_copy in rows}

    def events(self, kind: int, limit: int, before_seq: int = LAST_SEQ) -> list[int]:
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT seq FROM event WHERE kind = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
                (kind, before_seq, limit),
            )
            return [seq for (seq,) in rows]

    def counters(self) -> dict[str, int]:
        with self._reading() as connection:
            return dict(connection.execute("SELECT name, count FROM counter ORDER BY name"))

    def quarantined(self, limit: int) -> tuple[int, list[Quarantined]]:
        with self._reading() as connection:
            count: int = connection.execute("SELECT count(*) FROM quarantine").get
            rows = connection.execute(
                "SELECT seq, reason FROM quarantine ORDER BY seq DESC LIMIT ?", (limit,)
            )
            return count, [Quarantined(seq, reason) for seq, reason in rows]

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """A connection of this thread's own to the store that counts now."""
        place: StorePlace | None = None
        try:
            place = place_of(self._folder)
            if place is None:
                problem, hint = "there is no store yet", "start the console once, or rebuild"
                raise DataFolderError(str(self._folder), problem, hint)
            if getattr(self._local, "place", None) != place:
                self._local.place = None
                self._local.connection = connect_reading(self._folder, place.path)
                self._local.place = place
            yield self._local.connection
        except FAILURES as error:
            self._local.place = self._local.connection = None  # the next one is a new one
            raise self._health.failed("read", error, place) from error
        self._health.went_well("read")
