"""Searching among streams: from the fewest candidates that an index gives to those that fit.

Every stream that is given was looked at whole: an index only says where to look. Looking stops
after a bounded number of rows, with the place to go on from, so that no search takes long.
"""

from __future__ import annotations

import heapq
import json
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from switchhook.errors import SearchError
from switchhook.exotel.number_keys import key_ranges
from switchhook.sqlite_file import transaction
from switchhook.store.digest import CALL, FLOW, RULE, SAID, STREAM, hash_of
from switchhook.store.files import BUCKET_BITS
from switchhook.store.found_count import count_found
from switchhook.store.placing import seqs_between
from switchhook.store.stories import decode_story
from switchhook.streams.facet import Facet
from switchhook.streams.parsed_record import read_parsed
from switchhook.streams.search.query import (
    Condition,
    Query,
    SearchPage,
    StreamRow,
    facet_may_fit,
    fits,
)
from switchhook.streams.story import facet_of, stream_story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.streams.names import Names
    from switchhook.streams.story import StreamStory

_MOST_READ = 500
"""Streams looked at whole in one search; each that one receipt told is read from the journal."""
_MOST_SCANNED = 200_000
"""Rows of the table of streams that one search goes through."""
_MOST_MERGED = 300  # facets whose rows are merged; each costs a statement
_SCANNED_A_FACET = 100  # rows; looking at so many costs about what a statement does
_READ_AT_ONCE = 100
_STEPS = 20_000  # of SQLite's machine between two looks at the clock; about a millisecond

_FACETS = "SELECT id, endpoint, status, cause, option, kind, host, exophone FROM facet"


class Deadline:
    """When a search is given up; `monotonic` is the clock, in seconds. `check` raises SearchError.

    Given as a progress handler, it ends a statement of SQLite that takes too long.
    """

    def __init__(self, limit_s: float, monotonic: Callable[[], float]) -> None:
        self._limit_s, self._monotonic = limit_s, monotonic
        self._until = monotonic() + limit_s

    @property
    def passed(self) -> bool:
        return self._monotonic() > self._until

    def check(self) -> None:
        if self.passed:
            raise self.error()

    def error(self) -> SearchError:
        hint = "narrow it: a shorter time (since:1h), a cause or an endpoint, fewer words"
        return SearchError(f"the search took longer than {self._limit_s:g} s", hint)


class SeqRange(msgspec.Struct, frozen=True):
    """The seqs in which to look, newest first: from `low` to before `high`."""

    low: int
    high: int

    def buckets(self) -> Iterator[int]:
        """The buckets that hold them, newest first."""
        return iter(range((self.high - 1) >> BUCKET_BITS, (self.low >> BUCKET_BITS) - 1, -1))


def search(
    connection: apsw.Connection,
    journal: JournalSource,
    query: Query,
    names: Names,
    span: SeqRange,
    limit: int,
    deadline: Deadline,
    *,
    counted: bool = False,
) -> SearchPage:
    """A page of streams that fit, newest first, all of one moment. Raises SearchError."""
    connection.set_progress_handler(lambda: deadline.passed, _STEPS)
    try:
        with transaction(connection, "DEFERRED"):
            page = _search(connection, journal, query, names, span, limit, deadline)
            if not counted:
                return page
            count = count_found(connection, journal, query, names)
            return msgspec.structs.replace(page, count=count)
    except apsw.InterruptError:
        raise deadline.error() from None
    finally:
        connection.set_progress_handler(None)


def _search(
    connection: apsw.Connection,
    journal: JournalSource,
    query: Query,
    names: Names,
    span: SeqRange,
    limit: int,
    deadline: Deadline,
) -> SearchPage:
    low, high = span.low, min(span.high, connection.execute("SELECT seq FROM progress").get + 1)
    since_ms = None if query.since is None else query.since.ms
    until_ms = None if query.until is None else query.until.ms
    if since_ms is not None or until_ms is not None:
        since, until = seqs_between(connection, journal, since_ms, until_ms)
        # Before the journal's first record only the streams themselves tell when they were.
        low = max(low, since) if since > journal.first_seq() else low
        high = high if until is None else min(high, until)
    if limit < 1 or low >= high:
        return SearchPage([], None)
    looking = _Search(connection, journal, query, names, SeqRange(low, high), deadline)
    try:
        return looking.page(limit)
    finally:
        looking.close()


class _Search:
    def __init__(
        self,
        connection: apsw.Connection,
        journal: JournalSource,
        query: Query,
        names: Names,
        span: SeqRange,
        deadline: Deadline,
    ) -> None:
        self._connection, self._journal, self._deadline = connection, journal, deadline
        self._query, self._names, self._span = query, names, span
        self._cursors: list[apsw.Cursor] = []
        self._stopped_at: int | None = None
        self._known = {n: Facet(*words) for n, *words in connection.execute(_FACETS)}
        may = {n: each for n, each in self._known.items() if self._may_fit(query, each)}
        self._facets = None if len(may) == len(self._known) else may

    def _may_fit(self, query: Query, facet: Facet) -> bool:
        self._deadline.check()
        return facet_may_fit(query, self._names, facet)

    def close(self) -> None:
        """End what is open: a cursor would hold its snapshot."""
        for cursor in self._cursors:
            cursor.close()

    def page(self, limit: int) -> SearchPage:
        """The rows that fit among the candidates, with where to go on."""
        rows: list[StreamRow] = []
        candidates, chunk, read = self._candidates(), limit + 1, 0
        while seqs := list(islice(candidates, chunk)):
            known = self._rows(seqs)
            for seq in seqs:
                self._deadline.check()
                row = known.get(seq)
                if row is None or not fits(self._query, self._names, row):
                    continue
                if len(rows) == limit:
                    return SearchPage(rows, rows[-1].seq)
                rows.append(row)
            read, chunk = read + len(seqs), _READ_AT_ONCE
            if read >= _MOST_READ + limit:
                return SearchPage(rows, seqs[-1])
        return SearchPage(rows, self._stopped_at)

    def _rows_of(self, sql: str, *bindings: int | str) -> apsw.Cursor:
        cursor = self._connection.execute(sql, bindings)
        self._cursors.append(cursor)
        return cursor

    def _candidates(self) -> Iterator[int]:
        """Seqs of streams among which are all that fit, newest first, each once."""
        if self._facets is not None and not self._facets:
            return iter(())
        for key, kinds in (("call", (CALL,)), ("stream", (STREAM,)), ("sid", (CALL, STREAM))):
            if values := self._asked(key):
                return self._by_hash([hash_of(kind, each) for each in values for kind in kinds])
        for key in ("from", "to", "number"):
            if values := self._asked(key):
                return self._by_number(values, only_from=key == "from")
        if self._asked("is") == ("late",):
            return self._by_late()
        flows = self._asked("flow")
        if flows and not any("*" in flow for flow in flows):
            return self._by_hash([hash_of(FLOW, flow) for flow in self._flow_ids(flows)])
        if rules := self._asked("rule"):
            return self._by_hash([hash_of(RULE, rule) for rule in rules])
        for key in ("custom_field", "digits"):
            values = self._asked(key)
            if values and not any("*" in value for value in values):
                return self._by_hash([hash_of(SAID, key, each.casefold()) for each in values])
        return self._by_facet(self._facets)

    def _asked(self, key: str) -> tuple[str, ...]:
        """The values of the first condition on a key; one of them has to hold."""
        return next(
            (e.values for e in self._query.conditions if e.key == key and not e.excluded), ()
        )

    def _flow_ids(self, flows: tuple[str, ...]) -> set[str]:
        low = {flow.casefold() for flow in flows}
        named = {id for id, name in self._names.flows.items() if name.casefold() in low}
        return named | set(flows) | {id for id in self._names.flows if id.casefold() in low}

    def _within(self) -> str:
        """The condition that a stream's facet is a possible one."""
        if self._facets is None:
            return ""
        return f" AND s.facet IN ({','.join(map(str, self._facets))})"

    def _by_hash(self, keys: list[int]) -> Iterator[int]:
        sql = (
            "SELECT m.seq FROM mention m CROSS JOIN stream s ON s.seq = m.seq"  # noqa: S608 - numbers
            f" WHERE m.bucket = ? AND m.key = ? AND m.seq >= ? AND m.seq < ?{self._within()}"
        )
        return self._by_bucket(sql, [(key,) for key in sorted(set(keys))])

    def _by_number(self, patterns: tuple[str, ...], *, only_from: bool) -> Iterator[int]:
        sql = (
            "SELECT m.seq FROM caller m CROSS JOIN stream s ON s.seq = m.seq"  # noqa: S608 - numbers
            " WHERE m.bucket = ? AND m.digits >= ? AND m.digits < ?"
            f" AND m.seq >= ? AND m.seq < ?{self._within()}"
        )
        found = self._by_bucket(sql, [each for p in patterns for each in key_ranges(p)])
        called = {} if only_from else self._facets_called(patterns)
        if not called:
            return found
        merged = heapq.merge(found, self._by_facet(called), reverse=True)
        return (seq for seq, _ in groupby(merged))

    def _facets_called(self, patterns: tuple[str, ...]) -> dict[int, Facet]:
        """The facets whose ExoPhone, which no index has, may be one of the numbers."""
        asked = Query((Condition("exophone", patterns),))
        known = self._known if self._facets is None else self._facets
        return {n: facet for n, facet in known.items() if self._may_fit(asked, facet)}

    def _by_late(self) -> Iterator[int]:
        rows = self._rows_of(
            "SELECT s.seq FROM late CROSS JOIN stream s ON s.seq = late.seq"  # noqa: S608 - numbers
            f" WHERE late.seq >= ? AND late.seq < ?{self._within()} ORDER BY late.seq DESC",
            self._span.low,
            self._span.high,
        )
        return (seq for (seq,) in rows)

    def _by_bucket(self, sql: str, keys: Sequence[tuple[int | str, ...]]) -> Iterator[int]:
        span = (self._span.low, self._span.high)
        for bucket in self._span.buckets():
            found: set[int] = set()
            for key in keys:
                found.update(q for (q,) in self._connection.execute(sql, (bucket, *key, *span)))
            yield from sorted(found, reverse=True)

    def _by_facet(self, facets: Mapping[int, Facet] | None) -> Iterator[int]:
        span = (self._span.low, self._span.high)
        if facets is None:
            sql = "SELECT seq FROM stream WHERE seq >= ? AND seq < ? ORDER BY seq DESC"
            return (seq for (seq,) in self._rows_of(sql, *span))
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
            self._stopped_at = seq

    def _rows(self, seqs: list[int]) -> dict[int, StreamRow]:
        """Streams by seq; those that are no longer to be read are left out."""
        asked = json.dumps(seqs)
        rows: list[Any] = self._connection.execute(
            "SELECT s.seq, at, story, late_ms FROM stream s LEFT JOIN late ON late.seq = s.seq"
            " WHERE s.seq IN (SELECT value FROM json_each(?))",
            (asked,),
        ).fetchall()
        alone = [seq for seq, _, blob, _ in rows if blob is None]
        records = self._journal.get_many(alone) if alone else {}
        node = self._journal.node or 0
        found = {}
        for seq, at, blob, late_ms in rows:
            story: StreamStory | None
            if blob is not None:
                story = decode_story(blob)
            else:
                story = stream_story(read_parsed(records[seq], node)) if seq in records else None
            if story is not None:
                found[seq] = StreamRow(seq, at, facet_of(story), story, late_ms)
        return found
