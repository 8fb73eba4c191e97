"""The curve of a duration in a load, as SVG: what share of all took at most so long."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from switchhook.emulator.runs.load import Histogram

_WIDTH, _HEIGHT, _MARGIN, _ABOVE = 340, 160, 36, 18
"""Units of a plot; on a telephone one is a pixel, so that its words are as large as they say."""
_MOST_LABELS = 6
_DECADES_BELOW = 2
"""Powers of ten shown below the median; what was faster than that is at the left edge."""
_LABEL_WIDTH = 26
_MARKS = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))


class _Scale(msgspec.Struct, frozen=True):
    """Where things stand in a plot: `low` and `high` are the powers of ten at its sides."""

    low: int
    high: int

    def x(self, seconds: float) -> float:
        """How far to the right a duration is."""
        along = max(0.0, math.log10(seconds) - self.low) / (self.high - self.low)
        return _MARGIN + along * (_WIDTH - 2 * _MARGIN)

    def y(self, share: float) -> float:
        """How far down a share of all is."""
        return _HEIGHT - _MARGIN - share * (_HEIGHT - _MARGIN - _ABOVE)


def curve(name: str, histogram: Histogram) -> str:
    """The share of all (upwards) that took at most so long (to the right, by powers of ten).

    Dashed lines stand at the quantiles of the table.
    """
    points = histogram.points()
    middle = math.floor(math.log10(histogram.at(0.5) or points[0][0]))
    low = max(math.floor(math.log10(points[0][0])), middle - _DECADES_BELOW)
    scale = _Scale(low, max(low + 1, math.ceil(math.log10(points[-1][0]))))
    before = [0.0, *(share for _, share in points)]
    steps = (
        (scale.x(at), scale.y(each))
        for (at, share), was in zip(points, before, strict=False)
        for each in (was, share)
    )
    path = " ".join(f"{across:.1f},{up:.1f}" for across, up in steps)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role=img aria-label="{escape(name)}: share of all'
        f' by duration">{_ticks(scale)}{_shares(scale)}{_marks(histogram, scale)}'
        f'<polyline class=curve points="{path}"/></svg>'
    )


def _ticks(scale: _Scale) -> str:
    """A line for each power of ten, and what some of them are."""
    x, bottom, top = scale.x, scale.y(0), scale.y(1)
    every = math.ceil((scale.high - scale.low + 1) / _MOST_LABELS)
    powers = range(scale.low, scale.high + 1)
    lines = (
        f'<line class=axis x1="{x(10.0**p):.0f}" x2="{x(10.0**p):.0f}" y1="{bottom}" y2="{top}"/>'
        for p in powers
    )
    labels = (
        f'<text x="{x(10.0**p):.0f}" y="{bottom + 18}" text-anchor=middle>{_unit(p)}</text>'
        for p in powers[::every]
    )
    return "".join([*lines, *labels])


def _shares(scale: _Scale) -> str:
    """A line each for none, half and all."""
    y = scale.y
    return "".join(
        f'<line class=axis x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{y(s):.0f}" y2="{y(s):.0f}"/>'
        f'<text x="{_MARGIN - 5}" y="{y(s) + 4:.0f}" text-anchor=end>{s:.0%}</text>'
        for s in (0, 0.5, 1)
    )


def _marks(histogram: Histogram, scale: _Scale) -> str:
    """The quantiles, each with its name above; one too near to another goes without."""
    x, y = scale.x, scale.y
    drawn, last = [], -math.inf
    for name, share in _MARKS:
        at = histogram.at(share)
        if at is None:
            continue
        drawn.append(
            f'<line class=mark x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y(0)}" y2="{y(1)}">'
            f"<title>{name}</title></line>"
        )
        if x(at) - last >= _LABEL_WIDTH:
            drawn.append(f'<text x="{x(at):.1f}" y="{y(1) - 5}" text-anchor=start>{name}</text>')
            last = x(at)
    return "".join(drawn)


def _unit(power: int) -> str:
    if power >= 0:
        return f"{10**power:g} s"
    return f"{10 ** (power + 3):g} ms" if power >= -3 else f"{10 ** (power + 6):g} µs"
