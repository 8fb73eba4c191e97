"""The leader's thread that gives records their places, soon after they were handed over."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from switchhook.cluster.placing import clock_problems, place_some
from switchhook.errors import in_words, unforeseen
from switchhook.postgresql_server import connect, explained
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from psycopg import Connection

    from switchhook.postgresql_server import Fence, Url

log = logging.getLogger(__name__)

POLL_S = 0.05
_CLOCKS_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 4.0
_SETTINGS = b"SET lock_timeout = '5s'; SET statement_timeout = '30s'"


class PlacingWorker:
    """Places from `start` to `stop`, with one connection of its own.

    `problems` says by node what is odd about its clock.
    """

    def __init__(self, url: Url, fence: Fence) -> None:
        self._url, self._fence = url, fence
        self.problem: str | None = None
        """Why no record gets a place at the moment; None where they do."""
        self.problems: dict[int, str] = {}
        self._connection: Connection[Any] | None = None
        self._clocks: dict[int, str] = {}
        self._look_at_s = 0.0
        self._repeating = Repeating(
            "placing",
            self._place,
            every_s=POLL_S,
            again_s=_FIRST_PAUSE_S,
            longest_s=_LONGEST_PAUSE_S,
            failed=self._failed,
        )

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End after the transaction at hand; whether it did within `timeout_s`."""
        ended = self._repeating.stop(timeout_s)
        if ended:
            self._close()
        return ended

    def _place(self) -> float | None:
        with explained(self._url):
            if self._connection is None:
                self._connection = connect(self._url, "placing")
                self._connection.execute(_SETTINGS)
                self._look_at_s = 0.0
            if time.monotonic() >= self._look_at_s:
                self._clocks = clock_problems(self._connection)
                self._look_at_s = time.monotonic() + _CLOCKS_S
            placed = place_some(self._connection, self._fence)
        if placed.problem is None:
            self.problem = None
        else:
            self._say(placed.problem)
        self._tell(self._clocks)
        return 0.0 if placed.more else None

    def _failed(self, error: Exception) -> None:
        self._close()
        self._say(in_words(error), unforeseen(error))

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _say(self, why: str, trace: Exception | None = None) -> None:
        problem = f"what nodes handed over is not shown for now: {why}"
        if problem != self.problem:
            log.error("%s", problem, exc_info=trace)
        self.problem = problem

    def _tell(self, problems: dict[int, str]) -> None:
        for node, problem in problems.items():
            if self.problems.get(node) != problem:
                log.warning("node %d: %s", node, problem)
        self.problems = problems
