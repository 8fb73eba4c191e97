"""Capacity: streams in use and allowed, what is left, and when an account is asked next.

A reading is one answer of Exotel's, or why there was none: unknown is not zero. All times are in
ms, Unix time, except where a name says otherwise.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.capacity.forecast import Forecast


class Reading(msgspec.Struct, frozen=True):
    """What an account said at `at_ms`.

    `active` is None where it could not be learnt, and `problem` says why; `allowed` is None where
    the answer doesn't say.
    """

    account: str
    at_ms: int
    active: int | None
    allowed: int | None = None
    problem: str = ""


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


class Span(msgspec.Struct, frozen=True):
    """The readings of a stretch of `width_ms` that begins at `at_ms`; a width of 0 is one reading.

    `lowest`, `mean` and `highest` are of streams in use, None where nothing could be read;
    `unread` is how many polls told nothing, `readings` how many told something.
    """

    at_ms: int
    width_ms: int
    lowest: int | None
    mean: float | None
    highest: int | None
    allowed: int | None
    readings: int
    unread: int = 0
    problem: str = ""


class CapacityHistory(Protocol):
    """What was read, kept by the ledger; any thread may call it. Raises LedgerError."""

    def add(self, readings: Sequence[Reading]) -> None:
        """Keep readings."""
        ...

    def history(self, account: str, since_ms: int, until_ms: int) -> list[Span]:
        """What was read in a stretch, oldest first, as fine as it is kept and fits a page."""
        ...

    def recent(self, account: str, since_ms: int) -> list[Reading]:
        """The readings themselves since a time, oldest first, as long as they are kept."""
        ...


def headroom(active: int | None, allowed: int | None) -> int | None:
    """Streams left; none are left beyond the limit, and nothing is known where either isn't."""
    return None if active is None or allowed is None else max(0, allowed - active)


def share_of(active: int | None, allowed: int | None) -> float | None:
    """The share in use; None where it isn't known. An account that may have none has it full."""
    if active is None or allowed is None:
        return None
    return active / allowed if allowed else 1.0


# What an attempt came to, and when to try again.


class Outcome(StrEnum):
    """What became of one question to Exotel's API."""

    READ = "read"
    """A figure."""
    UNREADABLE = "unreadable"
    """An answer without a figure."""
    LIMITED = "limited"
    """429: too many questions."""
    FAILING = "failing"
    """5xx."""
    UNREACHABLE = "unreachable"
    """No answer: no connection, or not in time."""
    REFUSED = "refused"
    """Another 4xx, or a redirect: asking again mends nothing until somebody does."""


class Polled(msgspec.Struct, frozen=True):
    """The answer to one poll. `retry_after_s` is how long Exotel asked to be left alone."""

    outcome: Outcome
    active: int | None = None
    allowed: int | None = None
    problem: str = ""
    retry_after_s: float | None = None


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

MOST_RETRY_AFTER_S = 600.0
"""The longest that an answer can silence us."""


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


class Bucket(msgspec.Struct, frozen=True):
    """The questions that an account may be asked: `per_minute` in any minute, a few at once.

    A sixth of them may come at once, the rest drips in, so no minute sees more than all of them.
    `held_ms` is until when nobody may ask. Its times are of a clock that never goes back.
    """

    per_minute: int
    tokens: float
    at_ms: int
    held_ms: int = 0

    @property
    def most(self) -> float:
        """How many may come at once."""
        return max(1.0, self.per_minute / 6)

    @property
    def per_ms(self) -> float:
        """How fast it fills."""
        return max(self.per_minute - self.most, self.per_minute / 6) / 60_000


def full_bucket(per_minute: int, now_ms: int) -> Bucket:
    """A bucket that nobody has taken from."""
    bucket = Bucket(per_minute, 0, now_ms)
    return msgspec.structs.replace(bucket, tokens=bucket.most)


def take(bucket: Bucket, now_ms: int, *, reserve: float = 0) -> tuple[Bucket, int]:
    """Take one question: the bucket after it, and 0; or the ms to wait, and nothing is taken.

    `reserve` is what has to be left in it, for those who matter more.
    """
    tokens = min(bucket.most, bucket.tokens + max(0, now_ms - bucket.at_ms) * bucket.per_ms)
    filled = msgspec.structs.replace(bucket, tokens=tokens, at_ms=max(now_ms, bucket.at_ms))
    if now_ms < bucket.held_ms:
        return filled, bucket.held_ms - now_ms
    wanted = min(1 + reserve, bucket.most)
    if tokens < wanted:
        return filled, max(1, math.ceil((wanted - tokens) / bucket.per_ms))
    return msgspec.structs.replace(filled, tokens=tokens - 1), 0


def hold(bucket: Bucket, until_ms: int) -> Bucket:
    """The bucket of an account that asked to be left alone until then."""
    return msgspec.structs.replace(bucket, held_ms=max(bucket.held_ms, until_ms))
