"""The figures of what the judges found, by which alerts go, and their troubles in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import Figure, Labels
from switchhook.troubles.outcomes import Measure, Subject
from switchhook.troubles.trouble import SEVERAL, troubles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.capacity.status import CapacityNow
    from switchhook.streams.names import Names
    from switchhook.troubles.at_fault import AtFault
    from switchhook.troubles.fold import TroubleWatch
    from switchhook.troubles.trouble import Trouble

FIGURES = {
    Measure.BOT_FAILS: ("bot.failing", "bot"),
    Measure.LIMIT: ("account.throttled", "account"),
    Measure.BOT_LEAVES: ("bot.leaving", "bot"),
    Measure.CALLERS_LEAVE: ("bot.losing_callers", "bot"),
    Measure.NOBODY_ENDED: ("bot.unended", "bot"),
    Measure.TALKS_SHORT: ("bot.talks_short", "bot"),
}
"""The figure of each measure, and its one label."""
TOGETHER = "bots.failing_together"
JUDGED = frozenset({TOGETHER, *(name for name, _ in FIGURES.values())})


def key_of(figure: str, labels: Labels) -> str:
    """The key of the trouble that a figure is of."""
    if figure == TOGETHER:
        return f"{SEVERAL}:"
    names = dict(labels)
    for measure, (name, label) in FIGURES.items():
        if name == figure:
            return Subject(measure, names.get(label, "")).key
    return f"{figure}:{','.join(text for _, text in labels)}"


class TroubleFigures:
    """A source: a level for everybody who is judged. For one thread.

    `troubles` are those that the last figures were made of.
    """

    def __init__(
        self,
        watch: TroubleWatch,
        names: Callable[[], Names],
        capacity: Callable[[int], Sequence[CapacityNow]],
        as_of: Callable[[int], int],
        at_fault: Callable[[], Mapping[str, AtFault]] = dict,
    ) -> None:
        self._watch, self._names, self._capacity, self._as_of = watch, names, capacity, as_of
        self._at_fault = at_fault
        self.troubles: Sequence[Trouble] = ()

    def __call__(self, now_ms: int) -> Iterable[Figure]:
        self._watch.look(now_ms)
        standings = self._watch.standings(now_ms)
        self.troubles = tuple(
            troubles_of(standings, self._names(), self._capacity(now_ms), now_ms, self._at_fault())
        )
        at_ms = self._as_of(now_ms)
        by_key = {trouble.key: trouble for trouble in self.troubles}
        covered = {key for trouble in self.troubles for key in trouble.covers}
        for subject in self._watch.subjects():
            if subject.measure not in FIGURES:
                continue
            name, label = FIGURES[subject.measure]
            labels = ((label, subject.name),)
            yield _level(name, by_key.get(subject.key), subject.key in covered, at_ms, labels)
        several = by_key.get(f"{SEVERAL}:")
        if several is not None or Subject(Measure.ANY_BOT, "") in self._watch.subjects():
            yield _level(TOGETHER, several, False, at_ms, ())


def _level(name: str, trouble: Trouble | None, covered: bool, at_ms: int, labels: Labels) -> Figure:
    # What is told of together, or goes well again for now, neither begins an alert nor ends one.
    if covered or (trouble is not None and trouble.over):
        return Figure(name, None, at_ms, labels, 0)
    if trouble is None:
        return Figure(name, 0.0, at_ms, labels)
    value = 2.0 if trouble.bad else 1.0
    return Figure(name, value, at_ms, labels, since_ms=trouble.since_ms)
