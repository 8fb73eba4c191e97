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
AGES_MS = (0, 1_000, 2_000, 3_000, 4_000)
"""How old the account's figures may be when they come."""
_FORGETS_MS = 600_000
_SPREAD_MS = 300_000
_HALF_LIFE_MS = 120_000
_MOST = 1_000
_LEAST_LOST = 3


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

    def look(self, now_ms: int, live_at: Callable[[int], int]) -> int:
        """Compare the polls whose time has come; how many leases of ours must be lost ones."""
        fresh = False
        while self._waiting and now_ms - self._waiting[0][0] >= LOOK_AFTER_MS:
            self._compare(*self._waiting.popleft(), live_at)
            fresh = True
        if not fresh:
            return 0
        self.streams = max(0.0, _mean(self._since(AVERAGED_MS)))
        return self._lost()

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

    def _lost(self) -> int:
        since_ms = self._compared[-1].at_ms - LOST_AFTER_MS
        last = self._since(LOST_AFTER_MS)
        if self._compared[0].at_ms > since_ms or len(last) < _LEAST_LOST:
            return 0
        return max(0, math.floor(-_mean(last)))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
