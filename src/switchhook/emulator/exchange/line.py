"""A live account: its limit, and how much of it is in use."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from switchhook.emulator.plan.behaviour import Behaviour
    from switchhook.emulator.plan.plan import Account


WHITELISTED = timedelta(days=180)
"""How long whoever called in may be called (exotel-platform E.8)."""
_MOST_KNOWN = 100_000


class AccountLine:
    """A live account: its limit and how much of it is in use."""

    def __init__(self, sid: str, account: Account, behaviour: Behaviour) -> None:
        self.sid, self.account, self.behaviour = sid, account, behaviour
        self.allowed = account.streams
        self.active = 0
        self.most_active = 0
        self.foreign = 0
        """How many of the active ones are not of our calls."""
        self._called_in: OrderedDict[str, datetime] = OrderedDict()

    def called_by(self, number: str, now: datetime) -> None:
        """Somebody called one of its ExoPhones, and may be called for six months."""
        self._called_in[number] = now
        self._called_in.move_to_end(number)
        if len(self._called_in) > _MOST_KNOWN:
            self._called_in.popitem(last=False)

    def whitelisted_s(self, number: str, now: datetime) -> int:
        """For how many seconds a number may still be called because it called in; 0 if it isn't."""
        called = self._called_in.get(number)
        left = 0.0 if called is None else (called + WHITELISTED - now).total_seconds()
        return max(0, int(left))

    def take(self) -> bool:
        """Take a stream's slot, where one is free (at the dial attempt: exotel-platform G-35)."""
        if self.active >= self.allowed:
            return False
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        return True

    def free(self) -> None:
        """Give a slot back."""
        self.active -= 1
