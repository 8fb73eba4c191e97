"""What is known of an account's capacity now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.capacity.readings import share_of

if TYPE_CHECKING:
    from switchhook.capacity.forecast import Forecast


class CapacityNow(msgspec.Struct, frozen=True):
    """How an account stands. The figures are those of the last answer that could be read.

    `age_s` is how old they are; None, as the figures are, where there never was one. `problem` is
    what went wrong since, in a sentence; `unread` how many polls in a row told nothing.
    """

    account: str
    active: int | None
    allowed: int | None
    headroom: int | None
    age_s: float | None
    problem: str = ""
    forecast: Forecast | None = None
    unread: int = 0
    at_ms: int | None = None

    @property
    def share(self) -> float | None:
        """The share of the allowed streams that is in use."""
        return share_of(self.active, self.allowed)
