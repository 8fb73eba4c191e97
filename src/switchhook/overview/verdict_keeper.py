"""The newest verdict, made once a second beside everything else."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from switchhook.overview.trouble import VerdictInput
from switchhook.overview.verdict import Level, State, verdict
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

EVERY_S = 1.0
STALE_MS = 30_000
_BEGINNING = State(level=Level.UNKNOWN, what="Unknown: Switchhook has just started to look.")


class VerdictKeeper:
    """Makes the verdict in a thread from `start` to `stop`; `now` gives the newest at once.

    `look` collects what is seen and may take a while. `keep` is called in that thread with each
    verdict and its time. One that could not be made anew is not shown for longer than half a
    minute.
    """

    def __init__(
        self,
        look: Callable[[], VerdictInput],
        now_ms: Callable[[], int],
        keep: Callable[[State, int], None] = lambda _state, _now_ms: None,
        *,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._look, self._now_ms, self._keep = look, now_ms, keep
        self._mono_ms = mono_ms
        self._state = _BEGINNING
        self._made_ms = mono_ms()
        self._problem = ""
        self._repeating = Repeating(
            "verdict", self._step, every_s=EVERY_S, failed=self._failed, later=True
        )

    def now(self) -> State:
        """The newest verdict."""
        state, age_ms = self._state, self._mono_ms() - self._made_ms
        if age_ms <= STALE_MS:
            return state
        return State(
            level=Level.UNKNOWN,
            what=f"Unknown: nobody has looked for {age_ms // 1000} s.",
            fault="At fault: Switchhook itself.",
            todo="Look at the console's log.",
            stale=(f"the verdict is {age_ms // 1000} s old",),
        )

    def start(self) -> None:
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._repeating.stop(timeout_s)

    def refresh(self) -> None:
        """Make the verdict now, in this thread."""
        begun_ms = self._mono_ms()
        now_ms = self._now_ms()
        state = verdict(self._look(), now_ms)
        self._state, self._made_ms = state, begun_ms
        self._keep(state, now_ms)

    def _step(self) -> None:
        self.refresh()
        self._problem = ""

    def _failed(self, error: Exception) -> None:
        """The page says by itself that the verdict is old, and the next try may do."""
        problem = f"{type(error).__name__}: {error}"
        if problem != self._problem:
            log.error("the verdict could not be made: %s", problem)
        self._problem = problem
