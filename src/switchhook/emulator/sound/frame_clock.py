"""One beat for all streams: a timer for each millisecond of the frame, not one for each call.

Five hundred calls at 50 frames a second would set 25,000 timers a second, all at odd moments.
Members are spread over 20 slots; a slot's timer runs at exact multiples of 20 ms while it has
members, and calls them one after another.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from switchhook.emulator.clock import VirtualLoop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

PERIOD_S = 0.020
SLOTS = 20


class FrameClock:
    """Calls its members every 20 ms with the time of the beat, late or not; none is left out."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._zero = loop.time()
        self._slots: list[dict[int, Callable[[float], None]]] = [{} for _ in range(SLOTS)]
        self._running = [False] * SLOTS
        self._next = 0
        # A loop's own time may stand still for as long as it is busy: uvloop's does.
        self._read = loop.time if isinstance(loop, VirtualLoop) else time.monotonic
        self.on_late: Callable[[float], None] | None = None
        """Told once a member and beat how late it came, in seconds."""

    def join(self, member: Callable[[float], None]) -> Callable[[], None]:
        """Add a member to the emptiest slot; what is returned takes it out again."""
        token, self._next = self._next, self._next + 1
        at = min(range(SLOTS), key=lambda slot: (len(self._slots[slot]), self._wait(slot)))
        self._slots[at][token] = member
        if not self._running[at]:
            self._running[at] = True
            self._set(at, self._loop.time() + self._wait(at))
        return lambda: self._slots[at].pop(token, None) and None

    def _wait(self, slot: int) -> float:
        """Seconds until a slot's next beat."""
        phase = slot * PERIOD_S / SLOTS
        return PERIOD_S - (self._loop.time() - self._zero - phase) % PERIOD_S

    def _set(self, slot: int, at: float) -> None:
        self._loop.call_at(at, self._beat, slot, at)

    def _beat(self, slot: int, due: float) -> None:
        members = self._slots[slot]
        if not members:
            self._running[slot] = False
            return
        self._set(slot, due + PERIOD_S)
        on_late = self.on_late
        for member in list(members.values()):
            member(due)
            if on_late is not None:
                on_late(self._read() - due)
