"""Asking Exotel whether it would call a number, once an hour: a promise may wait long for a place.

checked = await CallableNumbers(api, clock).ask(number)
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.callbacks.may_be_called import why_not_called
from switchhook.exotel.answers import Outcome
from switchhook.exotel.times import HOUR_MS

if TYPE_CHECKING:
    from switchhook.exotel.answers import NumberTold, Whitelisted
    from switchhook.exotel.clock import Clock

GOOD_FOR_MS = HOUR_MS
_MOST_KNOWN = 10_000


class NumbersApi(Protocol):
    """What an account's API knows of numbers."""

    async def whitelist(self, number: str) -> Whitelisted: ...

    async def number_metadata(self, number: str) -> NumberTold: ...


class CheckedNumber(msgspec.Struct, frozen=True):
    """Why a number is not called, empty where it may be; `problem` is why nobody can tell."""

    why: str = ""
    problem: str = ""
    retry_after_s: float | None = None


class CallableNumbers:
    """Those that Exotel would call, as it said within the hour; used on one event loop."""

    def __init__(self, api: NumbersApi, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._until_ms: OrderedDict[str, int] = OrderedDict()

    async def ask(self, number: str) -> CheckedNumber:
        """Whether a number in E.164 may be called; what was said of it lately counts."""
        now_ms = self._clock.wall_ms()
        if 0 < self._until_ms.get(number, 0) - now_ms <= GOOD_FOR_MS:
            return CheckedNumber()
        listed = await self._api.whitelist(number)
        if listed.outcome is not Outcome.READ or listed.entry is None:
            return CheckedNumber(problem=listed.problem, retry_after_s=listed.retry_after_s)
        why = why_not_called(listed.entry, None)
        if why is None:
            told = await self._api.number_metadata(number)
            if told.outcome is not Outcome.READ or told.metadata is None:
                return CheckedNumber(problem=told.problem, retry_after_s=told.retry_after_s)
            why = why_not_called(listed.entry, told.metadata) or ""
        if why:
            return CheckedNumber(why)
        left_ms = GOOD_FOR_MS
        if listed.entry.expires_s is not None:
            left_ms = min(left_ms, listed.entry.expires_s * 1000)
        self._remember(number, now_ms + left_ms)
        return CheckedNumber()

    def _remember(self, number: str, until_ms: int) -> None:
        self._until_ms[number] = until_ms
        self._until_ms.move_to_end(number)
        if len(self._until_ms) > _MOST_KNOWN:
            self._until_ms.popitem(last=False)
