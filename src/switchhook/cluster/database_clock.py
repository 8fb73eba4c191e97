"""The database's clock as one machine knows it: by round trips, with half of each as the error.

As NTP does it. What comes back late says little: while a server is frozen, or a commit waits, its
answer is as old as nobody knows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

DATABASE_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""The database's clock in Unix ms, as SQL."""
SHORT_S = 1.0
"""A round trip by which a difference of clocks may be told: it is off by half of it at most."""
_ASK = f"SELECT {DATABASE_MS}"


def database_now_ms(connection: Connection[Any]) -> int:
    """Unix time by the database's clock. Raises psycopg.Error."""
    row = connection.execute(_ASK).fetchone()
    assert row is not None, "it is asked for one row"
    return int(row[0])


def wall_ms() -> int:
    """The system's clock, in Unix ms."""
    return time.time_ns() // 1_000_000


def steady_s() -> float:
    """Seconds that go on while the machine sleeps, where its system counts those."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _Heard(NamedTuple):
    """What was heard once: the database's clock less our steady one, and how long that took."""

    ahead_s: float
    took_s: float


class DatabaseClock:
    """Goes on while the database is away, evenly, whatever the system's clock does.

    One thread asks, any may read. `now_s` never steps, `wall_ms` is the system's clock.
    """

    def __init__(
        self, now_s: Callable[[], float] = steady_s, wall_ms: Callable[[], int] = wall_ms
    ) -> None:
        self._now_s, self._wall_ms = now_s, wall_ms
        self._heard: _Heard | None = None

    def ask(self, connection: Connection[Any]) -> None:
        """Raises psycopg.Error."""
        asked_s = self._now_s()
        self.heard(asked_s, database_now_ms(connection))

    def heard(self, asked_s: float, database_ms: int) -> None:
        """Take what the database's clock said in answer to what was asked at `asked_s`.

        Of long round trips the shortest counts.
        """
        now_s, known = self._now_s(), self._heard
        took_s = now_s - asked_s
        if known is None or took_s <= max(known.took_s, SHORT_S):
            self._heard = _Heard(database_ms / 1000 - (asked_s + took_s / 2), took_s)

    def now_ms(self) -> int:
        """Unix time by the database's clock; by ours before it was heard."""
        heard = self._heard
        return self._wall_ms() if heard is None else int((self._now_s() + heard.ahead_s) * 1000)

    def own_ahead_ms(self) -> int:
        """How far the system's clock is ahead; 0 while no round trip was short enough to tell."""
        heard = self._heard
        if heard is None or heard.took_s > SHORT_S:
            return 0
        return self._wall_ms() - self.now_ms()
