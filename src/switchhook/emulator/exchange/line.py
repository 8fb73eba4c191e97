"""A live account: its limit, and how much of it is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchhook.emulator.plan.behaviour import Behaviour
    from switchhook.emulator.plan.plan import Account


class AccountLine:
    """A live account: its limit and how much of it is in use."""

    def __init__(self, sid: str, account: Account, behaviour: Behaviour) -> None:
        self.sid, self.account, self.behaviour = sid, account, behaviour
        self.allowed = account.streams
        self.active = 0
        self.most_active = 0
        self.foreign = 0
        """How many of the active ones are not of our calls."""

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
