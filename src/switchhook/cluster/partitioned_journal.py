"""The tables of days as segments of the journal of all nodes: listed, and dropped whole.

A day's table has the records whose own time is of that day, wherever their places are: so segments
overlap by number here, and are in the order of time. What a clock that is far off dated has no
table of its own: it is listed, and goes, by the day on which it was placed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from switchhook.cluster.days import day_in, first_ms, table_of
from switchhook.cluster.leaving import forget_left
from switchhook.cluster.partitions import days_there
from switchhook.errors import ClusterError, JournalError
from switchhook.exotel.times import DAY_MS, EPOCH
from switchhook.journal.closed import Segment, SegmentState
from switchhook.postgresql_server import connect, explained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from switchhook.postgresql_server import Fence, Url

_UNDATED = "undated_"
_STEP = 200_000  # places that are looked at in one question
_ROWS = 10_000  # that are deleted in one transaction

_SPANS = """SELECT at / %(day)s - (at %% %(day)s < 0)::int, steady / %(day)s,
min(place), max(place), min(at), max(at), min(steady), max(steady)
FROM cluster_place WHERE place > %(after)s AND place <= %(until)s GROUP BY 1, 2"""
_BEFORE = "SELECT coalesce(min(place), %s) - 1 FROM cluster_place WHERE place > %s"
_SIZES = """SELECT relname, pg_total_relation_size(inhrelid), pg_relation_size(inhrelid)
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'cluster_receipt'::regclass"""
_PENDING = """SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'cluster_receipt'::regclass AND inhdetachpending"""
_STRAYS = """SELECT relname FROM pg_class
WHERE relkind = 'r' AND relname ~ '^cluster_receipt_[0-9]{8}$'
AND relnamespace = current_schema()::regnamespace
AND NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = pg_class.oid)"""
_TODAY = "SELECT floor(extract(epoch FROM clock_timestamp()) / 86400)::int"
_FORGET = """DELETE FROM cluster_place WHERE place IN
(SELECT place FROM cluster_place WHERE at >= %s AND at < %s ORDER BY at LIMIT %s)"""
_FORGET_UNDATED = """WITH gone AS (DELETE FROM cluster_place WHERE place IN
(SELECT place FROM cluster_place JOIN cluster_receipt_undated USING (node, seq)
WHERE steady >= %s AND steady < %s LIMIT %s) RETURNING node, seq)
DELETE FROM cluster_receipt_undated u USING gone WHERE (u.node, u.seq) = (gone.node, gone.seq)"""


class Span(NamedTuple):
    """What of a day's records has places: the first and the last place, times in ms."""

    first: int
    last: int
    first_at: int
    last_at: int

    def with_more(self, other: Span) -> Span:
        return Span(
            min(self.first, other.first),
            max(self.last, other.last),
            min(self.first_at, other.first_at),
            max(self.last_at, other.last_at),
        )


class PartitionedJournal:
    """See above; one thread of the leader uses it. Raises JournalError."""

    def __init__(self, url: Url, fence: Fence) -> None:
        self._url, self._fence = url, fence
        # By the day of a record's own time, and by that on which it was placed.
        self._spans: dict[tuple[int, int], tuple[Span, Span]] = {}
        self._known = 0

    def segments(self) -> tuple[Segment, ...]:
        """The days with a table, in order; those that may still grow are open.

        An empty one counts only before all others, where it can go, and as the newest.
        """
        with self._connected() as connection:
            self._look(connection)
            (today,) = _row(connection, _TODAY)
            sizes = {
                name: (all_of_it, rows) for name, all_of_it, rows in connection.execute(_SIZES)
            }
            days = days_there(connection)
            oldest = min((day for day, _ in self._spans if day in days), default=today)
            found = [
                segment
                for day in days
                if (segment := self._segment(connection, day, today, sizes)) is not None
                and (segment.last_at is not None or day < oldest or day >= today - 1)
            ]
        found += self._undated(days, today)
        return tuple(sorted(found, key=lambda each: (day_of_name(each.name), each.name)))

    def delete(self, segment: Segment) -> int:
        """Remove a day whole: its places, then its table; gives the bytes that were freed.

        May be cut short and done again.
        """
        if segment.name.startswith(_UNDATED):
            return self._delete_undated(day_of_name(segment.name))
        day = day_of_name(segment.name)
        with self._connected() as connection:
            if _has_unplaced(connection, segment.name):
                problem = "has records that were handed over just now and have no place yet"
                raise JournalError(segment.name, problem, "nothing: it is looked at again soon")
            (freed,) = _row(connection, f"SELECT pg_total_relation_size('{segment.name}')")
            self._in_steps(connection, _FORGET, (first_ms(day), first_ms(day + 1), _ROWS))
            connection.execute("SET statement_timeout = 0")
            with connection.transaction():
                self._fence.hold(connection)
            connection.execute(
                f"ALTER TABLE cluster_receipt DETACH PARTITION {segment.name} CONCURRENTLY".encode()
            )
            self._drop(connection, segment.name)
        self._spans = {days: span for days, span in self._spans.items() if days[0] != day}
        return int(freed)

    def clear_strays(self) -> None:
        """Finish what was cut short, and let go of nodes that left and have nothing here any more.

        Cut short are tables that were detached, and not yet dropped.
        """
        with self._connected() as connection:
            connection.execute("SET statement_timeout = 0")
            for (name,) in connection.execute(_PENDING).fetchall():
                connection.execute(
                    f"ALTER TABLE cluster_receipt DETACH PARTITION {_ours(name)} FINALIZE".encode()
                )
            for (name,) in connection.execute(_STRAYS).fetchall():
                if not _has_unplaced(connection, name):
                    self._drop(connection, name)
            forget_left(connection, self._fence)

    def ask_roll(self, seq: int) -> None:
        """Nothing to do: a day ends by itself."""

    def _look(self, connection: Connection[Any]) -> None:
        """Take in the places that were given since; of many at first, some at a time."""
        (last,) = _row(connection, "SELECT place FROM cluster_last_place")
        while self._known < last:
            (after,) = _row(connection, _BEFORE, (last + 1, self._known))
            until = min(after + _STEP, last)
            asked = {"day": DAY_MS, "after": after, "until": until}
            for day, placed, *span in connection.execute(_SPANS.encode(), asked):
                first, end, first_at, last_at, first_steady, last_steady = span
                by_at = Span(first, end, first_at, last_at)
                by_steady = Span(first, end, first_steady, last_steady)
                if (known := self._spans.get((day, placed))) is not None:
                    by_at, by_steady = known[0].with_more(by_at), known[1].with_more(by_steady)
                self._spans[day, placed] = by_at, by_steady
            self._known = max(until, self._known)

    def _segment(
        self, connection: Connection[Any], day: int, today: int, sizes: dict[str, tuple[int, int]]
    ) -> Segment | None:
        """A day with a table; None of one that has not begun."""
        span = _all_of([spans[0] for days, spans in self._spans.items() if days[0] == day])
        name = table_of(day)
        size, rows = sizes.get(name, (0, 0))
        if span is None:
            if day > today:
                return None
            opened = day >= today - 1 or (rows > 0 and _has_unplaced(connection, name))
            return Segment(name, _state(opened=opened), 1, 0, bytes=size)
        return Segment(name, _state(opened=day >= today - 1), *span, bytes=size)

    def _undated(self, days: frozenset[int], today: int) -> list[Segment]:
        by_day: dict[int, list[Span]] = defaultdict(list)
        for (day, placed), (_, placed_span) in self._spans.items():
            if day not in days:
                by_day[placed].append(placed_span)
        found = []
        for day, spans in by_day.items():
            if (span := _all_of(spans)) is not None:
                name = f"{_UNDATED}{_text_of(day)}"
                found.append(Segment(name, _state(opened=day >= today - 1), *span))
        return found

    def _delete_undated(self, day: int) -> int:
        with self._connected() as connection:
            asked = first_ms(day), first_ms(day + 1), _ROWS
            self._in_steps(connection, _FORGET_UNDATED, asked)
            days = days_there(connection)
        self._spans = {
            each: span for each, span in self._spans.items() if each[1] != day or each[0] in days
        }
        return 0

    def _in_steps(self, connection: Connection[Any], sql: str, asked: tuple[int, ...]) -> None:
        while True:
            with connection.transaction():
                self._fence.hold(connection)
                if not connection.execute(sql.encode(), asked).rowcount:
                    return

    def _drop(self, connection: Connection[Any], name: str) -> None:
        """Drop a table that is no part of the journal any more; one that came back stays."""
        with connection.transaction():
            self._fence.hold(connection)
            connection.execute(f"LOCK TABLE {_ours(name)} IN ACCESS EXCLUSIVE MODE".encode())
            attached = "SELECT count(*) FROM pg_inherits WHERE inhrelid = %s::regclass"
            if _row(connection, attached, (name,)) == (0,):
                connection.execute(f"DROP TABLE {_ours(name)}".encode())

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        try:
            with (
                explained(self._url),
                closing(connect(self._url, "retention", silent_s=None)) as connection,
            ):
                connection.execute("SET lock_timeout = '3s'; SET statement_timeout = '60s'")
                yield connection
        except ClusterError as error:
            name = f"of all nodes ({error.database})"
            raise JournalError(name, error.problem, error.hint) from error


def day_of_name(name: str) -> int:
    """The day of a segment by its name. Raises JournalError."""
    day = day_in(name.replace(_UNDATED, "cluster_receipt_"))
    if day is None:
        raise JournalError(name, "is no day's table", "nothing was changed")
    return day


def _text_of(day: int) -> str:
    return f"{EPOCH + timedelta(days=day):%Y%m%d}"


def _state(*, opened: bool) -> SegmentState:
    return SegmentState.OPEN if opened else SegmentState.SEALED


def _all_of(spans: list[Span]) -> Span | None:
    whole: Span | None = None
    for each in spans:
        whole = each if whole is None else whole.with_more(each)
    return whole


def _has_unplaced(connection: Connection[Any], name: str) -> bool:
    """Whether a table has records of any node that were not placed yet."""
    nodes = connection.execute(
        "SELECT h.node, coalesce(p.seq, 0) FROM cluster_handed h LEFT JOIN cluster_placed p"
        " USING (node)"
    ).fetchall()
    sql = f"SELECT 1 FROM {_ours(name)} WHERE node = %s AND seq > %s LIMIT 1".encode()  # noqa: S608 - ours
    return any(connection.execute(sql, each).fetchone() is not None for each in nodes)


def _ours(name: str) -> str:
    """A name that needs no quotes."""
    assert re.fullmatch(r"cluster_receipt_[0-9]{8}", name), name
    return name


def _row(connection: Connection[Any], sql: str, asked: tuple[Any, ...] = ()) -> Any:
    return connection.execute(sql.encode(), asked or None).fetchone()
