"""Changes of promises within a transaction: each with its step, its totals and its audit entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, insert, select, update

from switchhook.access.audit_ledger import append
from switchhook.callbacks.attempts import OVER, attempt_after, counts_for
from switchhook.callbacks.promise import (
    FINAL,
    NEXT,
    Promise,
    PromiseEvent,
    PromiseState,
    moved,
)
from switchhook.callbacks.refusals import Refusal, RefusalCode
from switchhook.callbacks.rows_ledger import (
    ATTEMPTS,
    DO_NOT_CALL,
    EVENTS,
    PROGRESS,
    PROMISES,
    REFUSALS,
    TOTALS,
    attempt_of,
    attempt_row,
    promise_of,
    promise_row,
    refusal_row,
)
from switchhook.ledger.sql import has_room, put, upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection, Insert

    from switchhook.access.audit import Deed
    from switchhook.callbacks.attempts import AttemptChange
    from switchhook.callbacks.promise import Attempt

_FOLLOWED = (PromiseState.UNKNOWN, PromiseState.RINGING)
MOST_REFUSALS = 10_000
"""Refusals beyond so many are forgotten, the oldest first; the totals know all."""

_NEW_PROMISE, _NEW_STEP, _NEW_REFUSAL = insert(PROMISES), insert(EVENTS), insert(REFUSALS)
"""Made once: a storm has thousands of each within a minute."""
_p, _a = PROMISES.c, ATTEMPTS.c
_live = _p.ended_ms.is_(None)


class PromiseBatch:
    """What changes promises, in one transaction. `connection` is for what else belongs to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def make(self, promise: Promise, deed: Deed | None = None) -> Promise | Refusal:
        """Keep a promise; with its id. One that must not be is refused, and that is kept."""
        code, why = self._why_refused(promise)
        if code is not None:
            return self.refuse(refusal_of_promise(promise, code, why))
        row = promise_row(promise)
        if promise.state is PromiseState.UNPROVEN:
            row["look_ms"] = promise.made_ms
        made = msgspec.structs.replace(promise, id=_inserted(self.connection, _NEW_PROMISE, row))
        self.note_step(made, None, made.made_ms, made.why, by=made.made_by)
        self.count(made.account, "made", made.origin)
        if deed is not None:
            append(self.connection, deed, made.made_ms * 1000)
        return made

    def refuse(self, refusal: Refusal) -> Refusal:
        """Keep that somebody is not promised a callback; with its id."""
        id = _inserted(self.connection, _NEW_REFUSAL, refusal_row(refusal))
        self.count(refusal.account, "refused", refusal.code)
        self.connection.execute(delete(REFUSALS).where(REFUSALS.c.id <= id - MOST_REFUSALS))
        return msgspec.structs.replace(refusal, id=id)

    def settle(
        self,
        id: int,
        event: PromiseEvent,
        now_ms: int,
        *,
        why: str = "",
        due_ms: int | None = None,
        until_ms: int | None = None,
        attempt: int = 0,
        change: AttemptChange | None = None,
        by: str = "",
        deed: Deed | None = None,
    ) -> Promise | None:
        """Let something happen to a promise; None where that says nothing any more.

        `attempt` is the number of the one that it is about, and `change` what is told of that one:
        it is kept in any case.
        """
        before = self.find(id)
        if before is None:
            return None
        news = self._noted(id, attempt, change)
        if not news or not counts_for(before, attempt, event):
            return None
        if event is PromiseEvent.RETRIED and self.why_not_again(before):
            return None
        after = moved(before, event, now_ms, why=why, due_ms=due_ms, until_ms=until_ms)
        if after is None:
            return None
        self.replace(after)
        first = NEXT.get((before.state, event), before.state)
        step = msgspec.structs.replace(after, state=first)
        self.note_step(step, event, now_ms, why, attempt, by)
        if after.event is not event and after.state is not before.state:
            self.note_step(after, after.event, now_ms, after.why)  # it waited for the call's end
        self._follow(after, now_ms)
        if deed is not None:
            append(self.connection, deed, now_ms * 1000)
        return after

    def end_by_number(
        self,
        number: str,
        event: PromiseEvent,
        now_ms: int,
        *,
        why: str = "",
        made_before_ms: int | None = None,
        account: str | None = None,
        but: Iterable[int] = (),
    ) -> list[Promise]:
        """End all promises to a number, or those made before a time; those that it changed."""
        wanted = [_p.number == number, _live]
        if made_before_ms is not None:
            wanted.append(_p.made_ms < made_before_ms)
        if account is not None:
            wanted.append(_p.account == account)
        ids = self.connection.scalars(select(_p.id).where(*wanted).order_by(_p.id)).all()
        spared = set(but)
        settled = (self.settle(id, event, now_ms, why=why) for id in ids if id not in spared)
        return [each for each in settled if each is not None]

    def _noted(self, id: int, attempt: int, change: AttemptChange | None) -> bool:
        """Keep what is told of an attempt; False where it can't become what it is told to be.

        Then it moves no promise either: Exotel's answer that it calls may come when that call was
        told to be over.
        """
        if not attempt or change is None:
            return True
        told = self.note(id, attempt, change)
        return told is None or change.state in (None, told.state)

    def note(self, id: int, attempt: int, change: AttemptChange) -> Attempt | None:
        """Keep what is told of an attempt; None where there is none."""
        this = (_a.promise == id, _a.number == attempt)
        row = self.connection.execute(select(ATTEMPTS).where(*this)).first()
        if row is None:
            return None
        before = attempt_of(row)
        after = attempt_after(before, change)
        if after != before:
            self.connection.execute(update(ATTEMPTS).where(*this).values(attempt_row(after)))
        if after.outcome is not None and after.outcome is not before.outcome:
            self.count(row.account, "outcome", after.outcome)
        return after

    def look_again(self, id: int, at_ms: int) -> None:
        """Ask for the details of an unproven promise's call then."""
        this = (_p.id == id, _p.state == PromiseState.UNPROVEN.value)
        self.connection.execute(update(PROMISES).where(*this).values(look_ms=at_ms))

    def set_progress(self, name: str, seq: int) -> None:
        """Note how far something has come."""
        put(self.connection, PROGRESS, name=name, seq=seq)

    def find(self, id: int) -> Promise | None:
        if not has_room(id):
            return None
        row = self.connection.execute(select(PROMISES).where(_p.id == id)).first()
        return None if row is None else promise_of(row)

    def live_of(self, number: str, *more: ColumnElement[bool]) -> list[Promise]:
        """Promises to a number that are not over."""
        asked = select(PROMISES).where(_p.number == number, _live, *more).order_by(_p.id)
        return [promise_of(row) for row in self.connection.execute(asked)]

    def is_do_not_call(self, number: str) -> bool:
        asked = select(DO_NOT_CALL.c.number).where(DO_NOT_CALL.c.number == number)
        return self.connection.execute(asked).first() is not None

    def replace(self, after: Promise) -> None:
        """Keep a promise as it is now. Its texts stay: a number may have been masked in them."""
        row = promise_row(after)
        for name in ("number", "call_sid", "receipt", "reason"):
            del row[name]
        if after.state is not PromiseState.UNPROVEN:
            row["look_ms"] = None
        self.connection.execute(update(PROMISES).where(_p.id == after.id).values(row))
        if after.final:
            its = update(ATTEMPTS).where(_a.promise == after.id, _a.look_ms.is_not(None))
            self.connection.execute(its.values(look_ms=None))

    def postpone(self, ids: Sequence[int], due_ms: int, why: str) -> None:
        """Let open promises wait until then; that is no step of theirs."""
        these = (_p.id.in_(ids), _p.state == PromiseState.OPEN.value)
        self.connection.execute(update(PROMISES).where(*these).values(due_ms=due_ms, why=why))

    def add_attempt(self, attempt: Attempt, account: str) -> None:
        """Keep a new attempt."""
        row = attempt_row(attempt) | {"account": account}
        self.connection.execute(insert(ATTEMPTS).values(row))

    def count(self, account: str, kind: str, name: str) -> None:
        """One more of something."""
        more = upsert(self.connection, TOTALS).on_conflict_do_update(
            index_elements=["account", "kind", "name"], set_={"count": TOTALS.c.count + 1}
        )
        row = {"account": account, "kind": kind, "name": str(name), "count": 1}
        self.connection.execute(more, row)

    def note_step(
        self,
        promise: Promise,
        event: PromiseEvent | None,
        at_ms: int,
        why: str,
        attempt: int = 0,
        by: str = "",
    ) -> None:
        """Keep what happened to a promise."""
        row = {
            "promise": promise.id,
            "at_ms": at_ms,
            "event": None if event is None else event.value,
            "state": promise.state.value,
            "why": why,
            "attempt": attempt,
            "by": by,
        }
        _inserted(self.connection, _NEW_STEP, row)
        if event is not None:
            self.count(promise.account, "event", event)

    def _follow(self, promise: Promise, now_ms: int) -> None:
        """Have its call looked at now where nobody said when: else it would ring for ever."""
        if promise.state not in _FOLLOWED:
            return
        newest = (_a.promise == promise.id, _a.number == promise.attempts)
        unseen = (_a.look_ms.is_(None), _a.state.not_in(sorted(each.value for each in OVER)))
        self.connection.execute(update(ATTEMPTS).where(*newest, *unseen).values(look_ms=now_ms))

    def _why_refused(self, promise: Promise) -> tuple[RefusalCode | None, str]:
        if self.is_do_not_call(promise.number):
            return RefusalCode.DO_NOT_CALL, "the number is on the do-not-call list"
        same = self.live_of(promise.number, _p.account == promise.account)
        if same:
            return RefusalCode.OPEN_ALREADY, f"promise {same[0].id} to this number is open"
        return None, ""

    def why_not_again(self, promise: Promise) -> str:
        """Why one that is over can't be owed anew; empty where it can."""
        if promise.state not in FINAL:
            return ""
        _, why = self._why_refused(promise)
        return why or ("the number was erased" if promise.erased else "")


def refusal_of_promise(promise: Promise, code: RefusalCode, why: str) -> Refusal:
    """What is kept of a promise that must not be."""
    return Refusal(
        at_ms=promise.made_ms,
        account=promise.account,
        number=promise.number,
        class_=promise.class_,
        reason=promise.reason,
        endpoint=promise.endpoint,
        call_sid=promise.call_sid,
        receipt=promise.receipt,
        code=code,
        why=why,
    )


def _inserted(connection: Connection, statement: Insert, row: dict[str, Any]) -> int:
    """A row that the database numbers; its number."""
    key = connection.execute(statement, row).inserted_primary_key
    assert key is not None, "it has one"
    number: int = key[0]
    return number
