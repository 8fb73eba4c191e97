"""Promises, kept: made once, moved by one at a time, never dialled by two.

What is decided by what there is, is decided within the transaction that changes it: the console and
commands beside it write the same ledger. `moves_ledger` has the changes, `lists_ledger` what people
look at.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from switchhook.callbacks import claims_ledger, heard_ledger
from switchhook.callbacks.moves_ledger import PromiseBatch
from switchhook.callbacks.promise import PromiseEvent
from switchhook.callbacks.rows_ledger import (
    ATTEMPTS,
    EVENTS,
    PROGRESS,
    PROMISE_COLUMNS,
    PROMISES,
    TABLES,
    attempt_of,
    promise_in,
    promise_of,
)
from switchhook.ledger.sql import has_room

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Select

    from switchhook.access.audit import Deed
    from switchhook.callbacks.attempts import AttemptChange
    from switchhook.callbacks.claims import Claimed, NotClaimed
    from switchhook.callbacks.claims_ledger import Decide
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.refusals import Refusal
    from switchhook.ledger.database import Ledger

__all__ = ["TABLES", "LedgerPromises"]

_p, _a, _e = PROMISES.c, ATTEMPTS.c, EVENTS.c
_live = _p.ended_ms.is_(None)
_newest_attempt = ATTEMPTS.join(PROMISES, and_(_p.id == _a.promise, _p.attempts == _a.number))


class LedgerPromises:
    """The promises in the ledger. Any thread, and commands beside the console. LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # Changes.

    @contextmanager
    def writing(self) -> Iterator[PromiseBatch]:
        """A transaction for several changes."""
        with self._ledger.writing() as connection:
            yield PromiseBatch(connection)

    def make(self, promise: Promise, deed: Deed | None = None) -> Promise | Refusal:
        """See `PromiseBatch.make`."""
        with self.writing() as batch:
            return batch.make(promise, deed)

    def refuse(self, refusal: Refusal) -> Refusal:
        """See `PromiseBatch.refuse`."""
        with self.writing() as batch:
            return batch.refuse(refusal)

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
        """See `PromiseBatch.settle`."""
        with self.writing() as batch:
            return batch.settle(
                id,
                event,
                now_ms,
                why=why,
                due_ms=due_ms,
                until_ms=until_ms,
                attempt=attempt,
                change=change,
                by=by,
                deed=deed,
            )

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
        """See `PromiseBatch.end_by_number`."""
        with self.writing() as batch:
            return batch.end_by_number(
                number,
                event,
                now_ms,
                why=why,
                made_before_ms=made_before_ms,
                account=account,
                but=but,
            )

    def note(self, id: int, attempt: int, change: AttemptChange) -> Attempt | None:
        """See `PromiseBatch.note`."""
        with self.writing() as batch:
            return batch.note(id, attempt, change)

    def look_again(self, id: int, at_ms: int) -> None:
        """See `PromiseBatch.look_again`."""
        with self.writing() as batch:
            batch.look_again(id, at_ms)

    def postpone(self, ids: Sequence[int], due_ms: int, why: str) -> None:
        """See `PromiseBatch.postpone`."""
        with self.writing() as batch:
            batch.postpone(ids, due_ms, why)

    def set_progress(self, name: str, seq: int) -> None:
        """See `PromiseBatch.set_progress`."""
        with self.writing() as batch:
            batch.set_progress(name, seq)

    def claim(
        self, id: int, number: int, exophone: str, now_ms: int, decide: Decide, *, price: float
    ) -> Claimed | NotClaimed:
        """Keep that a promise is dialled, as attempt `number`, if all that must hold does now.

        It is open, due and in time, with one attempt less; its account may dial; its number is not
        on the do-not-call list, not erased, and no other promise calls it. Then `decide` says
        whether it waits or ends; None has it dialled. `price` is for calls whose price isn't known.
        """
        with self.writing() as batch:
            return claims_ledger.claim(batch, id, number, exophone, price, now_ms, decide)

    # What workers ask.

    def get(self, id: int) -> Promise | None:
        return self._one(_p.id == id) if has_room(id) else None

    def by_custom_field(self, text: str) -> tuple[Promise, Attempt] | None:
        """The attempt that a CustomField names."""
        found = self._with_attempts(
            select(*PROMISE_COLUMNS, ATTEMPTS)
            .select_from(ATTEMPTS.join(PROMISES, _p.id == _a.promise))
            .where(_a.custom_field == text)
        )
        return found[0] if found else None

    def live_of(self, number: str, account: str | None = None) -> list[Promise]:
        """Promises to a number that are not over, of one account or of any."""
        more = () if account is None else (_p.account == account,)
        with self._ledger.reading() as connection:
            return PromiseBatch(connection).live_of(number, *more)

    def known(self, numbers: Collection[str], calls: Collection[str]) -> tuple[set[str], set[str]]:
        """Those of the numbers that are owed a callback, and of the calls those that are one."""
        with self._ledger.reading() as connection:
            owed = heard_ledger.owed_among(connection, numbers)
            return owed, heard_ledger.callbacks_among(connection, calls)

    def progress(self, name: str) -> int | None:
        """How far something has come; None where it never began."""
        asked = select(PROGRESS.c.seq).where(PROGRESS.c.name == name)
        with self._ledger.reading() as connection:
            return connection.scalar(asked)

    def _one(self, this: ColumnElement[bool]) -> Promise | None:
        found = self._several(select(PROMISES).where(this))
        return found[0] if found else None

    def _several(self, asked: Select[Any]) -> list[Promise]:
        with self._ledger.reading() as connection:
            return [promise_of(row) for row in connection.execute(asked)]

    def _with_attempts(self, asked: Select[Any]) -> list[tuple[Promise, Attempt]]:
        with self._ledger.reading() as connection:
            return [(promise_in(row), attempt_of(row)) for row in connection.execute(asked)]
