"""The numbers that are never called, kept: by hand, and those of the configured file.

Erasing a number leaves it here, on purpose: without it the next throttled call would have it
called. Whoever is to be forgotten here too is taken off the list first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, false, func, select, true

from switchhook.access.audit_ledger import append
from switchhook.callbacks.moves_ledger import PromiseBatch
from switchhook.callbacks.promise import Promise, PromiseEvent
from switchhook.callbacks.rows_ledger import DO_NOT_CALL, PROMISES
from switchhook.ledger.sql import upsert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

_c = DO_NOT_CALL.c
_STEP = 500
WHY = "the number is on the do-not-call list"


class DoNotCall(msgspec.Struct, frozen=True):
    """One number that is never called, in E.164; who put it on the list, when (Unix ms), and why.

    `from_file`: it stands in the configured file, and leaves the list when it leaves that.
    """

    number: str
    why: str
    by: str
    at_ms: int
    from_file: bool


class LedgerDoNotCall:
    """The list in the ledger. Any thread, and commands beside the console. Raises LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, number: str, why: str, deed: Deed, now_ms: int) -> list[Promise] | None:
        """Never call a number from now on; the promises that this ended.

        None where it was on the list already, by hand.
        """
        entry = DoNotCall(number, why, deed.who, now_ms, from_file=False)
        with self._ledger.writing() as connection:
            known = select(_c.number).where(_c.number == number, _c.from_file == false())
            if connection.execute(known).first() is not None:
                return None
            row = upsert(connection, DO_NOT_CALL).values(msgspec.structs.asdict(entry))
            change = {name: row.excluded[name] for name in ("why", "by", "at_ms", "from_file")}
            connection.execute(row.on_conflict_do_update(index_elements=["number"], set_=change))
            append(connection, deed, now_ms * 1000)
            return _end(connection, number, now_ms)

    def remove(self, number: str, deed: Deed, now_ms: int) -> bool:
        """Take a number off the list; whether it was there.

        One that stands in the file comes back when the configuration is taken over next.
        """
        with self._ledger.writing() as connection:
            gone = connection.execute(delete(DO_NOT_CALL).where(_c.number == number)).rowcount
            if gone:
                append(connection, deed, now_ms * 1000)
            return bool(gone)

    def replace_file(self, numbers: Iterable[str], now_ms: int) -> list[Promise]:
        """Take the file's numbers for the list's; the promises that this ended.

        Those that left the file leave the list, unless somebody put them there by hand.
        """
        wanted = set(numbers)
        with self._ledger.writing() as connection:
            asked = select(_c.number).where(_c.from_file == true())
            there = set(connection.scalars(asked))
            for some in _steps(sorted(there - wanted)):
                old = delete(DO_NOT_CALL).where(_c.number.in_(some), _c.from_file == true())
                connection.execute(old)
            new = sorted(wanted - there)
            add = upsert(connection, DO_NOT_CALL).on_conflict_do_nothing()
            for some in _steps(new):
                rows = [DoNotCall(each, "", "", now_ms, from_file=True) for each in some]
                connection.execute(add, [msgspec.structs.asdict(each) for each in rows])
            # Of a million numbers few are owed anything.
            owed = select(PROMISES.c.number).where(PROMISES.c.ended_ms.is_(None)).distinct()
            ended = sorted({*connection.scalars(owed)} & {*new})
            return [promise for each in ended for promise in _end(connection, each, now_ms)]

    def has(self, number: str) -> bool:
        """Whether a number is never called."""
        with self._ledger.reading() as connection:
            return PromiseBatch(connection).is_do_not_call(number)

    def entries(self, limit: int, after: str = "") -> list[DoNotCall]:
        """Numbers of the list by their digits, those after one."""
        asked = select(DO_NOT_CALL).where(_c.number > after).order_by(_c.number).limit(limit)
        with self._ledger.reading() as connection:
            return [DoNotCall(**row._asdict()) for row in connection.execute(asked)]

    def count(self) -> int:
        """How many there are."""
        with self._ledger.reading() as connection:
            return connection.execute(select(func.count()).select_from(DO_NOT_CALL)).scalar_one()


def _end(connection: Connection, number: str, now_ms: int) -> list[Promise]:
    batch = PromiseBatch(connection)
    return batch.end_by_number(number, PromiseEvent.CANCELLED, now_ms, why=WHY)


def _steps(numbers: list[str]) -> Iterable[list[str]]:
    return (numbers[at : at + _STEP] for at in range(0, len(numbers), _STEP))
