"""The clocks that an answer is timed by."""

from __future__ import annotations

import time


class AnswerClock:
    """The clocks of an answer; tests bring their own."""

    def wall_us(self) -> int:
        """Unix time."""
        return time.time_ns() // 1000

    mono_ns = staticmethod(time.monotonic_ns)
    """Steady, and going on over restarts of the process."""
