"""Promises as people look at them: lists, counts, what they come to."""

from __future__ import annotations

from collections import Counter
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlalchemy import and_, false, func, select

from switchhook.access.audit_ledger import append
from switchhook.callbacks.acts import why_nothing
from switchhook.callbacks.filters import LIVE, unknown_name
from switchhook.callbacks.history import (
    CallbackTime,
    EndedCount,
    KeptShare,
    LiveCount,
    PromiseCounts,
    PromiseStep,
    Total,
)
from switchhook.callbacks.moves_ledger import PromiseBatch
from switchhook.callbacks.promise import AttemptState, PromiseEvent, PromiseState
from switchhook.callbacks.refusals import RefusalCode
from switchhook.callbacks.rows_ledger import (
    ATTEMPTS,
    EVENTS,
    PROMISES,
    REFUSALS,
    TOTALS,
    attempt_of,
    promise_of,
    refusal_of,
    step_of,
)
from switchhook.exotel.times import DAY_MS
from switchhook.ledger.sql import has_room
from switchhook.rules.outcome import ORDINARY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.access.audit import Deed
    from switchhook.callbacks.filters import PromiseFilter, UnknownName
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.refusals import Refusal
    from switchhook.callbacks.view import CallingAccount
    from switchhook.ledger.database import Ledger

_p, _a, _e = PROMISES.c, ATTEMPTS.c, EVENTS.c
MOST_COUNTED = 100_000
_STEP = 500


class LeftOut(NamedTuple):
    """A promise that was named, to which nothing was done, and why."""

    id: int
    why: str


class Acted(msgspec.Struct, frozen=True):
    """What came of an act: how many promises the filter had, and how many of them it moved.

    `left_out` are those that it named and did not move.
    """

    matched: int
    changed: int
    left_out: tuple[LeftOut, ...] = ()


class Refused(NamedTuple):
    """Passthrus that made no promise: nobody owes a callback, or another promise does already."""

    unowed: int
    owed_already: int


class PromiseLists:
    """What there is of promises in the ledger, and acts by filter. Any thread. LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def find(
        self, wanted: PromiseFilter, limit: int, before_id: int | None = None
    ) -> list[Promise]:
        """The promises of a filter that were made before one, newest first."""
        where = _where(wanted)
        if before_id is not None:
            where.append(_p.id < before_id)
        with self._ledger.reading() as connection:
            return _newest(connection, wanted.states, where, limit)

    def count(self, wanted: PromiseFilter, most: int = MOST_COUNTED) -> int:
        """How many promises a filter has; no more than `most` are counted."""
        where = _where(wanted, with_states=True)
        some = select(_p.id).where(*where).limit(most).subquery()
        with self._ledger.reading() as connection:
            return connection.execute(select(func.count()).select_from(some)).scalar_one()

    def counts_of(self, wanted: PromiseFilter) -> dict[PromiseState, int]:
        """How many promises a filter has in each state."""
        asked = select(_p.state, func.count()).where(*_where(wanted, with_states=True))
        with self._ledger.reading() as connection:
            rows = connection.execute(asked.group_by(_p.state))
            return {PromiseState(state): count for state, count in rows}

    def unknown_name(
        self, wanted: PromiseFilter, accounts: Mapping[str, CallingAccount]
    ) -> UnknownName | None:
        """The first name in a filter that is neither configured nor any promise's."""
        classes = {name for each in accounts.values() for name in each.settings.classes}
        asked = (
            ("account", wanted.accounts, _p.account, set(accounts)),
            ("class", wanted.classes, _p["class"], {ORDINARY, *classes}),
        )
        for parameter, names, column, known in asked:
            if known.issuperset(names):
                continue
            with self._ledger.reading() as connection:
                known |= {each for each in connection.scalars(select(column).distinct()) if each}
            for name in names:
                if name not in known:
                    return unknown_name(parameter, name, known)
        return None

    def act(
        self,
        wanted: PromiseFilter,
        event: PromiseEvent,
        now_ms: int,
        deed: Callable[[int], Deed],
        *,
        why: str = "",
        due_ms: int | None = None,
        until_ms: Callable[[Promise], int] | None = None,
        by: str = "",
    ) -> Acted:
        """Let something happen to all promises of a filter, in steps; those made since are spared.

        `deed` is noted first, with how many they are; `until_ms` says until when one is owed anew.
        """
        ids = self._note_and_choose(wanted, now_ms, deed)
        changed = set[int]()
        for at in range(0, len(ids), _STEP):
            with self._ledger.writing() as connection:
                batch = PromiseBatch(connection)
                for id in ids[at : at + _STEP]:
                    promise = batch.find(id)
                    if promise is None or not wanted.matches(promise):
                        continue
                    until = None if until_ms is None else until_ms(promise)
                    after = batch.settle(
                        id, event, now_ms, why=why, due_ms=due_ms, until_ms=until, by=by
                    )
                    if after is not None:
                        changed.add(id)
        return Acted(len(ids), len(changed), self.left_out(wanted, event, changed))

    def left_out(
        self, wanted: PromiseFilter, event: PromiseEvent, but: Collection[int] = ()
    ) -> tuple[LeftOut, ...]:
        """Those that a filter names to which something does nothing, and why."""
        ids = [each for each in dict.fromkeys(wanted.ids) if each not in but]
        if not ids:
            return ()
        with self._ledger.reading() as connection:
            batch = PromiseBatch(connection)
            why = {id: _why_left_out(batch, id, wanted, event) for id in ids}
        return tuple(LeftOut(id, said) for id, said in why.items() if said)

    def counts(self, now_ms: int) -> PromiseCounts:
        """How many promises there are now."""
        with self._ledger.reading() as connection:
            return PromiseCounts(
                live=_live_counts(connection),
                due=_due_counts(connection, now_ms),
                ended=_ended_counts(connection, now_ms - DAY_MS),
            )

    def totals(self) -> list[Total]:
        """How often each thing happened since the ledger began."""
        asked = select(TOTALS).order_by(TOTALS.c.account, TOTALS.c.kind, TOTALS.c.name)
        with self._ledger.reading() as connection:
            return [Total(*row) for row in connection.execute(asked)]

    def callback_times(self, since_ms: int, most: int = 10_000) -> list[CallbackTime]:
        """The promises that were kept since a time, the newest of them."""
        talked = and_(_a.promise == _p.id, _a.state == AttemptState.TALKED.value)
        called = select(func.max(_a.asked_ms)).where(talked).scalar_subquery()
        asked = (
            select(_p.account, _p["class"], _p.made_ms, called, _p.until_ms, _p.since_ms)
            .where(_p.ended_ms >= since_ms, _p.state == PromiseState.KEPT.value)
            .order_by(_p.ended_ms.desc())
            .limit(most)
        )
        with self._ledger.reading() as connection:
            return [
                CallbackTime(account, class_, made, ended if called is None else called, until)
                for account, class_, made, called, until, ended in connection.execute(asked)
            ]

    def kept_shares(self, since_ms: int) -> list[KeptShare]:
        """By account, how many of the callbacks owed until their end were kept, since a time.

        Not owed until its end is one whose caller got through, or that somebody cancelled.
        """
        kept: dict[str, list[int]] = {}
        with self._ledger.reading() as connection:
            for each in _ended_counts(connection, since_ms):
                is_kept = each.state is PromiseState.KEPT
                owed = is_kept or each.state is PromiseState.BROKEN
                owed = owed or each.event is PromiseEvent.EXPIRED
                counts = kept.setdefault(each.account, [0, 0])
                counts[0] += each.count * is_kept
                counts[1] += each.count * owed
        return [KeptShare(account, *counts) for account, counts in sorted(kept.items())]

    def at_risk(self, *before_ms: int) -> list[dict[str, int]]:
        """How many promises are owed until before each time, and not kept yet, by account.

        The times are in their order: what is between two of them is counted once.
        """
        found, counts, since_ms = [], Counter[str](), 0
        with self._ledger.reading() as connection:
            for until_ms in before_ms:
                between = (_p.until_ms >= since_ms, _p.until_ms < until_ms)
                counts.update(_by_account(connection, _p.ended_ms.is_(None), *between))
                found.append(dict(counts))
                since_ms = until_ms
        return found

    def over(self) -> set[int]:
        """The promises that ring as far as is known, though their call is told to be over.

        How it went is told minutes later (exotel-platform E.4).
        """
        joined = PROMISES.join(ATTEMPTS, and_(_a.promise == _p.id, _a.number == _p.attempts))
        its = (_p.state == PromiseState.RINGING.value, _a.done_ms.is_not(None))
        with self._ledger.reading() as connection:
            return set(connection.scalars(select(_p.id).select_from(joined).where(*its)))

    def refusals(
        self,
        limit: int,
        before_id: int | None = None,
        since_ms: int | None = None,
        *,
        owed_already: bool = True,
    ) -> list[Refusal]:
        """Those who are not promised a callback though a rule wanted it, newest first.

        `owed_already` is whether those are among them to whom another promise owes it.
        """
        asked = select(REFUSALS).order_by(REFUSALS.c.id.desc()).limit(limit)
        if before_id is not None:
            asked = asked.where(REFUSALS.c.id < before_id)
        if since_ms is not None:
            asked = asked.where(REFUSALS.c.at_ms >= since_ms)
        if not owed_already:
            asked = asked.where(REFUSALS.c.code != RefusalCode.OPEN_ALREADY.value)
        with self._ledger.reading() as connection:
            return [refusal_of(row) for row in connection.execute(asked)]

    def refused(self, since_ms: int) -> Refused:
        """How many were not promised a callback since a time, of those that are kept."""
        asked = select(REFUSALS.c.code, func.count()).where(REFUSALS.c.at_ms >= since_ms)
        with self._ledger.reading() as connection:
            rows = connection.execute(asked.group_by(REFUSALS.c.code))
            counts = {row[0]: row[1] for row in rows}
        owed = counts.pop(RefusalCode.OPEN_ALREADY.value, 0)
        return Refused(sum(counts.values()), owed)

    def by_call(self, call_sid: str) -> list[Promise]:
        """Promises that were made for a call, or that it was to keep."""
        if not call_sid:
            return []
        called = select(_a.promise).where(_a.call_sid == call_sid)
        asked = select(PROMISES).where((_p.call_sid == call_sid) | _p.id.in_(called))
        with self._ledger.reading() as connection:
            return [promise_of(row) for row in connection.execute(asked.order_by(_p.id))]

    def attempts(self, id: int) -> list[Attempt]:
        """The attempts of a promise, in their order."""
        asked = select(ATTEMPTS).where(_a.promise == id).order_by(_a.number)
        with self._ledger.reading() as connection:
            return [attempt_of(row) for row in connection.execute(asked)]

    def history(self, id: int) -> list[PromiseStep]:
        """What happened to a promise, from its beginning on."""
        asked = select(EVENTS).where(_e.promise == id).order_by(_e.id)
        with self._ledger.reading() as connection:
            return [step_of(row) for row in connection.execute(asked)]

    def _note_and_choose(
        self, wanted: PromiseFilter, now_ms: int, deed: Callable[[int], Deed]
    ) -> Sequence[int]:
        where = _where(wanted, with_states=True)
        with self._ledger.writing() as connection:
            ids = connection.scalars(select(_p.id).where(*where).order_by(_p.id)).all()
            append(connection, deed(len(ids)), now_ms * 1000)
        return ids


def _why_left_out(batch: PromiseBatch, id: int, wanted: PromiseFilter, event: PromiseEvent) -> str:
    promise = batch.find(id)
    if promise is None:
        return "there is none"
    why = why_nothing(event, promise)
    if not why and not wanted.matches(promise):
        return "the filter does not match it"
    if not why and event is PromiseEvent.RETRIED:
        return batch.why_not_again(promise)
    return why


def _where(wanted: PromiseFilter, *, with_states: bool = False) -> list[ColumnElement[bool]]:
    """A filter's conditions, those of the states where they are asked for."""
    ids = tuple(id for id in wanted.ids if has_room(id))
    several = ((_p.id, ids), (_p.account, wanted.accounts), (_p["class"], wanted.classes))
    where: list[ColumnElement[bool]] = [column.in_(values) for column, values in several if values]
    if wanted.ids and not ids:
        where.append(false())
    if with_states and wanted.states:
        where.append(_p.state.in_([each.value for each in wanted.states]))
    if wanted.reason:
        where.append(_p.reason == wanted.reason)
    if wanted.number:
        where.append(_p.number == wanted.number)
    if wanted.made_since_ms is not None:
        where.append(_p.made_ms >= wanted.made_since_ms)
    if wanted.made_before_ms is not None:
        where.append(_p.made_ms < wanted.made_before_ms)
    if wanted.due_before_ms is not None:
        where.append(_p.due_ms < wanted.due_before_ms)
    return where


def _newest(
    connection: Connection,
    states: Sequence[PromiseState],
    where: Sequence[ColumnElement[bool]],
    limit: int,
) -> list[Promise]:
    """Each state is read from its own index, newest first, and they are merged."""
    asked = select(PROMISES).where(*where).order_by(_p.id.desc()).limit(limit)
    several = [asked.where(_p.state == each.value) for each in states] or [asked]
    found = [[promise_of(row) for row in connection.execute(each)] for each in several]
    return list(islice(merge(*found, key=lambda each: -each.id), limit))


def _live_counts(connection: Connection) -> tuple[LiveCount, ...]:
    key = (_p.state, _p.account, _p["class"])  # in the order of their index
    states = _p.state.in_([each.value for each in LIVE])
    rows = connection.execute(select(*key, func.count()).where(states).group_by(*key))
    return tuple(
        LiveCount(account, class_, PromiseState(state), count)
        for state, account, class_, count in sorted(map(tuple, rows))
    )


def _due_counts(connection: Connection, now_ms: int) -> dict[str, int]:
    due = (_p.state == PromiseState.OPEN.value, _p.due_ms <= now_ms)
    return _by_account(connection, *due)


def _by_account(connection: Connection, *where: ColumnElement[bool]) -> dict[str, int]:
    asked = select(_p.account, func.count()).where(*where).group_by(_p.account)
    return {row[0]: row[1] for row in connection.execute(asked)}


def _ended_counts(connection: Connection, since_ms: int) -> tuple[EndedCount, ...]:
    key = (_p.account, _p.state, _p.event)
    rows = connection.execute(
        select(*key, func.count()).where(_p.ended_ms >= since_ms).group_by(*key)
    )
    return tuple(
        EndedCount(account, PromiseState(state), PromiseEvent(event), count)
        for account, state, event, count in sorted(map(tuple, rows))
    )
