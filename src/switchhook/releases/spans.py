"""Parts of the journal: which are left to count, and how long that takes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST, _MOST = 500, 20_000
_PARTS_A_CORE = 40


class Span(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The records `first` to `last` of the journal."""

    first: int
    last: int

    @property
    def records(self) -> int:
        """How many there can be."""
        return self.last - self.first + 1


def parts_of(whole: Span, done: Sequence[Span], cores: int) -> list[Span]:
    """What is left of the journal to count, in parts; the newest come first."""
    size = max(_LEAST, min(_MOST, whole.records // (cores * _PARTS_A_CORE)))
    found, first = list[Span](), whole.first
    for each in [*sorted(done), Span(whole.last + 1, whole.last + 1)]:
        while first < each.first:
            found.append(Span(first, min(first + size, each.first) - 1))
            first = found[-1].last + 1
        first = max(first, each.last + 1)
    return found[::-1]


def joined(done: Sequence[Span]) -> list[Span]:
    """The same parts with those that touch each other made one."""
    found: list[Span] = []
    for each in sorted(done):
        if found and each.first <= found[-1].last + 1:
            found[-1] = Span(found[-1].first, max(found[-1].last, each.last))
        else:
            found.append(each)
    return found


def left_s(done: int, of: int, spent_s: float) -> float | None:
    """Seconds until all are counted, by how long some took; None while nobody can tell."""
    return (of - done) * spent_s / done if done > 0 else None
