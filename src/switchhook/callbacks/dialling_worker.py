"""Dialling for one account: whose turn it is, a place, a turn at the API, the claim, the request.

In this order, and a `kill -9` between any two of these steps leaves one of three things: a promise
that is still open; one that is *dialling*, whose request may or may not have left, and which is
*unknown* at the next start; or one whose answer was kept. Between the claim, which is refused once
dialling was stopped, and the request nothing waits.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from switchhook.access.audit import Deed
from switchhook.callbacks.abandoned import BACK_MS, LOOKED_AT_MS, abandoned
from switchhook.callbacks.answers import FIRST_PAUSE_S, Pauses, Refusals, after_answer
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.claims import Claimed, Wait
from switchhook.callbacks.number_fetcher import CallableNumbers
from switchhook.callbacks.policy import decide, may_be_exhausted, used_up
from switchhook.callbacks.promise import AttemptState, PromiseEvent, PromiseState, custom_field_of
from switchhook.callbacks.turns import Turns
from switchhook.callbacks.unknown import first_look_ms
from switchhook.errors import LedgerError
from switchhook.exotel.connect_answer import ConnectAnswer, ConnectOutcome
from switchhook.exotel.times import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.callbacks.abandoned import Abandoned
    from switchhook.callbacks.account import CallbackAccount, StreamLeases
    from switchhook.callbacks.claims import End, NotClaimed, Situation
    from switchhook.callbacks.dialling_ledger import LedgerDialling
    from switchhook.callbacks.ledger import LedgerPromises
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.queue_ledger import PromiseQueue
    from switchhook.exotel.clock import Clock

log = logging.getLogger("switchhook")

LOOK_S = 1.0
REST_S = 30.0
BATCH = 50
"""Promises of each class that are looked at in one go."""
MOST_ASKED = 10
"""Requests of an account at once: most are answered within a second, few within half a minute."""
_LONGEST_TURN_S = 1.5
"""How long a place is kept for one who waits for the API's turn."""
OURS = "switchhook"
"""Who does what nobody did."""
CUT_OFF = "Switchhook was stopped while Exotel was asked"


class DiallingWorker:
    """One account, on one event loop. `dial` is its life; `stop` ends it after the step at hand.

    `asking` has the CustomFields of requests of this process that are not settled yet, of all
    accounts; `behind` says why nobody is to be dialled, and may be slow;
    `bot_is_back` is as in PromisesWorker.
    """

    def __init__(
        self,
        account: CallbackAccount,
        promises: LedgerPromises,
        queue: PromiseQueue,
        dialling: LedgerDialling,
        leases: StreamLeases,
        clock: Clock,
        asking: dict[str, asyncio.Task[None]],
        behind: Callable[[], str],
        bot_is_back: Callable[[str, int], bool],
    ) -> None:
        self.account, self._promises, self._queue = account, promises, queue
        self._dialling, self._leases = dialling, leases
        self._clock, self._asking, self._behind = clock, asking, behind
        self._bot_is_back = bot_is_back
        self._turns, self._refusals, self._pauses = Turns(), Refusals(), Pauses()
        self._numbers = CallableNumbers(account.api, clock)
        self._wake = asyncio.Event()
        self._ending = False
        self._mine = 0
        self.problem = ""
        self.waits_for = ""
        """Why nobody is dialled who is due, in words; empty where nobody waits."""

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    async def stop(self) -> None:
        """Begin no more; requests that have left go on."""
        self._ending = True
        self._wake.set()

    async def dial(self) -> None:
        """Recover what a stop cut off, then dial whoever is due, until it is stopped."""
        recovered = False
        while not self._ending:
            try:
                if not recovered:
                    await self._recover()
                    recovered = True
                rest_s = await self._round()
                self.problem = ""
            except LedgerError as error:
                self.problem = f"account {self.account.name} can't call back: {error}"
                rest_s = REST_S
            await self._rest(rest_s)

    async def _rest(self, seconds: float) -> None:
        if seconds <= 0 or self._ending:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    # After a start.

    async def _recover(self) -> None:
        """What was being asked when a process ended: nobody knows whether Exotel calls."""
        found = await asyncio.to_thread(self._queue.in_flight, self.account.name)
        for promise, attempt in found:
            if attempt.custom_field in self._asking:
                continue
            self._leases.hold(promise.account, attempt.custom_field, promise.class_)
            if attempt.call_sid:
                self._leases.name(attempt.custom_field, attempt.call_sid)
            if promise.state is PromiseState.DIALLING:
                await self._settle_unknown(promise, attempt)
            elif attempt.look_ms is None:
                change = AttemptChange(look_ms=self._clock.wall_ms())
                await asyncio.to_thread(self._promises.note, promise.id, attempt.number, change)

    async def _settle_unknown(self, promise: Promise, attempt: Attempt) -> None:
        change = AttemptChange(
            state=AttemptState.UNKNOWN, look_ms=first_look_ms(attempt), problem=CUT_OFF
        )
        await asyncio.to_thread(
            self._promises.settle,
            promise.id,
            PromiseEvent.AMBIGUOUS,
            self._clock.wall_ms(),
            why=CUT_OFF,
            attempt=attempt.number,
            change=change,
        )

    # Who is due.

    async def _round(self) -> float:
        """Dial those that are due while there is room; how long to rest."""
        now_ms, name = self._clock.wall_ms(), self.account.name
        switch = await asyncio.to_thread(self._dialling.of, name)
        stopped = switch.why_not(now_ms) or self._pauses.why(now_ms)
        if stopped:
            self.waits_for = stopped
            return LOOK_S
        waiting = await asyncio.to_thread(self._queue.due, name, now_ms, BATCH)
        if not waiting:
            self.waits_for = ""
            return LOOK_S
        price = self.account.settings.price
        hour = await asyncio.to_thread(self._queue.spent, name, now_ms - HOUR_MS, price)
        unheard = await asyncio.to_thread(self._behind)
        nobody = await self._nobody_there(now_ms)
        why = "" if nobody is None else nobody.why
        self.waits_for = unheard or used_up(hour, self.account.settings) or why
        if self.waits_for:
            return LOOK_S
        weights = self.account.settings.classes
        called = 0
        for promise in self._turns.order(waiting, weights):
            if self._mine < MOST_ASKED and await self._dial(promise):
                called += 1
            else:
                self._turns.give_back(promise.class_, weights)
            if self._mine >= MOST_ASKED:
                self.waits_for = f"{self._mine} requests for a call wait for Exotel's answer"
            waits = self.waits_for or self._pauses.why(self._clock.wall_ms())
            one_alone = called and nobody is not None
            if self._ending or waits or one_alone:
                return LOOK_S
        return 0.0 if called and len(waiting) >= BATCH else LOOK_S

    async def _nobody_there(self, now_ms: int) -> Abandoned | None:
        name, since_ms = self.account.name, now_ms - LOOKED_AT_MS
        calls = await asyncio.to_thread(self._queue.calls_of_late, name, since_ms)
        found = abandoned(calls, self.account.settings.ring_s, now_ms)
        back = found is not None and self._bot_is_back(name, found.last_ms + BACK_MS)
        return None if back else found

    # One of them.

    async def _dial(self, promise: Promise) -> bool:
        """Dial one if all allow it; whether it was. `waits_for` says what holds up the others."""
        number = promise.attempts + 1
        if may_be_exhausted(promise, self.account.settings) and await self._is_over(promise):
            return False
        lease = custom_field_of(promise.token, number)
        settings = self.account.settings
        why = self._leases.take(self.account.name, lease, promise.class_, settings.reserve)
        if why:
            self.waits_for = why
            return False
        claimed = None
        try:
            if await self._may_be_called(promise) and await self._take_turn():
                claimed = await self._claim(promise, number)
        finally:
            if claimed is None:
                self._leases.release(lease)
        if claimed is None:
            return False
        self._ask(claimed)
        return True

    async def _is_over(self, promise: Promise) -> bool:
        """End a promise without attempts, for which no place is needed; whether it is not due."""
        settings, now_ms = self.account.settings, self._clock.wall_ms()

        def unless_it_waits(situation: Situation) -> Wait | End:
            found = decide(situation, settings, now_ms)
            return Wait("it is looked at for the last time", now_ms) if found is None else found

        found = await asyncio.to_thread(
            self._promises.claim,
            promise.id,
            promise.attempts + 1,
            settings.exophone,
            now_ms,
            unless_it_waits,
            price=settings.price,
        )
        after = None if isinstance(found, Claimed) else found.promise
        return after is None or after.state is not PromiseState.OPEN or after.due_ms > now_ms

    async def _may_be_called(self, promise: Promise) -> bool:
        """Ask Exotel whether it would call them, where that is configured."""
        if not self.account.settings.check_whitelist:
            return True
        found = await self._numbers.ask(promise.number)
        if found.problem:
            self.waits_for = f"Exotel's whitelist can't be asked: {found.problem}"
            pause_s = max(FIRST_PAUSE_S, found.retry_after_s or 0.0)
            self._pauses.pause(self._clock.wall_ms(), pause_s)
        elif found.why:
            now_ms, event = self._clock.wall_ms(), PromiseEvent.CANCELLED
            await asyncio.to_thread(self._promises.settle, promise.id, event, now_ms, why=found.why)
        return not (found.problem or found.why)

    async def _take_turn(self) -> bool:
        """Take a turn at the API, now or soon."""
        try:
            async with asyncio.timeout(_LONGEST_TURN_S):
                await self.account.api.turn()
        except TimeoutError:
            self.waits_for = "Exotel's API has been asked as often as it may be"
            return False
        return True

    async def _claim(self, promise: Promise, number: int) -> Claimed | None:
        settings, now_ms = self.account.settings, self._clock.wall_ms()

        def allowed(situation: Situation) -> Wait | End | None:
            return decide(situation, settings, now_ms)

        found: Claimed | NotClaimed | None = None
        try:
            found = await asyncio.to_thread(
                self._promises.claim,
                promise.id,
                number,
                settings.exophone,
                now_ms,
                allowed,
                price=settings.price,
            )
        except LedgerError:
            await self._unclaim(promise, number)
            raise
        finally:
            if not isinstance(found, Claimed):
                self.account.api.give_back_turn()
        return found if isinstance(found, Claimed) else None

    async def _unclaim(self, promise: Promise, number: int) -> None:
        """Open again what an error left claimed, maybe: no request has left for it.

        Where that can't be kept either, the next start takes it for unknown.
        """
        try:
            await asyncio.to_thread(
                self._promises.settle,
                promise.id,
                PromiseEvent.POSTPONED,
                self._clock.wall_ms(),
                attempt=number,
                change=AttemptChange(state=AttemptState.NOT_PLACED),
            )
        except LedgerError:
            log.warning("account %s: a claim could not be taken back", self.account.name)

    # The request.

    def _ask(self, claimed: Claimed) -> None:
        name = claimed.attempt.custom_field
        task = asyncio.create_task(self._connect(claimed))
        self._asking[name] = task
        self._mine += 1
        task.add_done_callback(lambda _: self._asked(name))

    def _asked(self, name: str) -> None:
        task = self._asking.pop(name)
        self._mine -= 1
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.critical("asking Exotel for a call failed", exc_info=task.exception())

    async def _connect(self, claimed: Claimed) -> None:
        promise, attempt = claimed.promise, claimed.attempt
        request = self.account.request(promise.number, attempt.custom_field)
        try:
            answer = await self.account.api.connect(request)
        except Exception as error:
            log.exception("asking Exotel for a call failed")
            problem = f"asking failed with {type(error).__name__}"
            answer = ConnectAnswer(ConnectOutcome.AMBIGUOUS, problem=problem)
        await self._take_answer(promise, attempt, answer)

    async def _take_answer(self, promise: Promise, attempt: Attempt, answer: ConnectAnswer) -> None:
        now_ms, settings = self._clock.wall_ms(), self.account.settings
        self._pauses.after(answer, attempt.asked_ms, now_ms)
        stop = self._refusals.after(answer, promise.number)
        followed = after_answer(
            attempt, answer, settings, now_ms, max(now_ms, self._pauses.until_ms)
        )
        if answer.outcome is ConnectOutcome.PLACED:
            self._leases.name(attempt.custom_field, answer.call_sid)
        elif answer.outcome is not ConnectOutcome.AMBIGUOUS:
            self._leases.release(attempt.custom_field)
        while True:
            try:
                if stop:  # before the promise is open again
                    await self._stop(stop, now_ms)
                await asyncio.to_thread(
                    self._promises.settle,
                    promise.id,
                    followed.event,
                    now_ms,
                    why=followed.why,
                    due_ms=followed.due_ms,
                    attempt=attempt.number,
                    change=followed.change,
                )
            except LedgerError as error:
                self.problem = f"account {self.account.name} can't keep whom it called: {error}"
                await self._clock.sleep(REST_S)
            else:
                return

    async def _stop(self, why: str, now_ms: int) -> None:
        name = self.account.name
        log.error("account %s dials nobody any more: %s", name, why)
        deed = Deed(who=OURS, what="stopped dialling", subject=name, details={"why": why})
        await asyncio.to_thread(self._dialling.stop, [name], why, deed, now_ms)
