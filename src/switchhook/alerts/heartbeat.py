"""The heartbeat to the operator's own monitor: it stops when what matters does."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.alerts.book import Monitor
    from switchhook.metrics import Figure

log = logging.getLogger(__name__)

STALLED_S = 60
FRESH_MS = 60_000


def why_silent(figures: Sequence[Figure], now_ms: int) -> str:
    """Why no heartbeat must be sent: answering or folding stopped; empty where all goes on.

    Of several nodes it takes one that answers: callers go to those that do.
    """
    answers = [each for each in figures if each.name == "answer.unreachable"]
    if answers:
        known = [each.value for each in answers if now_ms - each.at_ms <= FRESH_MS]
        silent = [value for value in known if value is not None]
        if not silent:
            return "nobody knows whether callers are answered"
        if all(silent):
            return "callers are not answered"
    stalled = next((each for each in figures if each.name == "fold.stalled_s"), None)
    if stalled is None or stalled.value is None:
        return "nobody knows whether the fold goes on"
    if stalled.value > STALLED_S:
        return "the fold stands still"
    return ""


class Heartbeat:
    """Calls the monitor every so often, in a thread of its own, while it is told that all is well.

    `beat` is called by the alerting itself: when that stops, so does the heartbeat.
    """

    def __init__(self, monitor: Monitor, every_s: int, now_ms: Callable[[], int]) -> None:
        self._monitor, self._every_ms, self._now_ms = monitor, every_s * 1000, now_ms
        self._last_ms: int | None = None
        self._beating: threading.Thread | None = None
        self.problem = ""
        self.beat_ms: int | None = None

    def beat(self, silent: str) -> None:
        """Call the monitor if it is time, unless `silent` says why not; does not wait."""
        now_ms = self._now_ms()
        if silent:
            self._note(f"the heartbeat is held back: {silent}")
            return
        if self._beating is not None and self._beating.is_alive():
            return
        if self._last_ms is not None and 0 <= now_ms - self._last_ms < self._every_ms:
            return
        self._last_ms = now_ms
        self._beating = threading.Thread(target=self._call, name="heartbeat", daemon=True)
        self._beating.start()

    def _call(self) -> None:
        try:
            problem = self._monitor.beat() or ""
        except Exception as error:  # noqa: BLE001 - it is only a beat that was missed, which is what
            # a monitor is for. The text may hold the address, so only its kind is said.
            problem = f"it failed with {type(error).__name__}"
        if not problem:
            self.beat_ms = self._now_ms()
        self._note(f"the monitor did not take the heartbeat: {problem}" if problem else "")

    def _note(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("%s", problem)
        self.problem = problem
