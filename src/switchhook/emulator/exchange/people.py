"""The people on the phone: who is at a number, and whether they are in a call already."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.plan.plan import Caller

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_KNOWN = 100_000
_VOICEMAIL_S = 30.0
"""A voicemail records for no longer."""
_ENGAGED_S = 1.0
"""A busy tone comes soon."""


class People:
    """Those of a plan by their numbers, and those who called in; all numbers in E.164."""

    def __init__(self, planned: Iterable[Caller]) -> None:
        self._planned = {x.number: x for x in reversed(list(planned)) if x.number is not None}
        self._known: OrderedDict[str, Caller] = OrderedDict()
        self._calls: Counter[str] = Counter()
        self._calling_again: set[str] = set()

    def at(self, number: str) -> Caller:
        """Who is there: of the plan, else who called in from there, else one who picks up."""
        return self._planned.get(number) or self._known.get(number) or Caller()

    def called_in(self, number: str, caller: Caller) -> None:
        """Remember who called, so that the same person is met who is called back."""
        self._known[number] = caller
        self._known.move_to_end(number)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def will_call_again(self, number: str) -> None:
        """Somebody to whom nobody talked means to call again."""
        self._calling_again.add(number)

    def was_talked_to(self, number: str) -> None:
        """A bot or a person talked to somebody: they have no reason to call again."""
        self._calling_again.discard(number)

    def calls_again(self, number: str) -> bool:
        """Whether somebody who meant to call again still does, now."""
        still = number in self._calling_again
        self._calling_again.discard(number)
        return still

    def begins(self, number: str) -> None:
        """A call with somebody begins."""
        self._calls[number] += 1

    def ends(self, number: str) -> None:
        """It is over."""
        self._calls[number] -= 1
        if not self._calls[number]:
            del self._calls[number]

    def when_called(self, caller: Caller, number: str) -> Caller:
        """How somebody meets a call now: engaged if they are in one; a voicemail does nothing."""
        caller = msgspec.structs.replace(caller, number=number)
        if number in self._calls:
            return msgspec.structs.replace(caller, answers="busy", rings_s=_ENGAGED_S)
        if caller.answers == "voicemail":
            lasts_s = min(caller.patience_s, _VOICEMAIL_S)
            return msgspec.structs.replace(caller, does=(), patience_s=lasts_s)
        return caller
