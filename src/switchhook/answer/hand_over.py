"""How far receipts are kept twice, and whether that is worth a caller's while to wait for.

What the shipper says is believed up to the newest record that there is. Nobody waits while it is
away, nor after somebody waited in vain, until it was quick again: a record's second copy counts
from when the first was durable, so that a backlog must be gone too. No I/O here.
"""

from __future__ import annotations

from collections.abc import Callable

TRIAL_NS = 150_000_000
"""A second copy that came within that time is worth waiting for."""
IDLE_TRIAL_NS = 5_000_000_000
"""So long after somebody waited in vain the next one waits, if nothing is left to hand over."""

_AWAY = "nothing here hands them over to the database"
_UNBELIEVED = "the shipper tells of records that are not in this journal"
_DIVERGED = "the database has another machine's records of this node"
_UNTOLD = "how far the database has them is not known yet"
SLOW = "the database takes longer than callers can wait"


def _nobody() -> None:
    return


class HandOver:
    """What the shipper said, as the loop's thread knows it; nothing of it blocks.

    `newest` gives the seq of the newest record, `now_ns` the steady clock. `kept` is the seq up to
    which all records are kept twice, as was said last.
    """

    def __init__(self, newest: Callable[[], int], now_ns: Callable[[], int]) -> None:
        self.kept = 0
        self.on_kept = self.on_away = _nobody
        """What to do when more is kept twice, and when the shipper is lost."""
        self.hint: Callable[[int], None] = lambda _seq: None
        """Tells the shipper what became durable."""
        self._newest, self._now_ns = newest, now_ns
        self._durable = newest()
        self._connected = self._told = self._slow = False
        self.unbelieved = False
        """Whether the last that was said can't be true."""
        self.diverged = False
        """Whether the database takes nothing of this journal, as it has another one."""
        self._slow_ns = 0
        self._trial: tuple[int, int] | None = None  # a record's seq, and when it was durable

    @property
    def healthy(self) -> bool:
        """Whether it is worth a caller's while to wait for the second copy."""
        if self.diverged:
            return False
        if not (self._told and self._slow):
            return self._told
        all_kept = self.kept >= self._newest()
        return all_kept and self._now_ns() - self._slow_ns > IDLE_TRIAL_NS

    @property
    def problem(self) -> str:
        """Why it isn't, in words; empty where it is."""
        if self.healthy:
            return ""
        if self.diverged:
            return _DIVERGED
        if self._told:
            return SLOW
        return _UNBELIEVED if self.unbelieved else _UNTOLD if self._connected else _AWAY

    def connected(self) -> None:
        """The shipper is there; it has yet to say how far it is."""
        self._connected = True

    def disconnected(self) -> None:
        """The shipper is lost: who waits for it waits in vain."""
        self._connected = self._told = False
        self.on_away()

    def said(self, seq: int) -> bool:
        """Take "kept twice up to `seq`"; False where that can't be true."""
        self.unbelieved = seq > self._newest()
        if self.unbelieved:
            return False
        now = self._now_ns()
        if not self._told:
            self._told = True
            if seq < self._durable:
                self._begin_trial(now)
        elif self._slow and self._trial is not None and seq >= self._trial[0]:
            self._slow, self._trial = now - self._trial[1] > TRIAL_NS, None
        self.kept = seq
        self.on_kept()
        return True

    def durable(self, seq: int) -> None:
        """A record is durable here: the shipper may take it."""
        self._durable = seq
        if self._slow and self._trial is None:
            self._trial = seq, self._now_ns()
        self.hint(seq)

    def overran(self) -> None:
        """Note that somebody waited in vain."""
        self._slow, self._slow_ns, self._trial = True, self._now_ns(), None

    def _begin_trial(self, now: int) -> None:
        """Much is left to hand over: nobody waits until all that there is by now is."""
        self._slow, self._slow_ns, self._trial = True, now, (self._durable, now)
