"""Whether a process that has stopped beating hangs, or only has not had its turn.

A wall clock can't tell them apart: a machine that was suspended, or is far too busy, keeps both
silent. So silence counts only while the one who watches gets its own turns, and what the process
did meanwhile is looked at: whether it ran, and for how long.
"""

from __future__ import annotations

from enum import Enum

import msgspec

SUSPECT_S = 0.4
"""A silence as long as two beats: from then on it is looked at what the process does."""
STILL_S = 1.0
"""A process that neither beats nor runs for so long waits for something that doesn't come."""
SPINNING_S = 2.0
"""One that ran for so long, on any number of processors, without a beat runs in a circle."""
DISK_S = 4.0
"""One that waits for a disk, or of which nothing more is known, has this long."""
_IDLE_SHARE = 0.1  # of the silence: what runs less than that stands still


class State(Enum):
    """What the operating system says that a process does."""

    RUNS = "R"
    WAITS = "S"
    WAITS_FOR_DISK = "D"
    STOPPED = "T"
    UNKNOWN = "?"


class Look(msgspec.Struct, frozen=True):
    """A process as it was at a moment.

    `cpu_s` is what it ever ran; None where nobody says. `waited_s` is for how long its first
    thread, the one that beats, could ever have run and had no turn; 0 where nobody says.
    """

    state: State = State.UNKNOWN
    cpu_s: float | None = None
    waited_s: float = 0.0


class Silence:
    """For how long a process has not beaten, as far as we watched. Times in seconds.

    `tick_s` is how often somebody watches; a longer gap means that the watcher had no turn, and
    counts as two. `patience` is how many times as long as others it may be silent.
    """

    __slots__ = ("_first", "_patience", "_tick_s", "_watched_at", "lasts_s")

    def __init__(self, tick_s: float, now: float, patience: float = 1.0) -> None:
        self._tick_s, self._patience = tick_s, patience
        self._watched_at = now
        self._first: Look | None = None
        self.lasts_s = 0.0

    def broken(self) -> None:
        """Hear a beat."""
        self.lasts_s, self._first = 0.0, None

    def watch(self, now: float) -> bool:
        """Go on to `now`; whether it is to be looked at what the process does."""
        self.lasts_s += min(now - self._watched_at, 2 * self._tick_s)
        self._watched_at = now
        return self.lasts_s >= SUSPECT_S

    def hangs(self, look: Look) -> bool:
        """Whether the process, looked at now, is to be replaced."""
        lasts_s = self.lasts_s / self._patience
        if look.cpu_s is None:
            return lasts_s >= DISK_S
        if self._first is None:
            self._first = look
        ran_s = look.cpu_s - (self._first.cpu_s or 0.0)
        if ran_s >= SPINNING_S * self._patience:
            return True
        # Who waits for the interpreter's lock asks for it again and again, and needs a turn for it.
        busy_s = ran_s + look.waited_s - self._first.waited_s
        if look.state is State.RUNS or busy_s > _IDLE_SHARE * self.lasts_s:
            return False
        return lasts_s >= (DISK_S if look.state is State.WAITS_FOR_DISK else STILL_S)


def read_look(stat: bytes, schedstat: bytes, ticks_per_s: int) -> Look:
    """Read the texts of `/proc/PID/stat` and `schedstat`; what can't be read is unknown.

    The second of `schedstat` is in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst,
    "/proc/<pid>/schedstat").
    """
    fields = stat.rpartition(b")")[2].split()
    try:
        word, cpu = fields[0].decode("ascii").upper(), int(fields[11]) + int(fields[12])
    except (IndexError, ValueError):
        return Look()
    state = State(word) if word in {each.value for each in State} else State.UNKNOWN
    return Look(state, cpu / ticks_per_s, _waited_s(schedstat))


def _waited_s(schedstat: bytes) -> float:
    try:
        return int(schedstat.split()[1]) / 1e9
    except (IndexError, ValueError):
        return 0.0
