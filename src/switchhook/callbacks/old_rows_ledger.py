"""What retention removes of promises: those that are over, and who was promised none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, func, or_, select

from switchhook.callbacks.promise import ON_ITS_WAY
from switchhook.callbacks.rows_ledger import PROMISES, REFUSALS

if TYPE_CHECKING:
    from switchhook.ledger.database import Ledger

_p = PROMISES.c
_on_its_way = _p.state.in_(sorted(each.value for each in ON_ITS_WAY))


class PromiseRows:
    """Promises, as retention sees them: each with its attempts and steps, by when it was over.

    One that nobody ended, as of an account that calls nobody back any more, was over when its time
    was; one that a call is on its way for is not over. The do-not-call list and the totals stay.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def oldest_ms(self) -> int | None:
        waiting = and_(_p.ended_ms.is_(None), ~_on_its_way)
        asked = (
            select(func.min(_p.ended_ms)).where(_p.ended_ms.is_not(None)),
            select(func.min(_p.until_ms)).where(waiting),
            select(func.min(REFUSALS.c.at_ms)),
        )
        with self._ledger.reading() as connection:
            found = [connection.scalar(each) for each in asked]
        return min((each for each in found if each is not None), default=None)

    def remove(self, before_ms: int, most: int) -> int:
        late = and_(_p.ended_ms.is_(None), _p.until_ms < before_ms, ~_on_its_way)
        over = select(_p.id).where(or_(_p.ended_ms < before_ms, late)).limit(most)
        old = select(REFUSALS.c.id).where(REFUSALS.c.at_ms < before_ms).limit(most)
        with self._ledger.writing() as connection:
            gone = connection.execute(delete(PROMISES).where(_p.id.in_(over))).rowcount
            gone += connection.execute(delete(REFUSALS).where(REFUSALS.c.id.in_(old))).rowcount
            return gone
