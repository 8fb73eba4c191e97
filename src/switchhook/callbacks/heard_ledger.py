"""What hearing asks of the ledger: whose callback a call is, and whom it concerns at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from switchhook.callbacks.promise import PromiseOrigin
from switchhook.callbacks.rows_ledger import (
    ATTEMPTS,
    PROMISE_COLUMNS,
    PROMISES,
    attempt_of,
    promise_in,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement, Connection, Select

    from switchhook.callbacks.promise import Attempt, Promise

_p, _a = PROMISES.c, ATTEMPTS.c
_AT_ONCE = 500


def by_custom_field(connection: Connection, text: str) -> tuple[Promise, Attempt] | None:
    """The attempt that a CustomField names."""
    return _attempt_with(connection, _a.custom_field == text)


def callback_in(connection: Connection, call_sid: str) -> tuple[Promise, Attempt] | None:
    """The attempt that a call is; None where it is no callback of ours, as far as is known."""
    return _attempt_with(connection, _a.call_sid == call_sid) if call_sid else None


def promised_in(connection: Connection, call_sid: str) -> int | None:
    """The promise that a rule made for a call: its passthrus may be many, or heard again."""
    its = (_p.call_sid == call_sid, _p.origin == PromiseOrigin.RULE.value)
    found: int | None = connection.scalar(select(func.min(_p.id)).where(*its))
    return found if call_sid else None


def owed_among(connection: Connection, numbers: Collection[str]) -> set[str]:
    """Those of the numbers that are owed a callback."""
    live = _p.ended_ms.is_(None)
    return {
        number
        for some in _chunks(numbers)
        for number in connection.scalars(select(_p.number).where(live, _p.number.in_(some)))
    }


def callbacks_among(connection: Connection, calls: Collection[str]) -> set[str]:
    """Those of the calls that are callbacks of ours."""
    return {
        sid
        for some in _chunks(calls)
        for sid in connection.scalars(select(_a.call_sid).where(_a.call_sid.in_(some)))
    }


def _attempt_with(
    connection: Connection, this: ColumnElement[bool]
) -> tuple[Promise, Attempt] | None:
    joined = ATTEMPTS.join(PROMISES, _p.id == _a.promise)
    asked: Select[Any] = select(*PROMISE_COLUMNS, ATTEMPTS).select_from(joined).where(this)
    row = connection.execute(asked.order_by(_a.asked_ms.desc()).limit(1)).first()
    return None if row is None else (promise_in(row), attempt_of(row))


def _chunks(texts: Collection[str]) -> Iterator[list[str]]:
    several = sorted(texts)
    for at in range(0, len(several), _AT_ONCE):
        yield several[at : at + _AT_ONCE]
