"""What the caller hears of the bot, by arithmetic: when each chunk has played, and no timer.

Chunks queue behind one another and play at the sample rate. A chunk whose length is no multiple
of 320 bytes ends in a short packet, after which Exotel waits 20 ms (exotel-platform C.5).
"""

from __future__ import annotations

import sys
from array import array
from collections import deque
from typing import NamedTuple

PACKET = 320
"""Bytes of which chunks should be multiples."""
GAP_S = 0.020
LONGEST_KEPT = 64 * 1024 * 1024
"""Bytes of audio kept for a recording: an hour at 8 kHz."""

QUIET = 64
"""The largest sample, of 32,767, of what counts as silence: 54 dB below full scale."""


def is_silent(pcm: bytes) -> bool:
    """Whether there is nothing to hear in 16-bit little-endian PCM."""
    if not pcm.strip(b"\0"):
        return True
    samples = array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return not samples or max(max(samples), -min(samples)) <= QUIET


class _Queued(NamedTuple):
    """A chunk: when it begins to play, its seconds of audio, and its end with the gap after it."""

    start: float
    seconds: float
    end: float


class Playout:
    """One stream's queue of audio; all times in seconds of one clock."""

    def __init__(self, sample_rate: int, *, keep: bool = False) -> None:
        self._bytes_a_second = sample_rate * 2
        self.heard_until = 0.0
        """When the last chunk will have played."""
        self.spoken_s = 0.0
        """Seconds of audio taken and not cleared."""
        self.pieces: list[tuple[float, bytes]] | None = [] if keep else None
        """What is recorded: when each chunk began to play, and its PCM."""
        self._kept = 0
        self._queue: deque[_Queued] = deque()
        """What has not played whole."""
        self._marks: deque[tuple[float, str]] = deque()

    def take(self, at: float, pcm: bytes) -> float:
        """Queue a chunk that came at `at`, and say when it will have played."""
        start = max(at, self.heard_until)
        seconds = len(pcm) / self._bytes_a_second
        gap = GAP_S if len(pcm) % PACKET else 0.0
        self.heard_until = start + seconds + gap
        self.spoken_s += seconds
        queue = self._queue
        while queue and queue[0].end <= at:
            queue.popleft()
        queue.append(_Queued(start, seconds, self.heard_until))
        if self.pieces is not None and self._kept + len(pcm) <= LONGEST_KEPT:
            self.pieces.append((start, pcm))
            self._kept += len(pcm)
        return self.heard_until

    def unheard_s(self, at: float) -> float:
        """Seconds of audio that are still to play at `at`, pauses between chunks left out."""
        return sum(min(x.seconds, max(0.0, x.start + x.seconds - at)) for x in self._queue)

    def heard_s(self, at: float) -> float:
        """Seconds of audio that the caller has heard by `at`."""
        return self.spoken_s - self.unheard_s(at)

    def mark(self, at: float, name: str) -> float:
        """Put a mark behind the queue, and say when it is due."""
        due = max(at, self.heard_until)
        self._marks.append((due, name))
        return due

    @property
    def next_due(self) -> float | None:
        """When the next mark is due."""
        return self._marks[0][0] if self._marks else None

    def due(self, at: float) -> list[str]:
        """Take out the marks that are due, in order."""
        found = []
        # A timer may come a rounding error early.
        while self._marks and self._marks[0][0] <= at + 1e-6:
            found.append(self._marks.popleft()[1])
        return found

    def clear(self, at: float) -> tuple[float, list[str]]:
        """Drop what has not begun to play, and its marks: the seconds dropped, and the marks.

        A chunk that is playing is not cut (exotel-platform C.4).
        """
        begun = [each for each in self._queue if each.start <= at]
        ends = max([at, *(each.end for each in begun)])
        dropped = sum(each.seconds for each in self._queue if each.start > at)
        self.heard_until = min(self.heard_until, ends)
        self.spoken_s -= dropped
        self._queue = deque(begun)
        if self.pieces is not None:
            while self.pieces and self.pieces[-1][0] > at:
                self._kept -= len(self.pieces.pop()[1])
        forgotten = [name for due, name in self._marks if due > ends]
        self._marks = deque((due, name) for due, name in self._marks if due <= ends)
        return dropped, forgotten
