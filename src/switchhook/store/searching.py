"""Searching among streams: from the fewest candidates that an index gives to those that fit.

Every stream that is given was looked at whole: an index only says where to look. Looking stops
after a bounded number of rows, with the place to go on from, so that no search takes long.
"""

from __future__ import annotations

import heapq
from itertools import groupby, islice
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.number_keys import key_ranges
from switchhook.store.digest import CALL, FLOW, RULE, SAID, STREAM, hash_of
from switchhook.store.found_count import count_found
from switchhook.store.stories import decode_story
from switchhook.store.tables import SeqRange
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
    from collections.abc import Iterator, Sequence

    from switchhook.journal.source import JournalSource
    from switchhook.store.deadline import Deadline
    from switchhook.store.tables import Candidates, SearchTables
    from switchhook.streams.facet import Facet
    from switchhook.streams.names import Names

_MOST_READ = 500
"""Streams looked at whole in one search; each that one receipt told is read from the journal."""
_READ_AT_ONCE = 100


def search(
    tables: SearchTables,
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
    with tables.snapshot(deadline):
        page = _search(tables, journal, query, names, span, limit, deadline)
        if not counted:
            return page
        count = count_found(tables, journal, query, names)
        return msgspec.structs.replace(page, count=count)


def _search(
    tables: SearchTables,
    journal: JournalSource,
    query: Query,
    names: Names,
    span: SeqRange,
    limit: int,
    deadline: Deadline,
) -> SearchPage:
    low, high = span.low, min(span.high, tables.last_seq() + 1)
    since_ms = None if query.since is None else query.since.ms
    until_ms = None if query.until is None else query.until.ms
    if since_ms is not None or until_ms is not None:
        since, until = tables.seqs_between(since_ms, until_ms)
        # Before the journal's first record only the streams themselves tell when they were.
        low = max(low, since) if since > journal.first_seq() else low
        high = high if until is None else min(high, until)
    if limit < 1 or low >= high:
        return SearchPage([], None)
    within = SeqRange(low, high, since_ms, until_ms)
    return _Search(tables, journal, query, names, within, deadline).page(limit)


class _Search:
    def __init__(
        self,
        tables: SearchTables,
        journal: JournalSource,
        query: Query,
        names: Names,
        span: SeqRange,
        deadline: Deadline,
    ) -> None:
        self._tables, self._journal, self._deadline = tables, journal, deadline
        self._query, self._names, self._span = query, names, span
        self._known = {number: facet for number, _, facet in tables.facets()}
        may = {n: each for n, each in self._known.items() if self._may_fit(query, each)}
        self._facets = None if len(may) == len(self._known) else may

    def _may_fit(self, query: Query, facet: Facet) -> bool:
        self._deadline.check()
        return facet_may_fit(query, self._names, facet)

    def page(self, limit: int) -> SearchPage:
        """The rows that fit among the candidates, with where to go on."""
        candidates = self._tables.candidates(self._span, self._facets)
        try:
            return self._page(candidates, limit)
        finally:
            candidates.close()

    def _page(self, candidates: Candidates, limit: int) -> SearchPage:
        rows: list[StreamRow] = []
        found, chunk, read = self._found(candidates), limit + 1, 0
        while seqs := list(islice(found, chunk)):
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
        return SearchPage(rows, candidates.stopped_at)

    def _found(self, candidates: Candidates) -> Iterator[int]:
        """Seqs of streams among which are all that fit, newest first, each once."""
        if self._facets is not None and not self._facets:
            return iter(())
        if keys := self._keys():
            return candidates.by_hash(keys)
        for key in ("from", "to", "number"):
            if values := self._asked(key):
                return self._by_number(candidates, values, only_from=key == "from")
        if self._asked("is") == ("late",):
            return candidates.by_late()
        if self._asked("is") == ("one_copy",):
            return candidates.by_one_copy()
        if keys := self._more_keys():
            return candidates.by_hash(keys)
        return candidates.by_facet(self._facets)

    def _keys(self) -> list[int]:
        """The hashes of calls and streams of which one is asked for."""
        for key, kinds in (("call", (CALL,)), ("stream", (STREAM,)), ("sid", (CALL, STREAM))):
            if values := self._asked(key):
                return sorted({hash_of(kind, each) for each in values for kind in kinds})
        return []

    def _more_keys(self) -> list[int]:
        """The hashes of what else is asked for, of which many streams have one."""
        flows = self._asked("flow")
        if flows and not any("*" in flow for flow in flows):
            return sorted({hash_of(FLOW, flow) for flow in self._flow_ids(flows)})
        if rules := self._asked("rule"):
            return sorted({hash_of(RULE, rule) for rule in rules})
        for key in ("custom_field", "digits"):
            values = self._asked(key)
            if values and not any("*" in value for value in values):
                return sorted({hash_of(SAID, key, each.casefold()) for each in values})
        return []

    def _asked(self, key: str) -> tuple[str, ...]:
        """The values of the first condition on a key; one of them has to hold."""
        return next(
            (e.values for e in self._query.conditions if e.key == key and not e.excluded), ()
        )

    def _flow_ids(self, flows: tuple[str, ...]) -> set[str]:
        low = {flow.casefold() for flow in flows}
        named = {id for id, name in self._names.flows.items() if name.casefold() in low}
        return named | set(flows) | {id for id in self._names.flows if id.casefold() in low}

    def _by_number(
        self, candidates: Candidates, patterns: tuple[str, ...], *, only_from: bool
    ) -> Iterator[int]:
        found = candidates.by_number([each for p in patterns for each in key_ranges(p)])
        called = {} if only_from else self._facets_called(patterns)
        if not called:
            return found
        merged = heapq.merge(found, candidates.by_facet(called), reverse=True)
        return (seq for seq, _ in groupby(merged))

    def _facets_called(self, patterns: tuple[str, ...]) -> dict[int, Facet]:
        """The facets whose ExoPhone, which no index has, may be one of the numbers."""
        asked = Query((Condition("exophone", patterns),))
        known = self._known if self._facets is None else self._facets
        return {n: facet for n, facet in known.items() if self._may_fit(asked, facet)}

    def _rows(self, seqs: Sequence[int]) -> dict[int, StreamRow]:
        """Streams by seq; those that are no longer to be read are left out."""
        rows = self._tables.rows(seqs)
        alone = [each.seq for each in rows if each.story is None]
        records = self._journal.get_many(alone) if alone else {}
        node = self._journal.node or 0
        found = {}
        for seq, at, blob, late_ms, one_copy in rows:
            if blob is not None:
                story = decode_story(blob)
            elif seq in records:
                told = stream_story(read_parsed(records[seq], node))
                if told is None:
                    continue
                story = told
            else:
                continue
            found[seq] = StreamRow(seq, at, facet_of(story), story, late_ms, one_copy)
        return found
