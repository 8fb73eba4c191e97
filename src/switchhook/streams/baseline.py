"""How answers are shared between Option A and B, and what is usual for an hour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST, LEAST = 5, 20
"""Streams from which a share is compared at all, and from which it is by two standard errors."""
_ERRORS, _ERRORS_OF_FEW = 2.0, 3.5


class Answered(msgspec.Struct, frozen=True):
    """How many of `cases` streams were answered with Option A."""

    a: int = 0
    cases: int = 0

    @property
    def share(self) -> float | None:
        return self.a / self.cases if self.cases else None


def shift(now: Answered, day_before: Answered, hours_before: Answered) -> tuple[float | None, int]:
    """By how much the share of A moved beyond chance, and of how many cases that is known.

    It is compared with the same hour of the day before, or with the hours before where that has
    too few; two standard errors of the difference are chance, more where few streams are known.
    """
    then = day_before if day_before.cases >= LEAST else hours_before
    if now.share is None or then.share is None:
        return None, 0
    both = (now.a + then.a) / (now.cases + then.cases)
    error = math.sqrt(both * (1 - both) * (1 / now.cases + 1 / then.cases))
    cases = min(now.cases, then.cases)
    errors = _ERRORS if cases >= LEAST else _ERRORS_OF_FEW
    return max(0.0, abs(now.share - then.share) - errors * error), cases


def usual(days: Sequence[int | None], week_ago: int | None) -> int | None:
    """How many streams this hour usually has; None where nothing is that old.

    The most of the last days, but no more than a week ago: so neither a free day nor a flow that
    was taken out lately is news.
    """
    known = [count for count in days if count is not None]
    if not known:
        return None
    most = max(known)
    return most if week_ago is None else min(most, week_ago)
