"""The days of the receipts: each has a table of its own, by the receipts' own time in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from switchhook.exotel.times import DAY_MS, EPOCH

AHEAD = 7
"""Tables are made so many days ahead."""
FARTHEST_AHEAD, FARTHEST_BACK = AHEAD + 1, 1100
"""A record so many days off, by the database's clock, is one of a clock that is wrong."""

_NAME = "cluster_receipt_"


def day_of(at_ms: int) -> int:
    """The day of a time in Unix ms, counted from 1970."""
    return at_ms // DAY_MS


def first_ms(day: int) -> int:
    """When it begins, in Unix ms."""
    return day * DAY_MS


def table_of(day: int) -> str:
    """The name of its table: `cluster_receipt_20261129`."""
    return f"{_NAME}{EPOCH + timedelta(days=day):%Y%m%d}"


def day_in(table: str) -> int | None:
    """The day of a table by its name; None where it is none of ours."""
    try:
        found = datetime.strptime(table.removeprefix(_NAME), "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (found - EPOCH).days if table.startswith(_NAME) else None


def is_near(day: int, today: int) -> bool:
    """Whether a clock that is right can have been there."""
    return today - FARTHEST_BACK <= day <= today + FARTHEST_AHEAD


def days_ahead(today: int) -> frozenset[int]:
    """The days that are to have a table before anything comes; one that is over gets it by need."""
    return frozenset(range(today, today + AHEAD + 1))
