"""Rules of alerts: on which figure, how much is too much, and how bad that is."""

from __future__ import annotations

from enum import StrEnum

import msgspec

_MARGIN = 0.2


class Severity(StrEnum):
    """How much it matters; `critical` wakes people."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Comparison(StrEnum):
    """How a figure breaches a threshold."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="

    @property
    def falling(self) -> bool:
        """Whether less is worse."""
        return self in (Comparison.BELOW, Comparison.AT_MOST)

    def holds(self, value: float, threshold: float) -> bool:
        match self:
            case Comparison.ABOVE:
                return value > threshold
            case Comparison.AT_LEAST:
                return value >= threshold
            case Comparison.BELOW:
                return value < threshold
            case Comparison.AT_MOST:
                return value <= threshold


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """When to alert. `title` says it in words, `advice` what to do.

    It fires once the figure breached the threshold for `for_s`, and is resolved once it was beyond
    `clear` for `clear_for_s`; `clear` is a fifth of the threshold away from it unless said. A
    share with fewer cases than `least_cases` says nothing; to recover, half as many are enough.
    Figures that agree in those labels of `group_by` that they have are one alert. Alerts of rules
    with the same `topic` and the same labels are one cause, which speaks with one voice. Who heard
    of the topic `inhibited_by`, of the same labels, is not told of this as well.
    """

    name: str
    title: str
    figure: str
    comparison: Comparison
    threshold: float
    for_s: int = 0
    clear: float | None = None
    clear_for_s: int = 300
    severity: Severity = Severity.WARNING
    group_by: tuple[str, ...] = ()
    least_cases: int = 0
    topic: str = ""
    inhibited_by: str = ""
    advice: str = ""

    def breached(self, value: float) -> bool:
        return self.comparison.holds(value, self.threshold)

    def cleared(self, value: float) -> bool:
        """Whether it is so far from the threshold that it does not flap."""
        edge = self.clear
        if edge is None:
            margin = _MARGIN * abs(self.threshold)
            edge = self.threshold + (margin if self.comparison.falling else -margin)
        return not self.comparison.holds(value, edge)
