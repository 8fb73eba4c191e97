"""The rows that some records become, and how they are written."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from switchhook.exotel.times import HOUR_MS
from switchhook.metrics import OTHER
from switchhook.streams.facet import MOST_FACETS, Facet

if TYPE_CHECKING:
    from collections.abc import Iterator

    import apsw

    from switchhook.journal.receipt import Receipt
    from switchhook.store.digest import Form
    from switchhook.streams.parsed_record import PassthruRecord
    from switchhook.streams.story import ParsedReceipt

RuleKey = tuple[str, str, str, str]
"""Endpoint, release, rule and option."""

MOST_VALUES = 60
_MOST_PLACES = 2_000  # hours, endpoints and aspects whose values are remembered
"""So many values of one aspect are told apart in an hour of an endpoint."""

_WORDS = "endpoint, status, cause, option, kind, host, exophone"
_LONGEST_VALUE = 120


class Batch:
    """Rows by table, and what is told of streams before it is written."""

    def __init__(self) -> None:
        self.receipts: list[tuple[int, int]] = []
        self.mentions: list[tuple[int, int, int]] = []
        self.callers: list[tuple[int, str, int]] = []
        self.streams: list[tuple[int, int, int]] = []
        self.keys: list[tuple[int, int, int]] = []
        self.late: list[tuple[int, int]] = []
        self.displaced: list[tuple[int, int]] = []
        self.turns: list[tuple[int, int]] = []
        self.events: list[tuple[int, int]] = []
        self.quarantine: list[tuple[int, str]] = []
        self.counters: Counter[str] = Counter()
        self.counts: Counter[tuple[int, str]] = Counter()  # by minute
        self.peaks: dict[tuple[int, str], int] = {}
        self.forms: Counter[tuple[int, Form]] = Counter()  # by hour
        self.hits: Counter[tuple[int, RuleKey]] = Counter()  # by hour
        self.last_hits: dict[RuleKey, tuple[int, int]] = {}  # when, and by which record
        self.tallies: Counter[tuple[int, int]] = Counter()  # minute and facet: streams more or less
        self.begun: dict[int, int] = {}  # streams new in this batch, hash to seq
        self.first_records: dict[int, PassthruRecord] = {}  # by the first receipt of each
        self.calls: dict[str, int] = {}  # that may be over while a stream of theirs runs, to bucket
        self.more: dict[
            int, list[tuple[int, ParsedReceipt]]
        ] = {}  # what later ones tell of a stream

    def hit(self, receipt: Receipt, seq: int, at: int) -> None:
        """Count a passthru for the rule that decided it; records come in their order."""
        decision = receipt.decision
        key = (receipt.endpoint, decision.release, decision.rule, str(decision.option))
        self.hits[at - at % HOUR_MS, key] += 1
        self.last_hits[key] = (at, seq)

    def write(self, connection: apsw.Connection) -> None:
        """Write all rows but the tallies, which later ones may still move."""
        many = connection.executemany
        many("INSERT INTO receipt VALUES (?, ?)", self.receipts)
        many("INSERT OR IGNORE INTO mention VALUES (?, ?, ?)", sorted(self.mentions))
        many("INSERT OR IGNORE INTO caller VALUES (?, ?, ?)", sorted(self.callers))
        many("INSERT INTO stream VALUES (?, ?, ?, NULL)", self.streams)
        many("INSERT INTO stream_key VALUES (?, ?, ?)", sorted(self.keys))
        many("INSERT OR REPLACE INTO late VALUES (?, ?)", self.late)
        many("INSERT OR REPLACE INTO displaced VALUES (?, ?)", self.displaced)
        many("INSERT OR REPLACE INTO turn VALUES (?, ?)", self.turns)
        many("INSERT INTO event VALUES (?, ?)", self.events)
        many("INSERT OR REPLACE INTO quarantine VALUES (?, ?)", self.quarantine)
        many(
            "INSERT INTO counter VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
            self.counters.items(),
        )
        many(
            "INSERT INTO count VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(*key, count) for key, count in self.counts.items()],
        )
        many(
            "INSERT INTO count VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET count = max(count, excluded.count)",
            [(*key, count) for key, count in self.peaks.items()],
        )
        many(
            "INSERT INTO rule_hour VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET hits = hits + excluded.hits",
            [(hour, *key, count) for (hour, key), count in self.hits.items()],
        )
        many(
            "INSERT OR REPLACE INTO rule VALUES (?, ?, ?, ?, ?, ?)",
            [(*key, *last) for key, last in self.last_hits.items()],
        )

    def write_tallies(self, connection: apsw.Connection) -> None:
        """Add to and take from minutes, hours and facets."""
        hours: Counter[tuple[int, int]] = Counter()
        facets: Counter[int] = Counter()
        for (at, facet), streams in self.tallies.items():
            hours[at - at % HOUR_MS, facet] += streams
            facets[facet] += streams
        for table, rows in (("minute", self.tallies), ("hour", hours)):
            connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?)"  # noqa: S608 - our words
                " ON CONFLICT DO UPDATE SET streams = streams + excluded.streams",
                [(*key, streams) for key, streams in rows.items() if streams],
            )
            connection.executemany(
                f"DELETE FROM {table} WHERE at = ? AND facet = ? AND streams = 0",  # noqa: S608 - our words
                [key for key, streams in rows.items() if streams < 0],
            )
        connection.executemany(
            "UPDATE facet SET streams = streams + ? WHERE id = ?",
            [(streams, facet) for facet, streams in facets.items() if streams],
        )


class Facets:
    """The numbers of facets; beyond the ceiling, hosts and ExoPhones are "other"."""

    def __init__(self, connection: apsw.Connection, most: int = MOST_FACETS) -> None:
        self._connection, self._most = connection, most
        self._numbers: dict[Facet, int] = {}
        self._count: int | None = None

    def forget(self) -> None:
        """Look again: what was given a number may be undone."""
        self._numbers.clear()
        self._count = None

    def number(self, facet: Facet) -> int:
        """The number of a facet, new or old."""
        number = self._numbers.get(facet)
        if number is None:
            number = self._find(facet)
            if number is None and self._counted() >= self._most:
                blurred = _blurred(facet)
                number = self._find(blurred) or self._begin(blurred)
            elif number is None:
                number = self._begin(facet)
            if len(self._numbers) > 2 * self._most:
                self._numbers.clear()
            self._numbers[facet] = number
        return number

    def _find(self, facet: Facet) -> int | None:
        row = self._connection.execute(
            "SELECT id FROM facet WHERE endpoint = ? AND status = ? AND cause = ? AND option = ?"
            " AND kind = ? AND host = ? AND exophone = ?",
            _words(facet),
        ).fetchone()
        return None if row is None else row[0]

    def _begin(self, facet: Facet) -> int:
        self._count = self._counted() + 1
        row = self._connection.execute(
            f"INSERT INTO facet ({_WORDS}) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",  # noqa: S608 - our words
            _words(facet),
        ).fetchone()
        assert row is not None
        number: int = row[0]
        return number

    def _counted(self) -> int:
        if self._count is None:
            self._count = self._connection.execute("SELECT count(*) FROM facet").get
        assert self._count is not None
        return self._count


def _blurred(facet: Facet) -> Facet:
    """The same without what comes from outside in any number."""
    host, exophone = facet.host and OTHER, facet.exophone and OTHER
    return Facet(
        facet.endpoint, facet.status, facet.cause, facet.option, facet.kind, host, exophone
    )


def _words(facet: Facet) -> tuple[str, ...]:
    return (
        facet.endpoint,
        facet.status,
        facet.cause,
        facet.option,
        facet.kind,
        facet.host,
        facet.exophone,
    )


class Forms:
    """Counts forms of requests, with a ceiling for each aspect in an hour of an endpoint."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[int, str, str], set[str]] = {}

    def forget(self) -> None:
        """Look again: what was counted may be undone."""
        self._known.clear()

    def write(self, forms: Counter[tuple[int, Form]]) -> None:
        """Add what a batch has; in its order, so that the first values keep their names."""
        if len(self._known) > _MOST_PLACES:
            self._known.clear()  # of hours gone by; not amid a batch, which the table hasn't yet
        rows: Counter[tuple[int, str, str, str]] = Counter()
        for (hour, form), count in forms.items():
            for aspect, value in aspects(form):
                rows[hour, form[0], aspect, self._counted_as(hour, form[0], aspect, value)] += count
        self._connection.executemany(
            "INSERT INTO form VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(*key, count) for key, count in rows.items()],
        )

    def _counted_as(self, hour: int, endpoint: str, aspect: str, value: str) -> str:
        place = (hour, endpoint, aspect)
        known = self._known.get(place)
        if known is None:
            rows = self._connection.execute(
                "SELECT value FROM form WHERE hour = ? AND endpoint = ? AND aspect = ?", place
            )
            known = self._known[place] = {text for (text,) in rows}
        if value not in known:
            if len(known) >= MOST_VALUES:
                return OTHER
            known.add(value)
        return value


def aspects(form: Form) -> Iterator[tuple[str, str]]:
    """The form of a request by aspect and value; values have nothing of what was said in them."""
    _, dialect, defects, keys = form
    yield "dialect", dialect
    for field, problem in dict.fromkeys(map(_defect, defects)):
        yield "defect", f"{field}: {problem}"
    for key in dict.fromkeys(map(_key, keys)):
        yield "key", key


def _defect(defect: tuple[str, str]) -> tuple[str, str]:
    field, problem = defect
    general = re.split(r"""[:;]? *(?:['"]|[0-9]{2,})""", problem, maxsplit=1)[0]
    return _key(field), _key(general)


def _key(text: str) -> str:
    """A parameter's name without what counts up in it."""
    shown = re.sub(r"[0-9]+", "N", text[:_LONGEST_VALUE])
    return shown.encode(errors="replace").decode()
