"""Following callbacks that are on their way, for one account: what nobody told of is asked for.

While nobody knows whether Exotel calls, its lists are looked at (unknown.py); of a call that was
placed, its details, once it can't ring any more (outcome.py). What StatusCallbacks and passthrus
tell comes before, and then nothing is asked.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.call_told import told_of_details
from switchhook.callbacks.connect_request import callback_filter
from switchhook.callbacks.outcome import (
    MOST_LOOK_MS,
    Followed,
    after_told,
    next_look_ms,
    not_told,
)
from switchhook.callbacks.promise import AttemptState, PromiseEvent
from switchhook.callbacks.unknown import APART_MS, Found, LookAgain, NotPlaced, after_list
from switchhook.errors import LedgerError
from switchhook.exotel.answers import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from switchhook.callbacks.account import CallbackAccount, StreamLeases
    from switchhook.callbacks.ledger import LedgerPromises
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.queue_ledger import PromiseQueue
    from switchhook.exotel.clock import Clock

    Look = Callable[[Promise, Attempt], Awaitable[None]]

log = logging.getLogger("switchhook")

LOOK_S = 1.0
REST_S = 30.0
MANY = 3
"""Lists in a row that can't be had, of which people are told."""
_BATCH = 20
_BEFORE_MS = 3_600_000


class FollowingWorker:
    """One account, on one event loop; `follow` is its life, and is cancelled to end it.

    `behind` is as in PromisesWorker.
    """

    def __init__(
        self,
        account: CallbackAccount,
        promises: LedgerPromises,
        queue: PromiseQueue,
        leases: StreamLeases,
        clock: Clock,
        chance: Callable[[], float],
        behind: Callable[[], str],
    ) -> None:
        self.account, self._promises, self._queue = account, promises, queue
        self._leases = leases
        self._clock, self._chance, self._behind = clock, chance, behind
        self._unlisted = 0
        self._said = self._unkept = ""

    async def follow(self) -> None:
        """Look at whatever is due, for ever."""
        while True:
            rest_s = LOOK_S
            try:
                if await self._round():
                    rest_s = 0.0
                self._unkept = ""
            except LedgerError as error:
                name = self.account.name
                self._unkept = f"what became of account {name}'s callbacks can't be kept: {error}"
                rest_s = REST_S
            await self._clock.sleep(rest_s)

    @property
    def problem(self) -> str:
        """What doesn't work, in words."""
        return self._unkept or self._said

    async def _round(self) -> bool:
        """Look once; whether there may be more."""
        now_ms, name = self._clock.wall_ms(), self.account.name
        unknown = await asyncio.to_thread(self._queue.unknown_due, name, now_ms, _BATCH)
        for promise, attempt in unknown:
            await self._guarded(self._look_at_list, promise, attempt)
        ringing = await asyncio.to_thread(self._queue.ringing_due, name, now_ms, _BATCH)
        for promise, attempt in ringing:
            await self._guarded(self._look_at_details, promise, attempt)
        return len(unknown) >= _BATCH or len(ringing) >= _BATCH

    async def _guarded(self, look: Look, promise: Promise, attempt: Attempt) -> None:
        """Look at one; what makes one fail holds up no other, and is looked at again much later."""
        try:
            await look(promise, attempt)
        except LedgerError:
            raise
        except Exception as error:
            log.exception("promise %d can't be followed", promise.id)
            look_ms = self._clock.wall_ms() + MOST_LOOK_MS
            problem = f"looking failed with {type(error).__name__}"
            change = AttemptChange(look_ms=look_ms, problem=problem)
            await self._keep(promise, attempt, Followed(change=change))

    # Nobody knows whether Exotel calls.

    async def _look_at_list(self, promise: Promise, attempt: Attempt) -> None:
        settings, asked_ms = self.account.settings, self._clock.wall_ms()
        wanted = callback_filter(attempt.exophone, promise.number, attempt.asked_ms, asked_ms)
        listed = await self.account.api.list_calls(wanted)
        whole = listed.outcome is Outcome.READ and not listed.more
        rows = listed.records if whole else None
        self._unlisted = 0 if whole else self._unlisted + 1
        if self._unlisted >= MANY:
            said = listed.problem or "they have more calls than one page"
            self._said = f"account {self.account.name}: lists of calls can't be had: {said}"
        elif whole:
            self._said = ""
        others = await self._others(promise, attempt)
        unheard = await asyncio.to_thread(self._behind)
        # As of when the list was asked for: what was placed while it was read is not in it.
        after = after_list(
            promise, attempt, rows, others.__contains__, settings, asked_ms, self.account.country
        )
        match after:
            case Found(call_sid=sid):
                await self._found(promise, attempt, sid)
            case LookAgain(lists=lists, look_ms=look_ms):
                later_ms = max(look_ms, self._clock.wall_ms() + 1)
                change = AttemptChange(lists=lists, look_ms=later_ms, problem=listed.problem)
                await self._keep(promise, attempt, Followed(change=change))
            case NotPlaced() if unheard:
                change = AttemptChange(look_ms=asked_ms + APART_MS, problem=unheard)
                await self._keep(promise, attempt, Followed(change=change))
            case NotPlaced():
                await self._not_placed(promise, attempt, after)

    async def _others(self, promise: Promise, attempt: Attempt) -> set[str]:
        """The calls to the number that are known to be another attempt's."""
        since_ms = attempt.asked_ms - _BEFORE_MS
        calls = await asyncio.to_thread(self._queue.calls_of_number, promise.number, since_ms)
        return {
            each.call_sid
            for each in calls
            if each.call_sid and (each.promise, each.number) != (promise.id, attempt.number)
        }

    async def _found(self, promise: Promise, attempt: Attempt, sid: str) -> None:
        """The list has it; how it went its details tell, which are asked for next."""
        self._leases.name(attempt.custom_field, sid)
        change = AttemptChange(
            state=AttemptState.PLACED, call_sid=sid, look_ms=self._clock.wall_ms()
        )
        why = "the list of calls has it"
        followed = Followed(change=change, event=PromiseEvent.PLACED, why=why)
        await self._keep(promise, attempt, followed)

    async def _not_placed(self, promise: Promise, attempt: Attempt, after: NotPlaced) -> None:
        now_ms = self._clock.wall_ms()
        change = AttemptChange(state=AttemptState.NOT_PLACED, lists=after.lists, done_ms=now_ms)
        looked = f"{after.lists} lists of calls don't have it"
        if after.final:
            why = f"twice nobody could tell whether Exotel called: {looked}"
            followed = Followed(change=change, event=PromiseEvent.GIVEN_UP, why=why)
        else:
            followed = Followed(
                change=change, event=PromiseEvent.NOT_PLACED, due_ms=now_ms, why=looked
            )
        await self._keep(promise, attempt, followed)

    # Exotel calls.

    async def _look_at_details(self, promise: Promise, attempt: Attempt) -> None:
        found = await self.account.api.call_details(attempt.call_sid)
        settings, now_ms = self.account.settings, self._clock.wall_ms()
        if found.outcome is not Outcome.READ or found.record is None:
            followed = not_told(attempt, settings, now_ms, found.problem)
        else:
            told = told_of_details(found.record, now_ms, self.account.country)
            followed = after_told(promise, attempt, told, settings, now_ms, self._chance())
            if told.over:  # its stream is, however it went
                self._leases.release(attempt.custom_field)
            if followed.event is None and told.over:
                lost = not_told(attempt, settings, now_ms, "its details don't tell how it went")
                followed = followed if lost.event is None else lost
        if followed.event is None:
            look_ms = next_look_ms(attempt, now_ms)
            change = msgspec.structs.replace(followed.change, look_ms=look_ms)
            followed = Followed(change=change)
        await self._keep(promise, attempt, followed)

    async def _keep(self, promise: Promise, attempt: Attempt, followed: Followed) -> None:
        if followed.event is None:
            await asyncio.to_thread(
                self._promises.note, promise.id, attempt.number, followed.change
            )
            return
        await asyncio.to_thread(
            self._promises.settle,
            promise.id,
            followed.event,
            self._clock.wall_ms(),
            why=followed.why,
            due_ms=followed.due_ms,
            attempt=attempt.number,
            change=followed.change,
        )
        if followed.event is not PromiseEvent.PLACED:
            self._leases.release(attempt.custom_field)
