"""What the caller hears of the bot, by arithmetic: when each chunk has played, and no timer.

Chunks queue behind one another and play at the sample rate. A chunk whose length is no multiple
of 320 bytes ends in a short packet, after which Exotel waits 20 ms (exotel-platform C.5).
"""

from __future__ import annotations

from collections import deque

PACKET = 320
"""Bytes of which chunks should be multiples."""
GAP_S = 0.020
LONGEST_KEPT = 64 * 1024 * 1024
"""Bytes of audio kept for a recording: an hour at 8 kHz."""


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
        self._starts: deque[tuple[float, float]] = deque()
        self._marks: deque[tuple[float, str]] = deque()

    def take(self, at: float, pcm: bytes) -> float:
        """Queue a chunk that came at `at`, and say when it will have played."""
        start = max(at, self.heard_until)
        seconds = len(pcm) / self._bytes_a_second
        gap = GAP_S if len(pcm) % PACKET else 0.0
        self.heard_until = start + seconds + gap
        self.spoken_s += seconds
        starts = self._starts
        while starts and starts[0][1] <= at:
            starts.popleft()
        starts.append((start, self.heard_until))
        if self.pieces is not None and self._kept + len(pcm) <= LONGEST_KEPT:
            self.pieces.append((start, pcm))
            self._kept += len(pcm)
        return self.heard_until

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
        playing = [end for start, end in self._starts if start <= at < end]
        ends = playing[-1] if playing else at
        dropped = max(0.0, self.heard_until - ends)
        if self.heard_until > ends:
            self.heard_until = ends
            self.spoken_s -= dropped
        self._starts = deque((start, end) for start, end in self._starts if start <= at)
        if self.pieces is not None:
            while self.pieces and self.pieces[-1][0] >= ends:
                self._kept -= len(self.pieces.pop()[1])
        forgotten = [name for due, name in self._marks if due > ends]
        self._marks = deque((due, name) for due, name in self._marks if due <= ends)
        return dropped, forgotten
