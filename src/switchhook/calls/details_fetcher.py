"""Fetching call details: 2, 5 and 15 minutes after a call's end, within the account's budget.

What is to be asked for waits in the ledger, so that a restart forgets nothing but the calls of the
last second.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from switchhook.calls.sources import (
    GIVE_UP_MS,
    DetailsAttempt,
    Due,
    KeptDetails,
    after_look,
    first_due,
)
from switchhook.errors import LedgerError
from switchhook.exotel.answers import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from switchhook.exotel.clock import Clock
    from switchhook.exotel.wire.calls import CallRecord

log = logging.getLogger("switchhook")

LOOK_EVERY_S = 1.0
REST_S = 30.0
FORGET_EVERY_MS = 600_000
_MOST_ENDED = 50_000
_BATCH = 20
_RUNNING = {"", "queued", "ringing", "in-progress"}


class StoredDetails(Protocol):
    """The answer to one question for a call's details."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def record(self) -> CallRecord | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def problem(self) -> str: ...


class DetailsApi(Protocol):
    """An account's API."""

    async def call_details(self, call_sid: str) -> StoredDetails:
        """Ask for a call's details; what went wrong is in the answer."""
        ...


class CallsBook(Protocol):
    """What waits and what is known; called in a thread. Raises LedgerError."""

    def want(self, wanted: Sequence[Due]) -> int: ...

    def due(self, account: str, now_ms: int, most: int) -> list[Due]: ...

    def looked(self, due: Due, again: Due | None, kept: KeptDetails | None) -> bool: ...

    def forget(self, accounts: Sequence[str], ended_before_ms: int) -> int: ...


class DetailsFetcher:
    """All accounts that allow it. `ended` belongs to any thread, the rest to the event loop."""

    def __init__(self, book: CallsBook, clock: Clock, chance: Callable[[], float]) -> None:
        self._book, self._clock, self._chance = book, clock, chance
        self._apis: dict[str, DetailsApi] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: deque[tuple[str, str, int]] = deque()
        self._taking: asyncio.Task[None] | None = None
        self._forgot_ms: int | None = None
        self._problems: dict[str, str] = {}
        self._observers: list[Callable[[str, CallRecord], object]] = []
        self.dropped = 0
        """Calls that had no room in the queue, or were given up after an hour."""

    async def use(self, apis: Mapping[str, DetailsApi]) -> None:
        """Fetch for these accounts from now on."""
        for name in list(self._tasks):
            if apis.get(name) is not self._apis[name]:
                await _end(self._tasks.pop(name))
        self._apis = dict(apis)
        for name, api in apis.items():
            if name not in self._tasks:
                self._tasks[name] = self._begin(self._fetch(name, api))
        if self._taking is None:
            self._taking = self._begin(self._take())

    async def stop(self) -> None:
        """End, and put what was told last into the queue."""
        for task in [*self._tasks.values(), *([self._taking] if self._taking else [])]:
            await _end(task)
        self._tasks.clear()
        await self._want()

    def ended(self, call_sid: str, account: str, at_ms: int) -> None:
        """Be told that a call, or a stream of it, ended at `at_ms`, Unix time."""
        if account not in self._apis:
            return
        if len(self._ended) >= _MOST_ENDED:
            self.dropped += 1
            return
        self._ended.append((call_sid, account, at_ms))

    def observe(self, observer: Callable[[str, CallRecord], object]) -> None:
        """Have somebody told what Exotel says of an account's call, once that is kept."""
        self._observers.append(observer)

    def complaints(self) -> list[str]:
        """What doesn't work, one sentence each."""
        return list(self._problems.values())

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._no_longer_working)
        return task

    def _no_longer_working(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        log.critical("fetching call details failed", exc_info=task.exception())
        self._problems["loop"] = "call details are no longer fetched: restart the console"

    # Into the queue.

    async def _take(self) -> None:
        while True:
            await self._want()
            await self._forget()
            await self._clock.sleep(LOOK_EVERY_S)

    async def _want(self) -> None:
        """Put what was told into the queue; what can't be kept now stays told."""
        batch = [self._ended[at] for at in range(len(self._ended))]
        if not batch:
            return
        now_ms = self._clock.wall_ms()
        wanted = [first_due(account, sid, at_ms, now_ms) for sid, account, at_ms in batch]
        try:
            some = [due for due in wanted if due is not None]
            # Not `+= await`: that would forget what others counted while it waits.
            no_room = await asyncio.to_thread(self._book.want, some)
            self.dropped += no_room
        except LedgerError as error:
            self._complain(error)
            return
        self._problems.pop("ledger", None)
        for _ in batch:
            self._ended.popleft()

    async def _forget(self) -> None:
        """Drop calls of accounts that are gone, or that nobody could be asked about in time."""
        now_ms = self._clock.mono_ms()
        if self._forgot_ms is not None and now_ms - self._forgot_ms < FORGET_EVERY_MS:
            return
        self._forgot_ms = now_ms
        before_ms = self._clock.wall_ms() - 2 * GIVE_UP_MS
        try:
            gone = await asyncio.to_thread(self._book.forget, list(self._apis), before_ms)
            self.dropped += gone
        except LedgerError as error:
            self._complain(error)

    # Out of it.

    async def _fetch(self, name: str, api: DetailsApi) -> None:
        while True:
            found: list[Due] = []
            rest_s = LOOK_EVERY_S
            try:
                now_ms = self._clock.wall_ms()
                found = await asyncio.to_thread(self._book.due, name, now_ms, _BATCH)
                for due in found:
                    await self._look(due, api)
            except LedgerError as error:
                self._complain(error)
                found, rest_s = [], REST_S  # what was asked could not be kept: don't ask it again
            if len(found) < _BATCH:
                await self._clock.sleep(rest_s)

    async def _look(self, due: Due, api: DetailsApi) -> None:
        record = None
        try:
            answer = await api.call_details(due.call_sid)
            look, body, problem = look_of(answer), answer.body, answer.problem
            record = answer.record
        except Exception as error:  # noqa: BLE001 - a bug in reading one answer must not end the
            # fetching of all others. The error's text may quote what was sent.
            look, body, problem = (
                DetailsAttempt.FAILED,
                b"",
                f"asking failed with {type(error).__name__}",
            )
        now_ms = self._clock.wall_ms()
        again = after_look(due, look, now_ms, self._chance())
        kept = None
        if look is not DetailsAttempt.FAILED:
            text = body.decode(errors="replace")
            kept = KeptDetails(due.account, due.call_sid, now_ms, text)
        waited = await asyncio.to_thread(self._book.looked, due, again, kept)
        if kept is not None and record is not None:
            for observer in self._observers:
                observer(due.account, record)
        # Who no longer waited was counted when it was forgotten.
        if kept is None and again is None and waited:
            self.dropped += 1
            log.warning("account %s: call details given up: %s", due.account, problem)

    def _complain(self, error: LedgerError) -> None:
        self._problems["ledger"] = f"call details can't be kept: {error}"


def look_of(answer: StoredDetails) -> DetailsAttempt:
    """What an answer means for when to look again."""
    record = answer.record
    if answer.outcome is not Outcome.READ or record is None:
        return DetailsAttempt.FAILED
    running = record.ended is None and record.status.lower() in _RUNNING
    return DetailsAttempt.RUNNING if running else DetailsAttempt.ENDED


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
