"""The history of capacity: readings for two days, minutes for a month, hours until told to go.

A reading is added to its minute and its hour at once, so coarser rows need no job that makes them;
what is too fine for its age is only deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.capacity.readings import Reading, Span
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from switchhook.ledger.database import Ledger

_SUMS = """(
  account TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  lowest INTEGER,
  highest INTEGER,
  total INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  unread INTEGER NOT NULL,
  allowed INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (account, at_ms)
) STRICT, WITHOUT ROWID;
"""
TABLES = f"""
CREATE TABLE capacity_readings (
  account TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  active INTEGER,
  allowed INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (account, at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX capacity_readings_at ON capacity_readings (at_ms);
CREATE TABLE capacity_minutes {_SUMS}
CREATE INDEX capacity_minutes_at ON capacity_minutes (at_ms);
CREATE TABLE capacity_hours {_SUMS}
CREATE INDEX capacity_hours_at ON capacity_hours (at_ms);
"""

READINGS_LIVE_MS, MINUTES_LIVE_MS = 2 * DAY_MS, 35 * DAY_MS
FINEST_MS, FINER_MS = 2 * HOUR_MS, 2 * DAY_MS
"""Up to this long a stretch is told by its readings, by its minutes; a longer one by hours."""
MOST = 10_000
"""Spans in one answer: more than a year of hours."""
LONGEST_PROBLEM = 500

_WIDTHS = {"capacity_minutes": MINUTE_MS, "capacity_hours": HOUR_MS}


class SqliteCapacity:
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
                spans = _spans(connection, "capacity_minutes", account, since_ms, until_ms)
                if spans:
                    return spans
            return _spans(connection, "capacity_hours", account, since_ms, until_ms)

    def recent(self, account: str, since_ms: int) -> list[Reading]:
        """The readings since a time, oldest first."""
        with self._ledger.reading() as connection:
            return _readings(connection, account, since_ms, 2**63 - 1)

    def accounts(self) -> list[str]:
        """The accounts that anything was read of."""
        with self._ledger.reading() as connection:
            asked = "SELECT DISTINCT account FROM capacity_hours ORDER BY account"
            return [name for (name,) in connection.execute(asked)]

    def tidy(self, now_ms: int, most: int) -> int:
        """Delete at most `most` rows of each kind that are too fine for their age."""
        with self._ledger.writing() as connection:
            return _delete(connection, "capacity_readings", now_ms - READINGS_LIVE_MS, most) + (
                _delete(connection, "capacity_minutes", now_ms - MINUTES_LIVE_MS, most)
            )

    # What retention asks.

    def oldest_ms(self) -> int | None:
        """When the oldest row begins; None where there is none."""
        with self._ledger.reading() as connection:
            asked = (
                "SELECT min(at_ms) FROM (SELECT min(at_ms) AS at_ms FROM capacity_readings"
                " UNION ALL SELECT min(at_ms) FROM capacity_minutes"
                " UNION ALL SELECT min(at_ms) FROM capacity_hours)"
            )
            found: int | None = connection.execute(asked).get
            return found

    def remove(self, before_ms: int, most: int = 1000) -> int:
        """Delete at most `most` rows of each kind that began before a time; how many there were."""
        with self._ledger.writing() as connection:
            return sum(
                _delete(connection, table, before_ms, most)
                for table in ("capacity_readings", *_WIDTHS)
            )


def _add(connection: apsw.Connection, reading: Reading) -> None:
    problem = reading.problem[:LONGEST_PROBLEM]
    connection.execute(
        "INSERT OR IGNORE INTO capacity_readings VALUES (?, ?, ?, ?, ?)",
        (reading.account, reading.at_ms, reading.active, reading.allowed, problem),
    )
    if not connection.changes():
        return
    read = reading.active is not None
    for table, width in _WIDTHS.items():
        connection.execute(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our names
            " ON CONFLICT DO UPDATE SET"
            " lowest = coalesce(min(lowest, excluded.lowest), lowest, excluded.lowest),"
            " highest = coalesce(max(highest, excluded.highest), highest, excluded.highest),"
            " total = total + excluded.total, readings = readings + excluded.readings,"
            " unread = unread + excluded.unread, allowed = coalesce(excluded.allowed, allowed),"
            " problem = iif(excluded.problem = '', problem, excluded.problem)",
            (
                reading.account,
                reading.at_ms - reading.at_ms % width,
                reading.active,
                reading.active,
                reading.active or 0,
                int(read),
                int(not read),
                reading.allowed,
                problem,
            ),
        )


def _readings(
    connection: apsw.Connection, account: str, since_ms: int, until_ms: int
) -> list[Reading]:
    asked = (
        "SELECT account, at_ms, active, allowed, problem FROM capacity_readings"
        " WHERE account = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms DESC LIMIT ?"
    )
    rows = connection.execute(asked, (account, since_ms, until_ms, MOST))
    return [_reading(row) for row in rows][::-1]


def _reading(row: tuple[Any, ...]) -> Reading:
    account, at_ms, active, allowed, problem = row
    return Reading(account, at_ms, active, allowed, problem)


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
    connection: apsw.Connection, table: str, account: str, since_ms: int, until_ms: int
) -> list[Span]:
    width = _WIDTHS[table]
    asked = (
        f"SELECT at_ms, lowest, highest, total, readings, unread, allowed, problem FROM {table}"  # noqa: S608
        " WHERE account = ? AND at_ms > ? AND at_ms < ? ORDER BY at_ms DESC LIMIT ?"
    )
    rows = connection.execute(asked, (account, since_ms - width, until_ms, MOST))
    return [_span(row, width) for row in rows][::-1]


def _span(row: tuple[Any, ...], width: int) -> Span:
    at_ms, lowest, highest, total, readings, unread, allowed, problem = row
    return Span(
        at_ms=at_ms,
        width_ms=width,
        lowest=lowest,
        mean=total / readings if readings else None,
        highest=highest,
        allowed=allowed,
        readings=readings,
        unread=unread,
        problem=problem,
    )


def _delete(connection: apsw.Connection, table: str, before_ms: int, most: int) -> int:
    connection.execute(
        f"DELETE FROM {table} WHERE (account, at_ms) IN"  # noqa: S608 - our names
        f" (SELECT account, at_ms FROM {table} WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
        (before_ms, most),
    )
    return connection.changes()
