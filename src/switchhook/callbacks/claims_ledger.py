"""Claiming a promise to dial it: all that must hold is looked at where that is kept.

So of all who would dial a number, and of those who stop it, one comes first: after dialling was
stopped no request leaves, whatever was read before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select

from switchhook.callbacks.attempts import RANG
from switchhook.callbacks.claims import (
    Claimed,
    End,
    NotClaimed,
    Situation,
    Spent,
    Wait,
    ends_now,
    why_not,
)
from switchhook.callbacks.dialling_ledger import dialling_of
from switchhook.callbacks.promise import (
    ON_ITS_WAY,
    Attempt,
    PromiseEvent,
    custom_field_of,
)
from switchhook.callbacks.rows_ledger import ATTEMPTS, PROMISES, attempt_of
from switchhook.exotel.times import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from switchhook.callbacks.moves_ledger import PromiseBatch
    from switchhook.callbacks.promise import Promise

    Decide = Callable[[Situation], Wait | End | None]

CALLS_LOOKED_AT_MS = 8 * DAY_MS

_p, _a = PROMISES.c, ATTEMPTS.c
_rang = _a.state.in_(sorted(each.value for each in RANG))
_to_number = ATTEMPTS.join(PROMISES, _p.id == _a.promise)


def claim(
    batch: PromiseBatch,
    id: int,
    number: int,
    exophone: str,
    price: float,
    now_ms: int,
    decide: Decide,
) -> Claimed | NotClaimed:
    """See `LedgerPromises.claim`."""
    promise = batch.find(id)
    if promise is None:
        return NotClaimed("it is gone", None)
    connection = batch.connection
    dialling = dialling_of(connection, promise.account)
    if why := why_not(promise, number, now_ms) or dialling.why_not(now_ms):
        return NotClaimed(why, promise)
    if other := _on_its_way(batch, promise):
        return NotClaimed(f"promise {other} calls this number", promise)
    end = ends_now(promise, now_ms, do_not_call=batch.is_do_not_call(promise.number))
    found = end or decide(
        Situation(
            promise=promise,
            calls=tuple(calls_of(connection, promise.number, now_ms - CALLS_LOOKED_AT_MS)),
            hour=spent_since(connection, promise.account, now_ms - HOUR_MS, price),
            number_spent=spent_on(connection, promise.number, now_ms - DAY_MS, price),
            dialling=dialling,
        )
    )
    match found:
        case Wait(why=why, due_ms=due_ms):
            batch.postpone([id], due_ms, why)
            return NotClaimed(why, msgspec.structs.replace(promise, due_ms=due_ms, why=why))
        case End(event=event, why=why):
            return NotClaimed(why, batch.settle(id, event, now_ms, why=why))
        case None:
            return _dial(batch, promise, exophone, now_ms)


def _dial(batch: PromiseBatch, promise: Promise, exophone: str, now_ms: int) -> Claimed:
    number = promise.attempts + 1
    attempt = Attempt(
        promise=promise.id,
        number=number,
        custom_field=custom_field_of(promise.token, number),
        asked_ms=now_ms,
        exophone=exophone,
    )
    batch.add_attempt(attempt, promise.account)
    after = batch.settle(promise.id, PromiseEvent.DIALLED, now_ms, by="")
    assert after is not None, "it was open"
    return Claimed(after, attempt)


def _on_its_way(batch: PromiseBatch, promise: Promise) -> int:
    """Another promise to the same number, of any account, that a call is on its way for; or 0."""
    states = _p.state.in_(sorted(each.value for each in ON_ITS_WAY))
    others = batch.live_of(promise.number, states, _p.id != promise.id)
    return others[0].id if others else 0


def calls_of(connection: Connection, number: str, since_ms: int) -> list[Attempt]:
    """The attempts to a number that rang, or may have; newest first."""
    asked = (
        select(ATTEMPTS)
        .select_from(_to_number)
        .where(_p.number == number, _rang, _a.asked_ms >= since_ms)
        .order_by(_a.asked_ms.desc(), _a.promise, _a.number.desc())
    )
    return [attempt_of(row) for row in connection.execute(asked)]


def spent_since(connection: Connection, account: str, since_ms: int, price: float) -> Spent:
    """What an account's calls cost since a time, those whose price isn't known at `price`."""
    money = func.coalesce(func.sum(func.coalesce(_a.price, price)), 0.0)
    wanted = (_a.account == account, _a.asked_ms >= since_ms, _rang)
    asked = select(func.count(), money, func.min(_a.asked_ms)).where(*wanted)
    return Spent(*connection.execute(asked).one())


def spent_on(connection: Connection, number: str, since_ms: int, price: float) -> float:
    """What the calls to a number cost since a time, those whose price isn't known at `price`."""
    money = func.coalesce(func.sum(func.coalesce(_a.price, price)), 0.0)
    wanted = (_p.number == number, _a.asked_ms >= since_ms, _rang)
    found: float = connection.execute(
        select(money).select_from(_to_number).where(*wanted)
    ).scalar_one()
    return found
