"""Statistics of the benchmarks: pure, so that they can be tested."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values don't exceed (nearest rank).

    The values must be in ascending order; 0.0 for none.
    """
    if not ordered:
        return 0.0
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of pairs measured one after the other: what drifts cancels out."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest."""
    return min(values), max(values)
