"""Streams that are not ours: estimated from what the account says and what we know. Pure.

Each poll is compared with our own streams *as of its moment*, and only some seconds later, when
the ends of that moment are known: what is left over runs without us. Its figure may be some
seconds old when it comes; how old is learnt, as the age at which the two differ most steadily.
See facts.md 5.3 and docs/before-the-stream.md.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOOK_AFTER_MS = 5_000
"""How long after a poll the ends before it are known."""
AVERAGED_MS = 20_000
LOST_AFTER_MS = 30_000
"""How long fewer streams must be told of than we know, until ends are taken for lost."""
_GAP_MS = 60_000
"""Polls further apart than the slowest that can be configured say nothing of the time between."""
AGES_MS = (0, 1_000, 2_000, 3_000, 4_000)
"""How old the account's figures may be when they come."""
_FORGETS_MS = 600_000
_SPREAD_MS = 300_000
_HALF_LIFE_MS = 120_000
_MOST = 1_000
_LEAST_LOST = 3
_KEPT_MS = 10_000
"""Polls of so long keep their streams when ends are taken for lost; the last three always."""


class Compared(msgspec.Struct, frozen=True):
    """A poll beside what we knew of the moment that it describes: streams in use, and of ours.

    `at_ms` is when it came, `age_ms` how old its figure was taken to be, and `guessed` how many
    were taken for not ours then.
    """

    at_ms: int
    active: int
    ours: int
    age_ms: int
    guessed: float

    @property
    def residual(self) -> int:
        """What is not ours; below zero where ends of ours are not known, or lost."""
        return self.active - self.ours


class Lost(msgspec.Struct, frozen=True):
    """So many of our streams that we take for live since `since_ms` have ended, or never were."""

    count: int
    since_ms: int


class _Mean:
    """A mean that forgets with time."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0
        self._at_ms: int | None = None

    def add(self, value: float, at_ms: int) -> None:
        passed = 0 if self._at_ms is None else max(0, at_ms - self._at_ms)
        kept = math.exp(-passed / _FORGETS_MS)
        self._sum, self._weight = self._sum * kept + value, self._weight * kept + 1.0
        self._at_ms = at_ms

    def shift(self, value: float, at_ms: int) -> None:
        """What was added at `at_ms` was more by so much."""
        assert self._at_ms is not None
        self._sum += value * math.exp(-(self._at_ms - at_ms) / _FORGETS_MS)

    @property
    def value(self) -> float:
        return self._sum / self._weight if self._weight else 0.0


class ForeignStreams:
    """What runs on one account without us, and what to keep free for it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int, float]] = deque(maxlen=_MOST)
        self._compared: deque[Compared] = deque(maxlen=_MOST)
        self._usual = _Mean()
        self._before: tuple[int, ...] | None = None
        self._unsteady = tuple(_Mean() for _ in AGES_MS)
        self._raised, self._raised_ms = 0.0, 0
        self.streams = 0.0
        """How many run without us; never below zero."""

    def polled(self, at_ms: int, active: int) -> None:
        """The account had so many streams in use."""
        self._waiting.append((at_ms, active, self.streams))

    def look(self, now_ms: int, live_at: Callable[[int], int]) -> Lost | None:
        """Compare the polls whose time has come; which of our streams must be lost ones."""
        fresh = False
        while self._waiting and now_ms - self._waiting[0][0] >= LOOK_AFTER_MS:
            self._compare(*self._waiting.popleft(), live_at)
            fresh = True
        if not fresh:
            return None
        self._average()
        return self._lost(live_at)

    def gave_up(self, lost: Lost) -> None:
        """So many of our streams are taken for ended, as of `since_ms`."""
        for number, each in enumerate(self._compared):
            if each.at_ms - each.age_ms < lost.since_ms:
                continue
            ours = each.ours - lost.count
            self._compared[number] = msgspec.structs.replace(each, ours=ours)
            self._usual.shift(lost.count, each.at_ms)
        if self._before is not None:
            self._before = tuple(each + lost.count for each in self._before)
        self._average()

    def throttled(self, at_ms: int, step: float) -> None:
        """A stream of ours was over the limit: keep `step` more free at once."""
        self._raised, self._raised_ms = self._raised_at(at_ms) + step, max(at_ms, self._raised_ms)

    def reserve(self, now_ms: int) -> float:
        """What to keep free: two standard deviations of the average, and more after throttles."""
        spread = 0.0 if self.all_ours else 2 * math.sqrt(self._variance())
        return spread + self._raised_at(now_ms)

    @property
    def all_ours(self) -> bool:
        """Whether nothing but ours seems to run."""
        return self._usual.value < 1.0

    @property
    def age_ms(self) -> int:
        """How old the account's figures are when they come."""
        steadiest = min(range(len(AGES_MS)), key=lambda at: self._unsteady[at].value)
        return AGES_MS[steadiest]

    @property
    def compared(self) -> tuple[Compared, ...]:
        """The last polls beside what we knew, the oldest first."""
        return tuple(self._compared)

    def _raised_at(self, now_ms: int) -> float:
        return self._raised * math.exp2(-max(0, now_ms - self._raised_ms) / _HALF_LIFE_MS)

    def _compare(
        self, at_ms: int, active: int, guessed: float, live_at: Callable[[int], int]
    ) -> None:
        ours = [live_at(at_ms - age) for age in AGES_MS]
        residuals = tuple(active - each for each in ours)
        if self._before is not None:
            for mean, now, before in zip(self._unsteady, residuals, self._before, strict=True):
                mean.add((now - before) ** 2, at_ms)
        self._before = residuals
        age = self.age_ms
        found = Compared(at_ms, active, ours[AGES_MS.index(age)], age, guessed)
        self._compared.append(found)
        self._usual.add(found.residual, at_ms)

    def _average(self) -> None:
        self.streams = max(0.0, _mean(self._since(AVERAGED_MS)))

    def _since(self, length_ms: int) -> list[int]:
        """The residuals of the last so many milliseconds; the newest always."""
        since_ms = self._compared[-1].at_ms - length_ms
        found = list[int]()
        for each in reversed(self._compared):
            if each.at_ms <= since_ms:
                break
            found.append(each.residual)
        return found or [self._compared[-1].residual]

    def _variance(self) -> float:
        """Of the average, by how much each residual differs from the next."""
        last = self._since(_SPREAD_MS) if self._compared else []
        if len(last) < 2:
            return 0.0
        squares = sum((one - other) ** 2 for one, other in pairwise(last))
        return squares / 2 / (len(last) - 1) / len(self._since(AVERAGED_MS))

    def _lost(self, live_at: Callable[[int], int]) -> Lost | None:
        """As many as the time says, and as leave each of the last polls all of its streams."""
        newest_ms = self._compared[-1].at_ms
        since_ms = newest_ms - LOST_AFTER_MS
        last = [
            each
            for place, each in enumerate(reversed(self._compared))
            if place < _LEAST_LOST or each.at_ms > since_ms
        ]
        if len(last) == len(self._compared):
            return None
        times = [*(each.at_ms for each in last), self._compared[-len(last) - 1].at_ms]
        if times[-1] > since_ms or any(b - a > _GAP_MS for b, a in pairwise(times)):
            return None
        said = math.floor(-_mean([each.residual for each in last]))
        if said <= 0:
            return None
        age_ms = self.age_ms
        # What came to be known since they were compared counts, and the polls not compared yet.
        polls = [
            (each.at_ms - age_ms, each.active)
            for place, each in enumerate(reversed(self._compared))
            if place < _LEAST_LOST or each.at_ms > newest_ms - _KEPT_MS
        ]
        polls += [(at_ms - age_ms, active) for at_ms, active, _ in self._waiting]
        count = min(said, *(live_at(at_ms) - active for at_ms, active in polls))
        return Lost(count, min(polls)[0]) if count > 0 else None


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
