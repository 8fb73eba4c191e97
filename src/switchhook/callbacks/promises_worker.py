"""What keeps promises: of each account the ones who prove, dial and follow, and of all, time.

    worker = PromisesWorker(ledger, leases, clock, chance)
    await worker.use([CallbackAccount("main", settings, api, request)])
    await worker.stop()

All of it runs on one event loop, and whatever touches the disk in threads. Nothing is remembered
that the ledger doesn't have, but which requests have left and are not answered yet.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.dialling_worker import DiallingWorker
from switchhook.callbacks.following_worker import FollowingWorker
from switchhook.callbacks.leases_keeper import HeldLeases
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import PromiseEvent, PromiseState
from switchhook.callbacks.proving_worker import ProvingWorker
from switchhook.callbacks.queue_ledger import PromiseQueue
from switchhook.callbacks.unknown import LISTED_AFTER_MS, rung_out_ms
from switchhook.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from switchhook.access.audit import Deed
    from switchhook.callbacks.account import CallbackAccount, StreamLeases
    from switchhook.callbacks.promise import Attempt
    from switchhook.exotel.clock import Clock
    from switchhook.ledger.database import Ledger

log = logging.getLogger("switchhook")

LOOK_S = 1.0
AGAIN_S = 5.0
"""How long to wait where the ledger failed: what is said of it lasts until then."""
ANSWERED_WITHIN_S = 5.0
"""How long a stop waits for requests that have left."""
SWEEP_MS = 5_000
_BATCH = 200


class _Halt(NamedTuple):
    """That an account, or all where None, dials nobody; by whom, and why."""

    account: str | None
    why: str
    deed: Deed


class _Running:
    """One account's workers, and the tasks that are their lives."""

    def __init__(
        self, dialling: DiallingWorker, following: FollowingWorker, proving: ProvingWorker
    ) -> None:
        self.account = dialling.account
        self.dialling, self.following, self.proving = dialling, following, proving
        self.tasks: list[asyncio.Task[None]] = []


class PromisesWorker:
    """All accounts. `wake`, `halt`, `complaints` belong to any thread, the rest to the event loop.

    `behind` says why what was received of late is not heard yet, and is empty where it is: nobody
    is dialled who may have been served meanwhile, and no call taken for none. It may be slow.
    `no_bot` says why whoever an account calls would find nobody there, `bot_is_back` whether its
    callers' streams have gone well since a time.
    """

    def __init__(
        self,
        ledger: Ledger,
        leases: StreamLeases,
        clock: Clock,
        chance: Callable[[], float],
        *,
        behind: Callable[[], str] = str,
        no_bot: Callable[[str], str] = lambda _account: "",
        bot_is_back: Callable[[str, int], bool] = lambda _account, _since_ms: False,
    ) -> None:
        self._promises, self._queue = LedgerPromises(ledger), PromiseQueue(ledger)
        self._dialling, self._leases = LedgerDialling(ledger), HeldLeases(leases)
        self._clock, self._chance, self._behind = clock, chance, behind
        self._no_bot, self._bot_is_back = no_bot, bot_is_back
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, _Running] = {}
        self._timing: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._swept_ms = 0
        self._halts: list[_Halt] = []
        self._crashed: dict[str, str] = {}
        self._problem = ""

    # Its life.

    async def use(self, accounts: Sequence[CallbackAccount]) -> None:
        """Go on with these accounts; one that is the same as before goes on undisturbed."""
        self._loop = asyncio.get_running_loop()
        if self._timing is None:
            self._timing = self._begin(self._time(), "the time of promises")
        wanted = {each.name: each for each in accounts}
        for name in list(self._running):
            if wanted.get(name) != self._running[name].account:
                await self._end(self._running.pop(name))
        for name, account in wanted.items():
            if name not in self._running:
                self._running[name] = self._run(account)

    async def stop(self) -> None:
        """End: nobody is dialled any more, and who was asked to be may still be answered."""
        for each in list(self._running.values()):
            await self._end(each)
        self._running.clear()
        if self._timing is not None:
            await _cancelled(self._timing)
            self._timing = None
        asking = list(self._asking.values())
        if asking:
            _, late = await asyncio.wait(asking, timeout=ANSWERED_WITHIN_S)
            # The next start finds them dialling, and takes them for unknown.
            for task in late:
                await _cancelled(task)

    def _run(self, account: CallbackAccount) -> _Running:
        dialling = DiallingWorker(
            account,
            self._promises,
            self._queue,
            self._dialling,
            self._leases,
            self._clock,
            self._asking,
            lambda: self._halted(account.name) or self._behind() or self._no_bot(account.name),
            self._bot_is_back,
        )
        following = FollowingWorker(
            account,
            self._promises,
            self._queue,
            self._leases,
            self._clock,
            self._chance,
            self._behind,
        )
        proving = ProvingWorker(
            account, self._promises, self._queue, self._clock, self._chance, dialling.wake
        )
        found = _Running(dialling, following, proving)
        found.tasks = [
            self._begin(dialling.dial(), f"dialling for account {account.name}"),
            self._begin(following.follow(), f"following callbacks of account {account.name}"),
            self._begin(proving.prove(), f"proving promises of account {account.name}"),
        ]
        return found

    async def _end(self, running: _Running) -> None:
        dial, *others = running.tasks
        await running.dialling.stop()
        for task in others:
            await _cancelled(task)
        # The step at hand is not cut off: what it claims, it asks for.
        await asyncio.gather(dial, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=what)
        task.add_done_callback(self._no_longer_working)
        return task

    def _no_longer_working(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        what = task.get_name()
        log.critical("%s failed", what, exc_info=task.exception())
        self._crashed[what] = f"{what} has failed: restart the console"

    # What others ask.

    def wake(self, account: str | None = None) -> None:
        """Look now: somebody is owed a call, or room or leave was given."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, account)

    def _wake(self, account: str | None) -> None:
        for name, running in self._running.items():
            if account in (None, name):
                running.dialling.wake()

    def followed(self, attempt: Attempt, event: PromiseEvent | None) -> None:
        """Hear what was told of an attempt, once it is kept; in any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._followed, attempt, event)

    def _followed(self, attempt: Attempt, event: PromiseEvent | None) -> None:
        """Its place is its call's from now on, or free."""
        if event is PromiseEvent.PLACED:
            self._leases.name(attempt.custom_field, attempt.call_sid)
        elif event is not None:
            self._leases.release(attempt.custom_field)
            self._wake(None)

    def complaints(self) -> list[str]:
        """What doesn't work, one sentence each."""
        workers = [
            problem
            for each in list(self._running.values())
            for problem in (each.dialling.problem, each.following.problem, each.proving.problem)
        ]
        return [each for each in (*self._crashed.values(), *workers, self._problem) if each]

    def waits(self) -> dict[str, str]:
        """Why nobody is dialled who is due, in words, of the accounts of which that is so."""
        found = {name: each.dialling.waits_for for name, each in self._running.items()}
        return {name: why for name, why in found.items() if why}

    def halt(self, account: str | None, why: str, deed: Deed) -> None:
        """Dial nobody any more of an account, or of all, where the ledger can't keep that yet.

        It is kept as soon as it can be; a restart before forgets it. Any thread.
        """
        self._halts = [*self._halts, _Halt(account, why, deed)]
        self.wake(account)

    def _halted(self, account: str) -> str:
        halts = (each for each in self._halts if each.account in (None, account))
        return next(
            (f"dialling is stopped: {each.why}, which is not kept yet" for each in halts), ""
        )

    async def _keep_halts(self) -> None:
        for each in self._halts:
            accounts = None if each.account is None else [each.account]
            now_ms = self._clock.wall_ms()
            await asyncio.to_thread(self._dialling.stop, accounts, each.why, each.deed, now_ms)
            self._halts = [halt for halt in self._halts if halt is not each]

    # Time.

    async def _time(self) -> None:
        """End what is over, and give back places of callbacks that are, for ever."""
        while True:
            rest_s = LOOK_S
            try:
                await self._keep_halts()
                if await self._expire():
                    rest_s = 0.0
                await self._give_back()
                self._problem = ""
            except LedgerError as error:
                self._problem = f"promises can't be ended as their time is over: {error}"
                rest_s = LOOK_S if self._halts else AGAIN_S
            await self._clock.sleep(rest_s)

    async def _expire(self) -> bool:
        now_ms = self._clock.wall_ms()
        over = await asyncio.to_thread(self._queue.over_due, now_ms, _BATCH)
        for promise in over:
            await asyncio.to_thread(
                self._promises.settle,
                promise.id,
                PromiseEvent.EXPIRED,
                now_ms,
                why="its time was over",
            )
        return len(over) >= _BATCH

    async def _give_back(self) -> None:
        """Give back places of callbacks that are over, whoever was told so.

        One that nobody knows of and that can't ring any more is over, or in the account's figures.
        """
        now_ms = self._clock.wall_ms()
        if not len(self._leases) or 0 <= now_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = now_ms
        known = set(self._asking)
        for promise, attempt in await asyncio.to_thread(self._queue.in_flight):
            account = self._running.get(promise.account)
            lost = (
                promise.state is PromiseState.UNKNOWN
                and account is not None
                and now_ms >= rung_out_ms(attempt, account.account.settings) + LISTED_AFTER_MS
            )
            if not lost:
                known.add(attempt.custom_field)
        self._leases.keep(known, now_ms)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
