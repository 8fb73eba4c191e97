"""The tables of promises, and their rows as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Column, ForeignKey, Index, MetaData, Row, Table

from switchhook.callbacks.history import PromiseStep
from switchhook.callbacks.promise import (
    Attempt,
    AttemptState,
    CallOutcome,
    Promise,
    PromiseEvent,
    PromiseOrigin,
    PromiseState,
)
from switchhook.callbacks.refusals import Refusal, RefusalCode
from switchhook.ledger.sql import COUNTED, KEYED, Flag, Number, Real, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES = MetaData()

PROMISES = Table(
    "promises",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("call_sid", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_ms", Number, nullable=False),
    Column("due_ms", Number, nullable=False),
    Column("until_ms", Number, nullable=False),
    Column("state", Text, nullable=False),
    Column("event", Text),
    Column("since_ms", Number, nullable=False),
    Column("why", Text, nullable=False),
    Column("attempts", Number, nullable=False),
    Column("doubts", Number, nullable=False),
    Column("granted", Number, nullable=False),
    Column("ending", Text),
    Column("ending_why", Text, nullable=False),
    Column("look_ms", Number),
    Column("ended_ms", Number),
    Index("promises_of_state", "state", "id"),
    Index("promises_in_turn", "state", "account", "class", "due_ms"),
    Index("promises_of_number", "number", "id"),
    Index("promises_of_call", "call_sid"),
    **COUNTED,
)
"""`look_ms` is when the details of an unproven one's call are asked for next; `ended_ms` since when
one is over."""
_live = PROMISES.c.ended_ms.is_(None)
_over = PROMISES.c.ended_ms.is_not(None)
_looked_at = PROMISES.c.look_ms.is_not(None)
Index(
    "promises_until",
    *(PROMISES.c.until_ms, PROMISES.c.account),
    sqlite_where=_live,
    postgresql_where=_live,
)
Index(
    "promises_over",
    *(PROMISES.c.ended_ms, PROMISES.c.state, PROMISES.c.account, PROMISES.c.event),
    sqlite_where=_over,
    postgresql_where=_over,
)
Index("promises_to_prove", PROMISES.c.look_ms, sqlite_where=_looked_at, postgresql_where=_looked_at)

ATTEMPTS = Table(
    "promise_attempts",
    TABLES,
    Column(
        "promise",
        Number,
        ForeignKey("promises.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("custom_field", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("asked_ms", Number, nullable=False),
    Column("exophone", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("call_sid", Text, nullable=False),
    Column("outcome", Text),
    Column("talk_s", Number),
    Column("price", Real),
    Column("lists", Number, nullable=False),
    Column("look_ms", Number),
    Column("done_ms", Number),
    Column("problem", Text, nullable=False),
    Index("promise_attempts_of_account", "account", "asked_ms"),
    Index("promise_attempts_of_call", "call_sid"),
    **KEYED,
)
_due = ATTEMPTS.c.look_ms.is_not(None)
Index("promise_attempts_due", ATTEMPTS.c.look_ms, sqlite_where=_due, postgresql_where=_due)

EVENTS = Table(
    "promise_events",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("promise", Number, ForeignKey("promises.id", ondelete="CASCADE"), nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("event", Text),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("attempt", Number, nullable=False),
    Column("by", Text, nullable=False),
    Index("promise_events_of_promise", "promise", "id"),
    **COUNTED,
)
"""What happened to each promise; the one without an event is its beginning."""

REFUSALS = Table(
    "promise_refusals",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("at_ms", Number, nullable=False),
    Column("account", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("class", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("call_sid", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("why", Text, nullable=False),
    Index("promise_refusals_by_time", "at_ms"),
    **COUNTED,
)

TOTALS = Table(
    "promise_totals",
    TABLES,
    Column("account", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("count", Number, nullable=False),
    **KEYED,
)
"""How often each thing happened since the ledger began; retention takes nothing away from it."""

PROGRESS = Table(
    "callbacks_progress",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("seq", Number, nullable=False),
    **KEYED,
)

DIALLING = Table(
    "dialling",
    TABLES,
    Column("account", Text, primary_key=True),
    Column("allowed", Flag, nullable=False),
    Column("by", Text, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("stopped", Text, nullable=False),
    Column("stopped_by", Text, nullable=False),
    Column("stopped_ms", Number),
    Column("held_until_ms", Number),
    Column("held_why", Text, nullable=False),
    **KEYED,
)

DO_NOT_CALL = Table(
    "do_not_call",
    TABLES,
    Column("number", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at_ms", Number, nullable=False),
    Column("from_file", Flag, nullable=False),
    **KEYED,
)


def promise_row(promise: Promise) -> dict[str, Any]:
    """A promise as its row, without its id."""
    row = msgspec.structs.asdict(promise)
    del row["id"]
    row["class"] = row.pop("class_")
    row |= {
        "origin": promise.origin.value,
        "state": promise.state.value,
        "event": _value(promise.event),
        "ending": _value(promise.ending),
        "ended_ms": promise.since_ms if promise.final else None,
    }
    return row


def promise_of(row: Row[Any]) -> Promise:
    """A row's promise."""
    return _promise(row._asdict())


PROMISE_COLUMNS = [column.label(f"promise_{column.name}") for column in PROMISES.columns]
"""The columns of a promise beside those of another table."""


def promise_in(row: Row[Any]) -> Promise:
    """The promise in a row that has `PROMISE_COLUMNS`."""
    return _promise(
        {
            name.removeprefix("promise_"): value
            for name, value in row._asdict().items()
            if name.startswith("promise_")
        }
    )


def _promise(found: Mapping[str, Any]) -> Promise:
    return Promise(
        id=found["id"],
        token=found["token"],
        account=found["account"],
        number=found["number"],
        class_=found["class"],
        reason=found["reason"],
        origin=PromiseOrigin(found["origin"]),
        endpoint=found["endpoint"],
        call_sid=found["call_sid"],
        receipt=found["receipt"],
        made_by=found["made_by"],
        made_ms=found["made_ms"],
        due_ms=found["due_ms"],
        until_ms=found["until_ms"],
        state=PromiseState(found["state"]),
        event=_event(found["event"]),
        since_ms=found["since_ms"],
        why=found["why"],
        attempts=found["attempts"],
        doubts=found["doubts"],
        granted=found["granted"],
        ending=_event(found["ending"]),
        ending_why=found["ending_why"],
    )


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    """An attempt as its row, without the account."""
    row = msgspec.structs.asdict(attempt)
    return row | {"state": attempt.state.value, "outcome": _value(attempt.outcome)}


def attempt_of(row: Row[Any]) -> Attempt:
    """A row's attempt."""
    return Attempt(
        promise=row.promise,
        number=row.number,
        custom_field=row.custom_field,
        asked_ms=row.asked_ms,
        exophone=row.exophone,
        state=AttemptState(row.state),
        call_sid=row.call_sid,
        outcome=None if row.outcome is None else CallOutcome(row.outcome),
        talk_s=row.talk_s,
        price=row.price,
        lists=row.lists,
        look_ms=row.look_ms,
        done_ms=row.done_ms,
        problem=row.problem,
    )


def step_of(row: Row[Any]) -> PromiseStep:
    """A row's step."""
    return PromiseStep(
        id=row.id,
        promise=row.promise,
        at_ms=row.at_ms,
        event=_event(row.event),
        state=PromiseState(row.state),
        why=row.why,
        attempt=row.attempt,
        by=row.by,
    )


def refusal_row(refusal: Refusal) -> dict[str, Any]:
    """A refusal as its row, without its id."""
    row = msgspec.structs.asdict(refusal)
    del row["id"]
    row["class"] = row.pop("class_")
    return row | {"code": refusal.code.value}


def refusal_of(row: Row[Any]) -> Refusal:
    """A row's refusal."""
    found = row._asdict()
    found["class_"] = found.pop("class")
    return Refusal(**{**found, "code": RefusalCode(found["code"])})


def _value(member: PromiseEvent | CallOutcome | None) -> str | None:
    return None if member is None else member.value


def _event(text: str | None) -> PromiseEvent | None:
    return None if text is None else PromiseEvent(text)
