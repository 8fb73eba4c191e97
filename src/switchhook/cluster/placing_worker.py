"""The leader's thread that gives records their places, soon after they were handed over."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from switchhook.cluster.placing import clock_problems, place_some
from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect, explained

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
        self._stopping = threading.Event()
        self._problem: str | None = None
        self.problems: dict[int, str] = {}
        self._thread = threading.Thread(target=self._run, name="placing", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why no record gets a place at the moment; None where they do."""
        ended = self._thread.ident is not None and not self._thread.is_alive()
        if ended and not self._stopping.is_set():
            return "the thread that gives records their places ended: start switchhook anew"
        return self._problem

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End after the transaction at hand; whether it did within `timeout_s`."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                with explained(self._url), closing(connect(self._url, "placing")) as connection:
                    connection.execute(_SETTINGS)
                    pause = _FIRST_PAUSE_S
                    self._place(connection)
            except ClusterError as error:
                self._failed(str(error))
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _place(self, connection: Connection[Any]) -> None:
        clocks, look_at = dict[int, str](), 0.0
        while not self._stopping.is_set():
            if time.monotonic() >= look_at:
                clocks, look_at = clock_problems(connection), time.monotonic() + _CLOCKS_S
            placed = place_some(connection, self._fence)
            if placed.problem is None:
                self._problem = None
            else:
                self._failed(placed.problem)
            self._tell(clocks)
            if not placed.more:
                self._stopping.wait(POLL_S)

    def _failed(self, why: str) -> None:
        problem = f"what nodes handed over is not shown for now: {why}"
        if problem != self._problem:
            log.error("%s", problem)
        self._problem = problem

    def _tell(self, problems: dict[int, str]) -> None:
        for node, problem in problems.items():
            if self.problems.get(node) != problem:
                log.warning("node %d: %s", node, problem)
        self.problems = problems
