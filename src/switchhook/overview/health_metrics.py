"""Where figures come from beside the store: the clock, and what retention makes of it.

Each is a `metrics.Source`, cheap enough to be asked every second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.times import DAY_MS
from switchhook.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.journal.steady_time import Step
    from switchhook.metrics import Source
    from switchhook.retention.trusted_time import Held


class AnswerHealth(msgspec.Struct, frozen=True):
    """What the answer side says of itself: whether it answers, and whether receipts wait.

    None is not known; `problem` says why it does not answer. `status` and `problems` are those of
    its `/healthz`.
    """

    at_ms: int
    answers: bool | None
    waiting: bool | None = None
    problem: str = ""
    status: str = ""
    problems: tuple[str, ...] = ()


def clock_figures(step: Callable[[], Step | None], known: Callable[[], bool]) -> Source:
    """By how much the system's clock stepped, while that is told of.

    Just after a start it is unknown, until the clocks are `known`: it may have stepped before.
    """

    def read(now_ms: int) -> Iterable[Figure]:
        found = step()
        value = None if not known() else 0.0
        if found is not None:
            value = abs(found.by_ms) / 1000
        yield Figure("clock.step_s", value, now_ms)

    return read


class RetentionClock(Protocol):
    """What retention makes of the clock; `looked` is whether it has looked at it yet."""

    @property
    def held(self) -> Held | None: ...
    @property
    def looked(self) -> bool: ...


def retention_figures(clock: Callable[[], RetentionClock]) -> Source:
    """By how many days the clock is ahead of the time that retention trusts, where that matters."""

    def read(now_ms: int) -> Iterable[Figure]:
        retention = clock()
        found = retention.held
        days = None if not retention.looked else 0.0
        if found is not None:
            days = found.ahead_ms / DAY_MS
        yield Figure("retention.held_days", days, now_ms)

    return read
