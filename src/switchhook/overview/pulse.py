"""How things go just now: streams a minute, how many failed, how fast answers were."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import FAILURES, Cause
from switchhook.exotel.times import MINUTE_MS
from switchhook.streams.answer_times import AnswerPercentiles, answer_times
from switchhook.web.chart import CAUSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.facet import Count, Tally

MINUTES = 60
"""What a plot shows."""
RECENT = 15
"""What shares and answer times are made of."""

_PLACES = {cause.value: at for at, cause in enumerate(CAUSES)}


class Share(msgspec.Struct, frozen=True):
    """Some of all. `share` is None where there are none: no traffic is no success."""

    some: int
    all: int

    @property
    def share(self) -> float | None:
        return self.some / self.all if self.all else None


class LastHour(msgspec.Struct, frozen=True):
    """The last hour in minutes, and the last quarter of it in figures.

    `minutes` begin at `since_ms`, each with a count for each of `CAUSES`; the last one
    still runs.
    """

    since_ms: int
    minutes: tuple[tuple[int, ...], ...]
    failed: Share
    failed_of: tuple[tuple[str, int], ...]
    answers: AnswerPercentiles
    last_minute: int


def pulse(tallies: Iterable[Tally], counts: Iterable[Count], now_ms: int) -> LastHour:
    """Make it of tallies and counts of minutes since `pulse_start`."""
    start = pulse_start(now_ms)
    minutes = [[0] * len(CAUSES) for _ in range(MINUTES)]
    some = of_all = 0
    failed: Counter[str] = Counter()
    for tally in tallies:
        at = (tally.at_ms - start) // MINUTE_MS
        if not 0 <= at < MINUTES:
            continue
        minutes[at][_PLACES.get(tally.facet.cause, _PLACES[Cause.UNKNOWN])] += tally.streams
        if at >= MINUTES - RECENT:
            of_all += tally.streams
            if tally.facet.cause in FAILURES:
                some += tally.streams
                failed[tally.facet.cause] += tally.streams
    recent = [each for each in counts if each.at_ms >= start + (MINUTES - RECENT) * MINUTE_MS]
    return LastHour(
        since_ms=start,
        minutes=tuple(tuple(minute) for minute in minutes),
        failed=Share(some, of_all),
        failed_of=tuple(failed.most_common()),
        answers=answer_times(_summed(recent)),
        last_minute=sum(minutes[-2]),
    )


def pulse_start(now_ms: int) -> int:
    """When the first minute of a pulse begins; the last is the one that runs."""
    return now_ms - now_ms % MINUTE_MS - (MINUTES - 1) * MINUTE_MS


def _summed(counts: Iterable[Count]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for each in counts:
        sums[each.name] += each.count
    return dict(sums)
