"""The console's time: the system's clock, which goes on evenly while that steps."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from switchhook.errors import SwitchhookError
from switchhook.journal.steady_time import Axis, Step, follow, recent_step

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_MS = 200
"""How often the store is asked again: a dozen threads want the time several times a second."""


class Folded(Protocol):
    """What is folded of the journal, with what it knows of the clocks: store.SqliteStore."""

    def axis(self) -> Axis | None: ...
    def position(self) -> int: ...


class SteadyClock:
    """Steady time as a record that was kept now would be placed; any thread may ask.

    `first_seq_of_boot` tells which records are of this start of the machine: the clocks of others
    can't be compared with ours. Until one of them is folded it is the system's clock.
    """

    def __init__(
        self,
        store: Folded,
        first_seq_of_boot: Callable[[], int | None],
        *,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._store, self._first_seq_of_boot = store, first_seq_of_boot
        self._wall_ms, self.mono_ms = wall_ms, mono_ms
        self._known: Axis | None = None
        self._look_ms = 0

    def axis(self) -> Axis | None:
        """The clocks as they are now; None while nothing of this start is known."""
        mono_ms = self.mono_ms()
        if self._known is None or mono_ms >= self._look_ms:
            self._look()
            self._look_ms = mono_ms + LOOK_MS
        if self._known is None:
            return None
        return follow(self._known, self._wall_ms(), self.mono_ms())

    def _look(self) -> None:
        try:
            first = self._first_seq_of_boot()
            # Where no record can tell the time the store is not asked: it may be far away.
            known = None if first is None else self._store.axis()
            if first is not None and known is not None and self._store.position() >= first:
                self._known = known
        except SwitchhookError:
            pass  # a store that can't be read: what was known of the clocks still holds

    def now_ms(self) -> int:
        """Unix time."""
        axis = self.axis()
        return self._wall_ms() if axis is None else axis.at_ms

    def now_us(self) -> int:
        """Unix time."""
        return self.now_ms() * 1000

    def wall_ms(self) -> int:
        """The same, for those who are given a clock."""
        return self.now_ms()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def step(self) -> Step | None:
        """The step of the system's clock that people are to be told of."""
        axis = self.axis()
        return None if axis is None else recent_step(axis, self.mono_ms())
