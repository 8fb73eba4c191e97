"""How long callers waited for their answers, and how many of them at once.

Counted for every answer, so it is as little work as can be: three additions and a table.
"""

from __future__ import annotations

from bisect import bisect_left

from switchhook.journal.receipt import ANSWER_BOUNDS_MS, ANSWER_BUCKETS, ANSWER_US

_LONGEST = ANSWER_BOUNDS_MS[-1]
_BUCKET_OF = bytes(bisect_left(ANSWER_BOUNDS_MS, ms) for ms in range(_LONGEST + 1))
"""The bucket of a time by its milliseconds, rounded up."""


class AnswerTimeHistogram:
    """Counts answers by the time from the whole request to the reply, since the last `take`.

    `waiting` is how many are owed now, `peak` the most of them at once.
    """

    __slots__ = ("_buckets", "_total_ns", "peak", "waiting")

    def __init__(self) -> None:
        self.waiting = self.peak = 0
        self._buckets = [0] * len(ANSWER_BUCKETS)
        self._total_ns = 0

    def asked(self) -> None:
        """A request is whole: from now on a caller waits."""
        self.waiting += 1
        if self.waiting > self.peak:
            self.peak = self.waiting

    def replied(self, took_ns: int) -> None:
        """The answer to one has left, so long after the request was whole."""
        self.waiting -= 1
        self._total_ns += took_ns
        ms = -(-took_ns // 1_000_000)
        self._buckets[_BUCKET_OF[ms] if ms <= _LONGEST else -1] += 1

    def take(self) -> tuple[dict[str, int], int]:
        """What was counted, under the names that counters have, and the peak; begins anew."""
        counted = {name: n for name, n in zip(ANSWER_BUCKETS, self._buckets, strict=True) if n}
        whole_us, self._total_ns = divmod(self._total_ns, 1000)
        if counted:
            counted[ANSWER_US] = whole_us
        self._buckets = [0] * len(ANSWER_BUCKETS)
        peak, self.peak = self.peak, self.waiting
        return counted, peak
