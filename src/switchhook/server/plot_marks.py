"""What plots mark: changes of rules and configuration, and incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.errors import LedgerError
from switchhook.metrics import Cached
from switchhook.rules.rollout import POOLS
from switchhook.streams.applied_queries import RULES, applied_changes
from switchhook.troubles.text import name_text
from switchhook.web.chart import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from switchhook.alerts.alert import Alert
    from switchhook.alerts.engine import Alerting
    from switchhook.journal.source import JournalSource
    from switchhook.streams.store import Store

_FOR_MS = 5_000
_MOST_RESOLVED = 200
MOST_MARKS = 40
"""Of one plot; of more, the newest."""


class PlotMarks:
    """`between` gives them; any thread may call it. What can't be read marks nothing."""

    def __init__(
        self,
        journal: JournalSource,
        store: Store,
        alerting: Alerting,
        now_ms: Callable[[], int],
    ) -> None:
        self._journal, self._store, self._alerting = journal, store, alerting
        self._now_ms = now_ms
        self._marks = Cached(_FOR_MS, self._read)

    def between(self, since_ms: int, until_ms: int) -> list[Mark]:
        """The marks of a stretch, oldest first."""
        found = [e for e in self._marks.get(self._now_ms()) if since_ms <= e.at_ms < until_ms]
        return found[-MOST_MARKS:]

    def _read(self, _now_ms: int) -> list[Mark]:
        marks = [*self._changes(), *map(incident_mark, self._incidents())]
        return sorted(marks, key=lambda mark: mark.at_ms)

    def _changes(self) -> Iterator[Mark]:
        for at_ms, applied in applied_changes(self._journal, self._store):
            if applied.name.startswith(RULES):
                endpoint = applied.name.removeprefix(RULES)
                word = f"rules of {endpoint} changed"
                yield Mark(at_ms, word, "/endpoints", "rules", endpoint)
            elif applied.name == POOLS:
                yield Mark(at_ms, "weights of pools changed", "/routes", "configuration")
            else:
                yield Mark(at_ms, "configuration changed", "/endpoints", "configuration")

    def _incidents(self) -> Sequence[Alert]:
        try:
            over = self._alerting.book.resolved(_MOST_RESOLVED)
        except LedgerError:
            over = []
        return [*over, *(each for each in self._alerting.alerts if each.firing)]


def incident_mark(alert: Alert) -> Mark:
    """An alert that fired, from when what it is about began."""
    of = ", ".join(name_text(text) for _, text in alert.labels if text)
    return Mark(
        alert.since_ms, f"{of}: {alert.title}" if of else alert.title, "/alerts", "incident"
    )
