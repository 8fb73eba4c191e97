"""A circuit breaker for one member of a pool: closed, open, half-open. Pure.

*Closed*: it has its whole weight. It opens when, of the streams that ended in the last `window_s`,
at least `least` and of those `failure_share` failed; when the last `least` failed one after the
other; or when the probe can't reach it. *Open*: no calls, for `cool_down_s`, longer by as much with
each time in a row, ten times that at the most, and as long as the probe can't reach it.
*Half-open*: a growing share of its weight (`SHARES`), a step each `cool_down_s` without trouble. It
opens again when `failure_share` of the streams given in that step failed; after the last step it is
closed.

Only streams that were given to it since the breaker last changed count. Of those under way the ones
that outlasted every failed one count as well: who fails is known at once, who talks is not, and by
ends alone a bot that fails rarely would seem dead for as long as its first callers talk. A stream
that goes well while it is open (as the last of its pool it still gets calls) half-opens it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.metrics import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.rules.bot_pool import BreakerSettings

SHARES = (0.1, 0.25, 0.5)
"""What a half-open member gets of its weight, step by step."""
MOST_COOL_DOWNS = 10


class BreakerState(StrEnum):
    """Closed is how it should be: current flows."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"

    def words(self, *, acts: bool) -> str:
        """As people are told: of one that only reports, what it would be."""
        said = self.value.replace("_", "-")
        return said if acts or self is BreakerState.CLOSED else f"would be {said}"


class Outcome(msgspec.Struct, frozen=True):
    """How a stream of a member went, given to it at `given_ms` and known at `at_ms`."""

    at_ms: int
    given_ms: int
    failed: bool


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """One member's: in `state` since `since_ms`, at `step` of SHARES while it is half-open.

    `step_ms` is when that step began, `opened` how often in a row it opened, `why` the reason of
    the last change in words.
    """

    state: BreakerState = BreakerState.CLOSED
    since_ms: int = 0
    step: int = 0
    step_ms: int = 0
    opened: int = 0
    why: str = ""

    @property
    def share(self) -> float:
        """What it gets of its weight, 0 to 1."""
        if self.state is BreakerState.HALF_OPEN:
            return SHARES[self.step]
        return 1.0 if self.state is BreakerState.CLOSED else 0.0


class Change(msgspec.Struct, frozen=True):
    """A change of a breaker's state, for its history."""

    at_ms: int
    state: BreakerState
    why: str


def stepped(
    breaker: Breaker,
    outcomes: Sequence[Outcome],
    unreachable: str,
    settings: BreakerSettings,
    now_ms: int,
    under_way: Iterable[int] = (),
) -> Breaker:
    """The breaker as it is now.

    `outcomes` in the order in which they became known; `unreachable` is what the probe says of a
    member that it can't reach, in words, and empty where it can or does not count; `under_way` are
    the times at which streams that have not ended were given to it.
    """
    since = breaker.step_ms if breaker.state is BreakerState.HALF_OPEN else breaker.since_ms
    counted = [each for each in outcomes if each.given_ms >= since]
    going = [given_ms for given_ms in under_way if given_ms >= since]
    match breaker.state:
        case BreakerState.CLOSED:
            too_many = _too_many(counted, going, settings, now_ms)
            why = unreachable or too_many or _in_a_row(counted, going, settings, now_ms)
            return _opened(breaker, why, now_ms) if why else breaker
        case BreakerState.OPEN:
            return _while_open(breaker, counted, unreachable, settings, now_ms)
        case BreakerState.HALF_OPEN:
            tried = _with_outlasting(counted, going, now_ms)
            return _while_half_open(breaker, tried, unreachable, settings, now_ms)


def cool_down_s(breaker: Breaker, settings: BreakerSettings) -> float:
    """How long it stays open this time."""
    return settings.cool_down_s * min(max(breaker.opened, 1), MOST_COOL_DOWNS)


def _with_outlasting(
    counted: Sequence[Outcome], going: Iterable[int], now_ms: int
) -> list[Outcome]:
    """Outcomes, and of the streams under way those that outlasted all that failed, as going well.

    That of a stream under way becomes known once it is older than those were.
    """
    took_ms = max((each.at_ms - each.given_ms for each in counted if each.failed), default=None)
    if took_ms is None:
        return [*counted]
    known = [Outcome(given_ms + took_ms + 1, given_ms, failed=False) for given_ms in going]
    outlasting = (each for each in known if each.at_ms <= now_ms)
    return sorted((*counted, *outlasting), key=lambda each: each.at_ms)


def _too_many(
    counted: Sequence[Outcome], going: Iterable[int], settings: BreakerSettings, now_ms: int
) -> str:
    begins_ms = now_ms - settings.window_s * 1000
    ended = [each for each in counted if each.at_ms > begins_ms]
    recent = [e for e in _with_outlasting(ended, going, now_ms) if e.at_ms > begins_ms]
    failed = sum(each.failed for each in recent)
    if len(recent) < settings.least or failed < settings.failure_share * len(recent):
        return ""
    return f"{failed} of {len(recent)} streams failed in {duration_text(settings.window_s)}"


def _in_a_row(
    counted: Sequence[Outcome], going: Iterable[int], settings: BreakerSettings, now_ms: int
) -> str:
    last = counted[-settings.least :]
    if len(last) < settings.least or not all(each.failed for each in last):
        return ""
    if not all(each.failed for each in _with_outlasting(last, going, now_ms)[-settings.least :]):
        return ""
    return f"the last {len(last)} streams failed"


def _while_open(
    breaker: Breaker,
    counted: Sequence[Outcome],
    unreachable: str,
    settings: BreakerSettings,
    now_ms: int,
) -> Breaker:
    if any(not each.failed for each in counted):
        return _half_opened(breaker, 0, "a stream went well", now_ms)
    waited_s = (now_ms - breaker.since_ms) / 1000
    if unreachable or waited_s < cool_down_s(breaker, settings):
        return breaker
    return _half_opened(breaker, 0, f"tried again after {duration_text(waited_s)}", now_ms)


def _while_half_open(
    breaker: Breaker,
    counted: Sequence[Outcome],
    unreachable: str,
    settings: BreakerSettings,
    now_ms: int,
) -> Breaker:
    failed = sum(each.failed for each in counted)
    if unreachable:
        return _opened(breaker, unreachable, now_ms)
    if failed and failed >= settings.failure_share * len(counted):
        one = "the stream that it was tried with failed"
        why = one if len(counted) == 1 else f"{failed} of {len(counted)} streams failed again"
        return _opened(breaker, why, now_ms)
    if now_ms - breaker.step_ms < settings.cool_down_s * 1000:
        return breaker
    if breaker.step + 1 < len(SHARES):
        return msgspec.structs.replace(breaker, step=breaker.step + 1, step_ms=now_ms)
    return Breaker(since_ms=now_ms, why="it goes well again")


def _opened(breaker: Breaker, why: str, now_ms: int) -> Breaker:
    return Breaker(state=BreakerState.OPEN, since_ms=now_ms, opened=breaker.opened + 1, why=why)


def _half_opened(breaker: Breaker, step: int, why: str, now_ms: int) -> Breaker:
    return Breaker(
        state=BreakerState.HALF_OPEN,
        since_ms=now_ms,
        step=step,
        step_ms=now_ms,
        opened=breaker.opened,
        why=why,
    )
