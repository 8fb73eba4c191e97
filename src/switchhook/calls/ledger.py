"""Call details: which calls are to be asked for, and what Exotel said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict
from sqlalchemy import (
    Column,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from switchhook.calls.sources import Due, KeptDetails
from switchhook.ledger.sql import KEYED, STRICT, Number, Text, put, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.ledger.database import Ledger

TABLES = MetaData()
_due = Table(
    "calls_due",
    TABLES,
    Column("account", Text, primary_key=True),
    Column("call_sid", Text, primary_key=True),
    Column("ended_ms", Number, nullable=False),
    Column("due_ms", Number, nullable=False),
    Column("looks", Number, nullable=False),
    Column("failures", Number, nullable=False),
    Index("calls_due_at", "account", "due_ms"),
    **KEYED,
)
_details = Table(
    "call_details",
    TABLES,
    Column("account", Text, nullable=False),
    Column("call_sid", Text, nullable=False),
    Column("fetched_ms", Number, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("call_sid", "account"),
    Index("call_details_at", "fetched_ms"),
    **STRICT,
)

MOST_DUE = 50_000
"""Calls that wait at once, of all accounts."""


class LedgerCalls:
    """The details of calls over the ledger; any thread may use it. Raises LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def want(self, wanted: Sequence[Due]) -> int:
        """Put calls in the queue; how many had no room.

        One that waits already, or was asked for since it ended, changes nothing.
        """
        with self._ledger.writing() as connection:
            waiting = connection.execute(select(func.count()).select_from(_due)).scalar_one()
            room = max(0, MOST_DUE - waiting)
            refused = 0
            for due in wanted:
                if not room:
                    refused += 1
                elif not _is_known(connection, due):
                    row = upsert(connection, _due).values(asdict(due))
                    room -= connection.execute(row.on_conflict_do_nothing()).rowcount
            return refused

    def due(self, account: str, now_ms: int, most: int) -> list[Due]:
        """The calls of an account whose time has come, those that wait longest first."""
        asked = (
            select(_due)
            .where(_due.c.account == account, _due.c.due_ms <= now_ms)
            .order_by(_due.c.due_ms)
            .limit(most)
        )
        with self._ledger.reading() as connection:
            return [Due(*row) for row in connection.execute(asked)]

    def looked(self, due: Due, again: Due | None, kept: KeptDetails | None) -> bool:
        """Keep what was learnt, and when to look again, in one go; whether it waited still."""
        with self._ledger.writing() as connection:
            if again is None:
                waited = connection.execute(delete(_due).where(_is(due)))
            else:
                changed = {"due_ms": again.due_ms, "looks": again.looks}
                waited = connection.execute(
                    update(_due).where(_is(due)).values(**changed, failures=again.failures)
                )
            if kept is not None:
                put(connection, _details, **asdict(kept))
            return waited.rowcount > 0

    def details(self, call_sid: str) -> list[KeptDetails]:
        """What is kept of a call, by account."""
        asked = select(_details).where(_details.c.call_sid == call_sid)
        with self._ledger.reading() as connection:
            rows = connection.execute(asked.order_by(_details.c.account))
            return [KeptDetails(*row) for row in rows]

    def forget(self, accounts: Sequence[str], ended_before_ms: int) -> int:
        """Drop what waits of other accounts than these, and what ended before a time."""
        over = or_(_due.c.account.not_in(accounts), _due.c.ended_ms < ended_before_ms)
        with self._ledger.writing() as connection:
            return connection.execute(delete(_due).where(over)).rowcount

    # What retention asks.

    def oldest_ms(self) -> int | None:
        """When the oldest was fetched; None where there is none."""
        with self._ledger.reading() as connection:
            found: int | None = connection.scalar(select(func.min(_details.c.fetched_ms)))
            return found

    def remove(self, before_ms: int, most: int = 1000) -> int:
        """Delete at most `most` that were fetched before a time; how many there were."""
        key = (_details.c.call_sid, _details.c.account)
        old = (
            select(*key)
            .where(_details.c.fetched_ms < before_ms)
            .order_by(_details.c.fetched_ms)
            .limit(most)
        )
        with self._ledger.writing() as connection:
            return connection.execute(delete(_details).where(tuple_(*key).in_(old))).rowcount


def _is(due: Due) -> ColumnElement[bool]:
    return and_(_due.c.account == due.account, _due.c.call_sid == due.call_sid)


def _is_known(connection: Connection, due: Due) -> bool:
    """Whether its details are there."""
    same = and_(_details.c.call_sid == due.call_sid, _details.c.account == due.account)
    return bool(connection.execute(select(exists().where(same))).scalar())
