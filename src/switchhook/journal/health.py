"""Whether it is worth a caller's while to wait for the disk."""

from __future__ import annotations

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0


class Health:
    """Healthy until a deadline passed or a write failed, and again after a write in good time.

    A write counts from when it was asked for, so that a backlog must be gone too. `pause` is how
    long to wait before the next try, in seconds; it doubles up to a bound.
    """

    def __init__(self, trial_seconds: float) -> None:
        self.slow = False
        self.failing = False
        self.last_error = ""
        self.pause = FIRST_PAUSE_S
        self._trial_seconds = trial_seconds

    def overran(self) -> None:
        """Note that a deadline passed."""
        if not self.slow:
            self.pause = FIRST_PAUSE_S
        self.slow = True

    def failed(self, error: Exception) -> bool:
        """Note a write that failed; True for the first of several."""
        first, self.failing = not self.failing, True
        self.slow = True
        self.last_error = str(error) or type(error).__name__
        if first:
            self.pause = FIRST_PAUSE_S
        return first

    def succeeded(self, seconds: float) -> bool:
        """Note a write that was done `seconds` after it was asked for; True ends a failure."""
        recovered, self.failing = self.failing, False
        if seconds <= self._trial_seconds:
            self.slow = False
        return recovered

    def next_pause(self) -> float:
        """Give the pause before the next try, which makes the one after it longer."""
        pause = self.pause
        self.pause = min(2 * pause, LONGEST_PAUSE_S)
        return pause
