"""Watching the accounts: a loop for each, which asks, remembers, and tells what it learnt.

A new figure goes to the answer process first (the facts file), then into the ledger. Nothing here
waits for a disk on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from switchhook.capacity.forecast import WINDOW_MS, Ended, Forecast, forecast
from switchhook.capacity.polling import Pace, next_poll_s
from switchhook.capacity.readings import Reading, headroom
from switchhook.capacity.status import CapacityNow
from switchhook.errors import LedgerError
from switchhook.exotel.answers import Outcome, Polled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from switchhook.exotel.clock import Clock

log = logging.getLogger("switchhook")

FORECAST_EVERY_MS = 15_000
TIDY_EVERY_MS = 600_000
MOST_AT_ONCE = 5_000
"""Rows of history that are deleted in one go."""
_MOST_WAITING = 5_000
_MOST_ENDED = 5_000
_MOST_READINGS = 4_000
_LEAST_WAIT_S = 0.1


class AccountApi(Protocol):
    """An account's API."""

    async def active_streams(self) -> Polled:
        """Ask for the streams in use; what went wrong is in the answer."""
        ...


class History(Protocol):
    """Where readings are kept; called in a thread. Raises LedgerError."""

    def add(self, readings: Sequence[Reading]) -> None: ...

    def recent(self, account: str, since_ms: int) -> list[Reading]: ...

    def tidy(self, now_ms: int, most: int) -> int: ...


class FactsPublisher(Protocol):
    """Where the answer process looks; called in a thread. Raises OSError."""

    def tell(self, readings: Iterable[Reading], now_ms: int, mono_ms: int) -> None: ...


class Watched(msgspec.Struct, frozen=True):
    """An account to watch: its name, its API, and how often to ask."""

    name: str
    api: AccountApi
    pace: Pace = Pace()


class _Standing:
    """What is known of one account."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.last: Reading | None = None  # the last that could be read
        self.problem = ""
        self.unread = 0
        self.readings: deque[Reading] = deque(maxlen=_MOST_READINGS)
        self.ended: deque[Ended] = deque(maxlen=_MOST_ENDED)
        self.forecast: Forecast | None = None
        self.forecast_at_ms = 0


class AccountWatch:
    """All accounts. `start` and `stop` belong to the event loop; `now` and `ended` to any thread.

    `chance` gives a number from 0 to 1 for the jitter of retries. `changed` is called on the event
    loop after each poll, with the account's name.
    """

    def __init__(
        self,
        history: History,
        facts: FactsPublisher,
        clock: Clock,
        chance: Callable[[], float],
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._history, self._facts, self._clock, self._chance = history, facts, clock, chance
        self._changed = changed
        self._standings: dict[str, _Standing] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, str] = {}
        self._waiting: deque[Reading] = deque(maxlen=_MOST_WAITING)
        self._unrecalled: deque[_Standing] = deque()
        self._something = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._tidied_ms = clock.mono_ms()
        # One thread each: a ledger that waits for its disk holds up no facts.
        self._facts_thread = ThreadPoolExecutor(1, thread_name_prefix="facts")
        self._ledger_thread = ThreadPoolExecutor(1, thread_name_prefix="capacity")

    async def use(self, accounts: Sequence[Watched]) -> None:
        """Watch these from now on; one that is the same as before goes on undisturbed."""
        if self._keeping is None:
            self._keeping = self._begin(self._keep())
        wanted = {each.name: each for each in accounts}
        for name in list(self._tasks):
            if wanted.get(name) != self._standings[name].watched:
                await self._drop(name)
        for name, watched in wanted.items():
            if name not in self._tasks:
                standing = _Standing(watched)
                self._standings = {**self._standings, name: standing}
                self._unrecalled.append(standing)
                self._tasks[name] = self._begin(self._follow(standing))
        self._standings = {name: self._standings[name] for name in wanted}
        self._something.set()

    async def stop(self) -> None:
        """End the loops, and keep what is not kept yet."""
        for name in list(self._tasks):
            await self._drop(name)
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._flush()
        await asyncio.to_thread(self._ledger_thread.shutdown)
        await asyncio.to_thread(self._facts_thread.shutdown)

    def now(self, now_ms: int) -> list[CapacityNow]:
        """How each account stands at a time, in the order of the configuration."""
        return [_now(standing, now_ms) for standing in self._standings.values()]

    def ended(self, account: str, at_ms: int, lasted_s: float) -> None:
        """Be told of a stream that ended, for the forecast."""
        standing = self._standings.get(account)
        if standing is not None:
            standing.ended.append(Ended(at_ms, lasted_s))

    def complaints(self) -> list[str]:
        """What doesn't work here, one sentence each; an account's own problems are in `now`."""
        return list(self._problems.values())

    async def _drop(self, name: str) -> None:
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._standings = {key: each for key, each in self._standings.items() if key != name}

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._no_longer_working)
        return task

    def _no_longer_working(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        log.critical("watching an account failed", exc_info=task.exception())
        self._problems["loop"] = "an account is no longer watched: restart the console"

    # The loop of one account.

    async def _follow(self, standing: _Standing) -> None:
        name, api, pace = standing.watched.name, standing.watched.api, standing.watched.pace
        while True:
            begun_ms = self._clock.mono_ms()
            polled = await _ask(api)
            read = polled.outcome is Outcome.READ
            if not read:
                begun_ms = self._clock.mono_ms()
            now_ms = self._clock.wall_ms()
            reading = Reading(name, now_ms, polled.active, polled.allowed, polled.problem)
            self._take(standing, reading, read=read)
            if read:
                await self._tell(now_ms)
            self._changed(name)
            await self._foretell(standing, now_ms)
            wait_s = next_poll_s(polled, pace, standing.unread, self._chance())
            spent_s = (self._clock.mono_ms() - begun_ms) / 1000
            await self._clock.sleep(max(_LEAST_WAIT_S, wait_s - spent_s))

    def _take(self, standing: _Standing, reading: Reading, *, read: bool) -> None:
        standing.readings.append(reading)
        self._waiting.append(reading)
        self._something.set()
        if read:
            if standing.unread:
                log.info("account %s can be read again", reading.account)
            standing.last, standing.problem, standing.unread = reading, "", 0
            return
        standing.unread += 1
        if reading.problem != standing.problem:
            log.warning("account %s: %s", reading.account, reading.problem)
        standing.problem = reading.problem

    async def _tell(self, now_ms: int) -> None:
        last = [each.last for each in self._standings.values() if each.last is not None]
        loop, mono_ms = asyncio.get_running_loop(), self._clock.mono_ms()
        try:
            await loop.run_in_executor(self._facts_thread, self._facts.tell, last, now_ms, mono_ms)
            self._problems.pop("facts", None)
        except OSError as error:
            why = (error.strerror or "error").lower()
            self._problems["facts"] = f"the facts for rules can't be written: {why}"

    async def _foretell(self, standing: _Standing, now_ms: int) -> None:
        mono_ms = self._clock.mono_ms()
        if standing.forecast_at_ms and mono_ms - standing.forecast_at_ms < FORECAST_EVERY_MS:
            return
        standing.forecast_at_ms = mono_ms
        readings, ended = tuple(standing.readings), tuple(standing.ended)
        loop = asyncio.get_running_loop()
        standing.forecast = await loop.run_in_executor(
            self._facts_thread, forecast, readings, now_ms, ended
        )

    # What is kept, in a task of its own: a ledger that waits for its disk holds up no poll.

    async def _keep(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while self._unrecalled:
                await self._load_history(self._unrecalled.popleft())
            await self._flush()

    async def _load_history(self, standing: _Standing) -> None:
        """Add what was known before a restart; its age tells how much it is worth."""
        since_ms = self._clock.wall_ms() - WINDOW_MS
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._ledger_thread, self._history.recent, standing.watched.name, since_ms
            )
        except LedgerError as error:
            self._problems["ledger"] = f"the history of capacity can't be read: {error}"
            return
        first = standing.readings[0].at_ms if standing.readings else self._clock.wall_ms()
        before = [each for each in found if each.at_ms < first]
        standing.readings.extendleft(reversed(before))
        if standing.last is None:
            standing.last = next((each for each in reversed(before) if _read(each)), None)

    async def _flush(self) -> None:
        batch = list(self._waiting)
        try:
            if batch:
                await self._on_ledger(self._history.add, batch)
            for each in batch:
                if self._waiting and self._waiting[0] is each:
                    self._waiting.popleft()
            if self._clock.mono_ms() - self._tidied_ms >= TIDY_EVERY_MS:
                self._tidied_ms = self._clock.mono_ms()
                await self._on_ledger(self._history.tidy, self._clock.wall_ms(), MOST_AT_ONCE)
            self._problems.pop("ledger", None)
        except LedgerError as error:
            self._problems["ledger"] = f"the history of capacity can't be kept: {error}"

    async def _on_ledger(self, work: Callable[..., object], *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._ledger_thread, lambda: work(*arguments))


async def _ask(api: AccountApi) -> Polled:
    try:
        return await api.active_streams()
    except Exception as error:  # noqa: BLE001 - a bug in reading one answer must not end the watch:
        # it is said and asked again. The error's text may quote what was sent.
        kind = type(error).__name__
        log.error("asking an account failed with %s", kind)  # noqa: TRY400
        return Polled(Outcome.UNREACHABLE, problem=f"asking failed with {kind}")


def _read(reading: Reading) -> bool:
    return reading.active is not None


def _now(standing: _Standing, now_ms: int) -> CapacityNow:
    last, forecast = standing.last, standing.forecast
    return CapacityNow(
        account=standing.watched.name,
        active=last.active if last else None,
        allowed=last.allowed if last else None,
        headroom=headroom(last.active, last.allowed) if last else None,
        age_s=max(0, now_ms - last.at_ms) / 1000 if last else None,
        problem=standing.problem,
        # What was foretold from a figure that is no longer true is worth nothing.
        forecast=None if forecast is None or standing.unread > 1 else forecast,
        unread=standing.unread,
        at_ms=last.at_ms if last else None,
    )
