"""Looks again and again at how both programs are, so that it is known since when."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import in_words, unforeseen
from switchhook.overview.health import Memory, ProgramHealth, health_of
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.overview.health import Said

log = logging.getLogger(__name__)

EVERY_S = 2.0


class Health(msgspec.Struct, frozen=True):
    """Both programs; `answer` is None where nobody knows where it listens."""

    answer: ProgramHealth | None
    console: ProgramHealth

    @property
    def gist(self) -> list[tuple[str, tuple[str, ...]]]:
        """What changes only when something is said that was not before."""
        both = (self.answer, self.console)
        return [(each.said.status, each.said.problems) for each in both if each is not None]


class HealthKeeper:
    """Asks from `start` to `stop`; `answer` gives None where there is nobody to ask."""

    def __init__(self, answer: Callable[[], Said | None], console: Callable[[], Said]) -> None:
        self._answer, self._console = answer, console
        self._memory, self._lock = Memory(), threading.Lock()
        self._last: Health | None = None
        self._repeating = Repeating(
            "health", self._step, every_s=EVERY_S, failed=_failed, later=True
        )

    def now(self) -> Health:
        """How both were when it last looked; it tells when that was."""
        return self._last or self.refresh()

    def refresh(self) -> Health:
        """Look now; waits for the answer side."""
        with self._lock:
            said, ours = self._answer(), self._console()
            answer = None if said is None else health_of("answer", said, self._memory)
            self._last = Health(answer, health_of("console", ours, self._memory))
            return self._last

    def start(self) -> None:
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._repeating.stop(timeout_s)

    def _step(self) -> None:
        self.refresh()


def _failed(error: Exception) -> None:
    said = in_words(error)
    log.warning("health could not be looked at: %s", said, exc_info=unforeseen(error))
