"""The one clock: of flows, media pacing, limits and timers. Real, or virtual.

Everything waits with asyncio, so a clock is an event loop. `VirtualLoop` is one whose time jumps
to the next timer whenever nothing is left to do, so that a day of calls passes in seconds. While
something outside this process is waited for (a server's answer, a bot's socket), which knows
nothing of our time, it goes at the pace of the wall clock.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from switchhook.exotel.times import IST

if TYPE_CHECKING:
    from collections.abc import Iterator

"""The zone of every time that Exotel writes, which it never says (exotel-platform A.4)."""

VIRTUAL_START = datetime(2026, 1, 5, 10, 0, tzinfo=IST)
"""When a virtual day begins: a Monday morning, always the same one, so that runs repeat."""


class Clock:
    """Seconds since the emulator started, and the date they stand for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        self.loop = loop
        self.start = start
        self._zero = loop.time()

    def now(self) -> float:
        """Seconds since the start."""
        return self.loop.time() - self._zero

    def date(self) -> datetime:
        """The time of day, in IST."""
        return self.start + timedelta(seconds=self.now())

    @property
    def virtual(self) -> bool:
        """Whether time jumps where nobody outside is waited for."""
        return isinstance(self.loop, VirtualLoop)

    def outside(self) -> AbstractContextManager[None]:
        """While entered, something of the world is waited for, at the world's pace."""
        return self.loop.outside() if isinstance(self.loop, VirtualLoop) else nullcontext()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose idle time takes no time."""

    def __init__(self) -> None:
        self._now = 0.0
        self._outside = 0
        self._since = 0.0
        self.frozen = False
        """While set, time does not jump: a test thinks, and nothing may happen behind its back."""
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Virtual seconds; they pass with the wall clock's only inside `outside()`."""
        return self._now + (time.monotonic() - self._since) if self._outside else self._now

    @property
    def stands_still(self) -> bool:
        """Whether no time passes at all just now."""
        return self.frozen and not self._outside

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Keep the wall clock's pace until left; may be entered by many at once."""
        if not self._outside:
            self._since = time.monotonic()
        self._outside += 1
        try:
            yield
        finally:
            now = self.time()
            self._outside -= 1
            if not self._outside:
                self._now = now

    def idle(self, seconds: float) -> bool:
        """Jump over time in which nothing happens; False where it has to be waited for."""
        if self._outside or self.frozen:
            return False
        # However short, a jump must lead on, or the loop would wait for ever for what is due.
        self._now = max(self._now + seconds, math.nextafter(self._now, math.inf))
        return True


class _JumpingSelector(selectors.DefaultSelector):
    """Asks the loop before it sleeps."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is not None and timeout > 0 and self._loop.idle(timeout):
            return []
        # Frozen, there is nothing to wait for but what comes from outside.
        return super().select(None if self._loop.stands_still else timeout)
