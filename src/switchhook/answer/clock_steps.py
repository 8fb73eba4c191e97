"""Steps of the system's clock, as the answer side sees and keeps them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from switchhook.journal.receipt import ClockStep, RecordKind
from switchhook.journal.steady_time import TOLERANCE_MS, follow, recent_step, step_text

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("switchhook.answer")

_FOLLOW_MS = 1000  # how often a clock that goes evenly is followed


class ClockSteps:
    """Marks steps in the journal by `keep`, and says in `alarms` what is to be told of them.

    Decisions go by the system's clock as it is: nothing here changes one.
    """

    def __init__(
        self,
        keep: Callable[[RecordKind, ClockStep], object],
        alarms: dict[str, str],
        wall_ms: int,
        mono_ms: int,
    ) -> None:
        self._keep, self._alarms = keep, alarms
        self._offset_ms = wall_ms - mono_ms
        self._axis = follow(None, wall_ms, mono_ms)

    def look(self, wall_ms: int, mono_ms: int) -> None:
        """Compare the clocks; called as often as a step is to be noticed."""
        step = wall_ms - mono_ms - self._offset_ms
        self._offset_ms += step
        if abs(step) > TOLERANCE_MS:
            log.warning("the system's clock stepped by %d ms", step)
            self._keep(RecordKind.CLOCK, ClockStep(step))
        elif self._axis.step is None and mono_ms - self._axis.mono_ms < _FOLLOW_MS:
            return
        self._axis = follow(self._axis, wall_ms, mono_ms)
        found = recent_step(self._axis, mono_ms)
        if found is not None:
            self._alarms["clock"] = step_text(found)
        else:
            self._alarms.pop("clock", None)
