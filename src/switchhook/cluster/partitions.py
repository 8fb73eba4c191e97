"""The tables of days, made before they are needed, by whichever node needs them first.

A table is made beside the others and then attached, which nobody who reads or writes waits for; to
make it as a part at once would lock all of them out. There is no DEFAULT partition: with one,
a day could not be detached beside those who read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.cluster.days import day_in, first_ms, table_of
from switchhook.exotel.times import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

_LOCK = "hashtext('switchhook days')"
_LOCK_TIMEOUT = "2s"
_THERE = """
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'cluster_receipt'::regclass AND NOT inhdetachpending"""


def days_there(connection: Connection[Any]) -> frozenset[int]:
    """The days that have a table. Raises psycopg.Error."""
    found = (day_in(name) for (name,) in connection.execute(_THERE))
    return frozenset(day for day in found if day is not None)


def make_days(connection: Connection[Any], days: Iterable[int]) -> None:
    """Make the tables of those that have none.

    Of nodes that do so at once one does. Raises psycopg.Error; LockNotAvailable where another
    holds the tables for long: nothing is made then.
    """
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        missing = sorted(frozenset(days) - days_there(connection))
        if missing:
            connection.execute("; ".join(map(_made, missing)).encode())


def _made(day: int) -> str:
    """What makes a day's table.

    One that was detached and not yet dropped comes back with its rows: retention takes it again,
    and nothing is lost that somebody put aside. Statistics of requests would outlive their erasure.
    """
    table, begins = table_of(day), first_ms(day)
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (LIKE cluster_receipt INCLUDING DEFAULTS);"
        f" ALTER TABLE {table} ALTER COLUMN body SET STATISTICS 0;"
        f" ALTER TABLE cluster_receipt ATTACH PARTITION {table}"
        f" FOR VALUES FROM ({begins:d}) TO ({begins + DAY_MS:d})"
    )
