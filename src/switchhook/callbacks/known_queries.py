"""Asks the ledger how each account's promises stand, for figures, alerts and the first line."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from switchhook.callbacks.dialling import Dialling
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.known import AccountPromises
from switchhook.callbacks.lateness import HORIZONS_MS, Room, late
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.promise import (
    ON_ITS_WAY,
    CallOutcome,
    PromiseEvent,
    PromiseState,
)
from switchhook.callbacks.refusals import RefusalCode
from switchhook.callbacks.rows_ledger import ATTEMPTS, PROMISES, REFUSALS
from switchhook.errors import LedgerError
from switchhook.exotel.times import HOUR_MS
from switchhook.metrics import Cached

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.callbacks.history import PromiseCounts
    from switchhook.callbacks.settings import CallbackSettings
    from switchhook.ledger.database import Ledger

log = logging.getLogger(__name__)

EVERY_MS = 5_000

_p, _a, _r = PROMISES.c, ATTEMPTS.c, REFUSALS.c


class _Hour(NamedTuple):
    """What an account's promises met within an hour.

    `mean_s` is how long its callbacks took a stream that were dialled in it and are over.
    """

    refuted: int = 0
    refused: int = 0
    abandoned: int = 0
    mean_s: float | None = None


class KnownPromises:
    """What is known, looked at anew every few seconds. Any thread.

    `settings` are those of the accounts that call back, by name; `headroom` says of one how many of
    its streams are free, None where nobody knows.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Callable[[], Mapping[str, CallbackSettings]],
        headroom: Callable[[str], int | None],
    ) -> None:
        self._ledger, self._settings, self._headroom = ledger, settings, headroom
        self._lists, self._dialling = PromiseLists(ledger), LedgerDialling(ledger)
        self._cached = Cached(EVERY_MS, self._read_or_last)
        self._last: tuple[AccountPromises, ...] = ()

    def now(self, now_ms: int) -> tuple[AccountPromises, ...]:
        """As it is; while the ledger can't be read, as it was, with its age."""
        return self._cached.get(now_ms)

    def _read_or_last(self, now_ms: int) -> tuple[AccountPromises, ...]:
        try:
            self._last = self.read(now_ms)
        except LedgerError as error:
            log.debug("how promises stand can't be read: %s", error)
        return self._last

    def read(self, now_ms: int) -> tuple[AccountPromises, ...]:
        """Of each account that calls back, or that has promises left, by name.

        Raises LedgerError.
        """
        settings, counts = self._settings(), self._lists.counts(now_ms)
        dialling = self._dialling.all()
        ahead = [now_ms + each for each in (HORIZONS_MS if counts.live else ())]
        ending = list(zip(ahead, self._lists.at_risk(*ahead), strict=True))
        names = settings.keys() | {each.account for each in counts.live}
        hour = self._of_an_hour(sorted(names), now_ms - HOUR_MS)
        return tuple(
            self._known(
                name,
                counts,
                dialling.get(name, Dialling(account=name)),
                settings.get(name),
                [(at_ms, count.get(name, 0)) for at_ms, count in ending],
                hour[name],
                now_ms,
            )
            for name in sorted(names)
        )

    def _known(
        self,
        name: str,
        counts: PromiseCounts,
        dialling: Dialling,
        settings: CallbackSettings | None,
        ending: Sequence[tuple[int, int]],
        hour: _Hour,
        now_ms: int,
    ) -> AccountPromises:
        live: Counter[PromiseState] = Counter()
        for each in counts.live:
            live[each.state] += each.count if each.account == name else 0
        ended: Counter[PromiseState | PromiseEvent] = Counter()
        for over in counts.ended:
            if over.account == name:
                ended[over.state] += over.count
                ended[over.event] += over.count
        on_the_way = sum(live[state] for state in ON_ITS_WAY)
        kept = ended[PromiseState.KEPT]
        return AccountPromises(
            account=name,
            at_ms=now_ms,
            dialling=dialling,
            waiting=live.total() - on_the_way,
            due=counts.due.get(name, 0),
            on_the_way=on_the_way,
            unknown=live[PromiseState.UNKNOWN],
            late=self._late(name, dialling, settings, ending, on_the_way, hour, now_ms),
            kept=kept,
            dropped=ended[PromiseState.DROPPED],
            broken=ended[PromiseState.BROKEN],
            owed=kept + ended[PromiseState.BROKEN] + ended[PromiseEvent.EXPIRED],
            in_time=kept,
            refused=hour.refused,
            refuted=hour.refuted,
            abandoned=hour.abandoned,
        )

    def _late(
        self,
        name: str,
        dialling: Dialling,
        settings: CallbackSettings | None,
        ending: Sequence[tuple[int, int]],
        on_the_way: int,
        hour: _Hour,
        now_ms: int,
    ) -> int:
        """How many will miss their time; those whose call is on its way are not among them."""
        waiting = [(at_ms, max(count - on_the_way, 0)) for at_ms, count in ending]
        if settings is None:  # nobody calls for it any more
            return max((count for _, count in waiting), default=0)
        free = self._headroom(name)
        # Callbacks that are on their way have streams that come free for the next.
        streams = None if free is None else max(free + on_the_way - settings.reserve, 0)
        from_ms = None
        if dialling.allowed:
            from_ms = max(dialling.held_until_ms or 0, now_ms)
        room = Room(streams=streams, mean_s=hour.mean_s, from_ms=from_ms)
        return late(waiting, room, settings, ZoneInfo(settings.zone), now_ms)

    def _of_an_hour(self, names: Sequence[str], since_ms: int) -> dict[str, _Hour]:
        dropped = _p.state == PromiseState.DROPPED.value
        by_details = _p.event == PromiseEvent.REFUTED.value
        with self._ledger.reading() as connection:
            refuted = _counted(connection, _p.account, _p.ended_ms >= since_ms, dropped, by_details)
            unowed = _r.code != RefusalCode.OPEN_ALREADY.value
            refused = _counted(connection, _r.account, _r.at_ms >= since_ms, unowed)
            return {
                name: _Hour(
                    refuted.get(name, 0),
                    refused.get(name, 0),
                    *_calls(connection, name, since_ms),
                )
                for name in names
            }


def _counted(
    connection: Connection, account: ColumnElement[str], *where: ColumnElement[bool]
) -> dict[str, int]:
    asked = select(account, func.count()).where(*where).group_by(account)
    return {row[0]: row[1] for row in connection.execute(asked)}


def _calls(connection: Connection, account: str, since_ms: int) -> tuple[int, float | None]:
    """How many answered callbacks nobody talked in, and the seconds that one takes on average."""
    since = (_a.account == account, _a.asked_ms >= since_ms)
    abandoned = select(func.count()).where(*since, _a.outcome == CallOutcome.NO_STREAM.value)
    length = select(func.avg(_a.done_ms - _a.asked_ms)).where(
        *since, _a.done_ms.is_not(None), _a.call_sid != ""
    )
    mean_ms = connection.scalar(length)
    mean_s = None if mean_ms is None else float(mean_ms) / 1000
    return connection.scalar(abandoned) or 0, mean_s
