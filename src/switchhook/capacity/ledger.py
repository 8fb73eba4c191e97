"""The history of capacity: readings for two days, minutes for a month, hours until told to go.

A reading is added to its minute and its hour at once, so coarser rows need no job that makes them;
what is too fine for its age is only deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from sqlalchemy import Column, Index, MetaData, Row, Table, case, delete, func, select, tuple_

from switchhook.capacity.readings import Reading, Span
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.ledger.sql import KEYED, Number, Text, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.ledger.database import Ledger

TABLES = MetaData()
_READINGS = Table(
    "capacity_readings",
    TABLES,
    Column("account", Text, primary_key=True),
    Column("at_ms", Number, primary_key=True, autoincrement=False),
    Column("active", Number),
    Column("allowed", Number),
    Column("problem", Text, nullable=False),
    Index("capacity_readings_at", "at_ms"),
    **KEYED,
)


def _sums(name: str) -> Table:
    return Table(
        name,
        TABLES,
        Column("account", Text, primary_key=True),
        Column("at_ms", Number, primary_key=True, autoincrement=False),
        Column("lowest", Number),
        Column("highest", Number),
        Column("total", Number, nullable=False),
        Column("readings", Number, nullable=False),
        Column("unread", Number, nullable=False),
        Column("allowed", Number),
        Column("problem", Text, nullable=False),
        Index(f"{name}_at", "at_ms"),
        **KEYED,
    )


_MINUTES, _HOURS = _sums("capacity_minutes"), _sums("capacity_hours")

READINGS_LIVE_MS, MINUTES_LIVE_MS = 2 * DAY_MS, 35 * DAY_MS
FINEST_MS, FINER_MS = 2 * HOUR_MS, 2 * DAY_MS
"""Up to this long a stretch is told by its readings, by its minutes; a longer one by hours."""
MOST = 10_000
"""Spans in one answer: more than a year of hours."""
LONGEST_PROBLEM = 500

_WIDTHS = {_MINUTES: MINUTE_MS, _HOURS: HOUR_MS}


class LedgerCapacity:
    """What was read, over the ledger; any thread may call it. Raises LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, readings: Sequence[Reading]) -> None:
        """Keep readings; one that is there already changes nothing."""
        with self._ledger.writing() as connection:
            for reading in readings:
                _add(connection, reading)

    def history(self, account: str, since_ms: int, until_ms: int) -> list[Span]:
        """What was read from `since_ms` on and before `until_ms`, oldest first."""
        length = until_ms - since_ms
        with self._ledger.reading() as connection:
            if length <= FINEST_MS:
                found = _readings(connection, account, since_ms, until_ms)
                if found:
                    return [_span_of(each) for each in found]
            if length <= FINER_MS:
                spans = _spans(connection, _MINUTES, account, since_ms, until_ms)
                if spans:
                    return spans
            return _spans(connection, _HOURS, account, since_ms, until_ms)

    def recent(self, account: str, since_ms: int) -> list[Reading]:
        """The readings since a time, oldest first."""
        with self._ledger.reading() as connection:
            return _readings(connection, account, since_ms, 2**63 - 1)

    def accounts(self) -> list[str]:
        """The accounts that anything was read of."""
        with self._ledger.reading() as connection:
            asked = select(_HOURS.c.account).distinct().order_by(_HOURS.c.account)
            return list(connection.scalars(asked))

    def tidy(self, now_ms: int, most: int) -> int:
        """Delete at most `most` rows of each kind that are too fine for their age."""
        with self._ledger.writing() as connection:
            return _delete(connection, _READINGS, now_ms - READINGS_LIVE_MS, most) + (
                _delete(connection, _MINUTES, now_ms - MINUTES_LIVE_MS, most)
            )

    # What retention asks.

    def oldest_ms(self) -> int | None:
        """When the oldest row begins; None where there is none."""
        with self._ledger.reading() as connection:
            found = [
                connection.scalar(select(func.min(table.c.at_ms)))
                for table in (_READINGS, *_WIDTHS)
            ]
            return min((at_ms for at_ms in found if at_ms is not None), default=None)

    def remove(self, before_ms: int, most: int = 1000) -> int:
        """Delete at most `most` rows of each kind that began before a time; how many there were."""
        with self._ledger.writing() as connection:
            return sum(
                _delete(connection, table, before_ms, most) for table in (_READINGS, *_WIDTHS)
            )


def _add(connection: Connection, reading: Reading) -> None:
    problem = reading.problem[:LONGEST_PROBLEM]
    new = upsert(connection, _READINGS).values({**asdict(reading), "problem": problem})
    if not connection.execute(new.on_conflict_do_nothing()).rowcount:
        return
    read = reading.active is not None
    for table, width in _WIDTHS.items():
        row = upsert(connection, table).values(
            account=reading.account,
            at_ms=reading.at_ms - reading.at_ms % width,
            lowest=reading.active,
            highest=reading.active,
            total=reading.active or 0,
            readings=int(read),
            unread=int(not read),
            allowed=reading.allowed,
            problem=problem,
        )
        before, new_one = table.c, row.excluded
        change = {
            "lowest": _one_of(new_one.lowest < before.lowest, new_one.lowest, before.lowest),
            "highest": _one_of(new_one.highest > before.highest, new_one.highest, before.highest),
            "total": before.total + new_one.total,
            "readings": before.readings + new_one.readings,
            "unread": before.unread + new_one.unread,
            "allowed": func.coalesce(new_one.allowed, before.allowed),
            "problem": case((new_one.problem == "", before.problem), else_=new_one.problem),
        }
        key = ["account", "at_ms"]
        connection.execute(row.on_conflict_do_update(index_elements=key, set_=change))


def _one_of(
    takes: ColumnElement[bool], new: ColumnElement[int], before: ColumnElement[int]
) -> ColumnElement[int]:
    """The new one where it takes the place; where either is unknown, the other."""
    return case((takes, new), else_=func.coalesce(before, new))


def _readings(connection: Connection, account: str, since_ms: int, until_ms: int) -> list[Reading]:
    asked = (
        select(_READINGS)
        .where(
            _READINGS.c.account == account,
            _READINGS.c.at_ms >= since_ms,
            _READINGS.c.at_ms < until_ms,
        )
        .order_by(_READINGS.c.at_ms.desc())
        .limit(MOST)
    )
    return [Reading(*row) for row in connection.execute(asked)][::-1]


def _span_of(reading: Reading) -> Span:
    active, read = reading.active, reading.active is not None
    return Span(
        at_ms=reading.at_ms,
        width_ms=0,
        lowest=active,
        mean=active,
        highest=active,
        allowed=reading.allowed,
        readings=int(read),
        unread=int(not read),
        problem=reading.problem,
    )


def _spans(
    connection: Connection, table: Table, account: str, since_ms: int, until_ms: int
) -> list[Span]:
    width = _WIDTHS[table]
    asked = (
        select(table)
        .where(
            table.c.account == account, table.c.at_ms > since_ms - width, table.c.at_ms < until_ms
        )
        .order_by(table.c.at_ms.desc())
        .limit(MOST)
    )
    return [_span(row, width) for row in connection.execute(asked)][::-1]


def _span(row: Row[Any], width: int) -> Span:
    return Span(
        at_ms=row.at_ms,
        width_ms=width,
        lowest=row.lowest,
        mean=row.total / row.readings if row.readings else None,
        highest=row.highest,
        allowed=row.allowed,
        readings=row.readings,
        unread=row.unread,
        problem=row.problem,
    )


def _delete(connection: Connection, table: Table, before_ms: int, most: int) -> int:
    key = (table.c.account, table.c.at_ms)
    old = select(*key).where(table.c.at_ms < before_ms).order_by(table.c.at_ms).limit(most)
    return connection.execute(delete(table).where(tuple_(*key).in_(old))).rowcount
