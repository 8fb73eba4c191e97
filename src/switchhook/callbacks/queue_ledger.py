"""Promises as workers take them: what is due, what a call is on its way for, what was spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from switchhook.callbacks import claims_ledger
from switchhook.callbacks.abandoned import CallOfLate
from switchhook.callbacks.promise import FINAL, ON_ITS_WAY, AttemptState, PromiseState
from switchhook.callbacks.rows_ledger import (
    ATTEMPTS,
    EVENTS,
    PROMISE_COLUMNS,
    PROMISES,
    attempt_of,
    promise_in,
    promise_of,
    step_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Select

    from switchhook.callbacks.claims import Spent
    from switchhook.callbacks.history import PromiseStep
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.ledger.database import Ledger

_p, _a, _e = PROMISES.c, ATTEMPTS.c, EVENTS.c
_live = _p.ended_ms.is_(None)
MOST_OF_LATE = 200
_ON = frozenset({AttemptState.ASKED.value, AttemptState.UNKNOWN.value, AttemptState.PLACED.value})
_newest_attempt = ATTEMPTS.join(PROMISES, and_(_p.id == _a.promise, _p.attempts == _a.number))


class PromiseQueue:
    """What is to be done for promises in the ledger. Any thread; changes nothing. LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def due(self, account: str, now_ms: int, limit: int) -> list[Promise]:
        """Open promises of an account that are due, the longest due first within each class.

        They are up to `limit` of each class.
        """
        with self._ledger.reading() as connection:
            return [
                promise
                for class_ in _classes(connection, account)
                for promise in _due_of(connection, account, class_, now_ms, limit)
            ]

    def unproven_due(self, account: str, now_ms: int, limit: int) -> list[Promise]:
        """Unproven promises of an account whose call's details are to be asked for."""
        wanted = (_p.account == account, _p.look_ms <= now_ms)
        asked = select(PROMISES).where(*wanted).order_by(_p.look_ms, _p.id)
        return _promises(self._ledger, asked.limit(limit))

    def unknown_due(self, account: str, now_ms: int, limit: int) -> list[tuple[Promise, Attempt]]:
        """Promises that nobody knows of whether Exotel calls, where that is to be looked at."""
        return self._looked_at(PromiseState.UNKNOWN, account, now_ms, limit)

    def ringing_due(self, account: str, now_ms: int, limit: int) -> list[tuple[Promise, Attempt]]:
        """Promises whose call is on its way, where it is to be asked how it went."""
        return self._looked_at(PromiseState.RINGING, account, now_ms, limit)

    def in_flight(self, account: str | None = None) -> list[tuple[Promise, Attempt]]:
        """Promises that a call is on its way for, or may be, each with its newest attempt."""
        wanted: list[ColumnElement[bool]] = [
            _p.state.in_(sorted(each.value for each in ON_ITS_WAY))
        ]
        if account is not None:
            wanted.append(_p.account == account)
        asked = select(*PROMISE_COLUMNS, ATTEMPTS).select_from(_newest_attempt).where(*wanted)
        return self._with_attempts(asked.order_by(_p.id))

    def over_due(self, now_ms: int, limit: int) -> list[Promise]:
        """Promises that wait though their time is over."""
        waiting = _p.state.not_in(sorted(each.value for each in ON_ITS_WAY))
        asked = select(PROMISES).where(_live, _p.until_ms <= now_ms, waiting)
        return _promises(self._ledger, asked.order_by(_p.until_ms, _p.id).limit(limit))

    def calls_of_number(self, number: str, since_ms: int) -> list[Attempt]:
        """The attempts to a number since a time that rang, or may have; newest first."""
        with self._ledger.reading() as connection:
            return claims_ledger.calls_of(connection, number, since_ms)

    def spent(self, account: str, since_ms: int, price: float) -> Spent:
        """What an account's calls cost since a time, at `price` where it isn't known yet."""
        with self._ledger.reading() as connection:
            return claims_ledger.spent_since(connection, account, since_ms, price)

    def calls_of_late(self, account: str, since_ms: int) -> list[CallOfLate]:
        """An account's callbacks that were asked for since a time, newest first."""
        columns = (_a.asked_ms, _a.talk_s, _a.state, _a.done_ms)
        asked = select(*columns).where(_a.account == account, _a.asked_ms >= since_ms)
        with self._ledger.reading() as connection:
            rows = connection.execute(asked.order_by(_a.asked_ms.desc()).limit(MOST_OF_LATE)).all()
        return [_of_late(*row) for row in rows]

    def newest(self) -> int:
        """The number of the newest step: while it stays, no promise moved."""
        with self._ledger.reading() as connection:
            return connection.scalar(select(func.max(_e.id))) or 0

    def ends_after(self, id: int, limit: int) -> list[tuple[PromiseStep, Promise]]:
        """The ends of promises after a step, each with its promise as it is now."""
        final = _e.state.in_(sorted(each.value for each in FINAL))
        asked: Select[Any] = (
            select(*PROMISE_COLUMNS, EVENTS)
            .select_from(EVENTS.join(PROMISES, _p.id == _e.promise))
            .where(_e.id > id, final)
            .order_by(_e.id)
            .limit(limit)
        )
        with self._ledger.reading() as connection:
            rows = connection.execute(asked).all()
        return [(step_of(row), promise_in(row)) for row in rows]

    def _looked_at(
        self, state: PromiseState, account: str, now_ms: int, limit: int
    ) -> list[tuple[Promise, Attempt]]:
        asked = (
            select(*PROMISE_COLUMNS, ATTEMPTS)
            .select_from(_newest_attempt)
            .where(_a.account == account, _a.look_ms <= now_ms, _p.state == state.value)
            .order_by(_a.look_ms, _a.promise)
        )
        return self._with_attempts(asked.limit(limit))

    def _with_attempts(self, asked: Select[Any]) -> list[tuple[Promise, Attempt]]:
        with self._ledger.reading() as connection:
            return [(promise_in(row), attempt_of(row)) for row in connection.execute(asked)]


def _of_late(asked_ms: int, talk_s: int | None, state: str, done_ms: int | None) -> CallOfLate:
    """A call that is over without a talk was not answered, or is told of as such."""
    placed = state == AttemptState.PLACED.value
    on = done_ms is None and talk_s is None and state in _ON
    return CallOfLate(asked_ms, talk_s, on, placed)


def _promises(ledger: Ledger, asked: Select[Any]) -> list[Promise]:
    with ledger.reading() as connection:
        return [promise_of(row) for row in connection.execute(asked)]


def _open(account: str, class_: str) -> tuple[ColumnElement[bool], ...]:
    state = _p.state == PromiseState.OPEN.value
    return (state, _p.account == account, _p["class"] == class_)


def _due_of(
    connection: Connection, account: str, class_: str, now_ms: int, limit: int
) -> list[Promise]:
    asked = select(PROMISES).where(*_open(account, class_), _p.due_ms <= now_ms)
    rows = connection.execute(asked.order_by(_p.due_ms, _p.id).limit(limit))
    return [promise_of(row) for row in rows]


def _classes(connection: Connection, account: str) -> Iterator[str]:
    """The classes of an account's open promises; each is one step in the index."""
    its = (_p.state == PromiseState.OPEN.value, _p.account == account)
    asked = select(func.min(_p["class"])).where(*its)
    found = connection.scalar(asked)
    while found is not None:
        yield found
        found = connection.scalar(asked.where(_p["class"] > found))
