"""Capacity: streams in use and allowed, what is left, and when an account is asked next.

A reading is one answer of Exotel's, or why there was none: unknown is not zero. All times are in
ms, Unix time, except where a name says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.capacity.readings import share_of
from switchhook.exotel.answers import MOST_RETRY_AFTER_S, Outcome

if TYPE_CHECKING:
    from switchhook.exotel.answers import Polled


# What an attempt came to, and when to try again.


class Backoff(msgspec.Struct, frozen=True):
    """Seconds to wait after the first failure in a row, doubled by each further one, to `most`."""

    first_s: float
    most_s: float


BACKOFF: dict[Outcome, Backoff] = {
    Outcome.UNREADABLE: Backoff(10, 60),
    Outcome.LIMITED: Backoff(15, 300),
    Outcome.FAILING: Backoff(5, 120),
    Outcome.UNREACHABLE: Backoff(3, 60),
    Outcome.REFUSED: Backoff(30, 300),
}
"""How patient to be with what."""


class Pace(msgspec.Struct, frozen=True):
    """How often an account is asked: seconds when quiet, and when busier than `busy_share`."""

    quiet_s: float = 10
    busy_s: float = 3
    busy_share: float = 0.7


def next_poll_s(polled: Polled, pace: Pace, failures: int, chance: float) -> float:
    """Seconds until an account is asked again, counted from the end of the last attempt.

    `failures` is how many attempts failed in a row, this one included; `chance` from 0 to 1
    spreads retries over the upper half of the wait, so that many don't come at once.
    """
    backoff = BACKOFF.get(polled.outcome)
    if backoff is None:
        share = share_of(polled.active, polled.allowed)
        # Where no limit is known, nobody can say that it is quiet.
        busy = bool(polled.active) and (share is None or share > pace.busy_share)
        return pace.busy_s if busy else pace.quiet_s
    doubled = backoff.first_s * 2.0 ** min(max(failures, 1) - 1, 30)
    wait = min(doubled, backoff.most_s) * (0.5 + chance / 2)
    asked = min(polled.retry_after_s or 0.0, MOST_RETRY_AFTER_S)
    return max(wait, asked, pace.busy_s)
