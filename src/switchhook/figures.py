"""The figures that rules of alerts, the verdict and /metrics are made of: one name, one meaning.

A source is a function from the time to its figures as they are then. Who needs figures takes
those of all sources together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

Labels = tuple[tuple[str, str], ...]


class Figure(msgspec.Struct, frozen=True):
    """One figure. `value` is None where it should be known and is not: unknown is not zero.

    `at_ms` is when it was true, Unix time; `cases` how many cases a share is made of.
    """

    name: str
    value: float | None
    at_ms: int
    labels: Labels = ()
    cases: int | None = None

    def label(self, name: str) -> str:
        """What a label says; empty where there is none of this name."""
        return next((text for key, text in self.labels if key == name), "")


Source = Callable[[int], Iterable[Figure]]
"""Gives the figures as they are at a time in ms."""
