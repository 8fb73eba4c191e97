"""Whose turn it is to be called back: classes by their weights, the oldest of each first. Pure.

Of two classes that both wait, one with weight 3 gets three turns while the other, with 1, gets
one. A class that had nobody waiting has saved up no turns.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from switchhook.callbacks.promise import Promise


class Turns:
    """Who had how many turns, of one account."""

    def __init__(self) -> None:
        self._had: dict[str, float] = {}
        self._now = 0.0

    def order(self, waiting: Iterable[Promise], weights: Mapping[str, int]) -> Iterator[Promise]:
        """Those who wait, in the order in which they are called; each given counts as a turn."""
        queues = _queues(waiting)
        self._had = {name: max(self._now, self._had.get(name, 0.0)) for name in queues}
        while queues:
            name = min(queues, key=lambda each: (self._had[each], queues[each][0].made_ms, each))
            self._now = self._had[name]
            self._had[name] += 1 / max(1, weights.get(name, 1))
            yield queues[name].popleft()
            if not queues[name]:
                del queues[name]

    def give_back(self, class_: str, weights: Mapping[str, int]) -> None:
        """The last turn of a class led to no call."""
        if class_ in self._had:
            self._had[class_] -= 1 / max(1, weights.get(class_, 1))


def _queues(waiting: Iterable[Promise]) -> dict[str, deque[Promise]]:
    queues: dict[str, deque[Promise]] = {}
    for each in sorted(waiting, key=lambda promise: (promise.made_ms, promise.id)):
        queues.setdefault(each.class_, deque()).append(each)
    return queues
