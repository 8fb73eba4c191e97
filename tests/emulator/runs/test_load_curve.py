"""The curves of a load: each inside its plot, with words that can be read."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from switchhook.emulator.runs.load import Histogram
from switchhook.emulator.runs.load_curve import curve

SPREADS = [
    [number / 1000 for number in range(1, 1001)],
    [number / 100_000 for number in range(1, 1001)],
    [0.5] * 1000,
    [1e-7 * 10 ** (number // 100) for number in range(1, 1001)],  # over ten powers of ten
]


def drawn(durations):
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    return curve("passthru", histogram)


@pytest.mark.parametrize("spread", SPREADS)
def test_curves_rise_from_nothing_to_all_inside_their_plots(spread):
    (plot,) = re.findall(r'<polyline class=curve points="([^"]+)"', drawn(spread))
    points = [tuple(map(float, pair.split(","))) for pair in plot.split()]
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))
    assert all(0 <= x <= 340 and 0 <= y <= 160 for x, y in points)
    assert (points[0][1], points[-1][1]) == (124, 18)


@pytest.mark.parametrize("spread", SPREADS)
def test_labels_keep_their_distance(spread):
    at = [int(x) for x in re.findall(r'<text x="(\d+)"[^>]*text-anchor=middle', drawn(spread))]
    assert len(at) >= 2
    assert all(b - a >= 40 for a, b in pairwise(at))


@pytest.mark.parametrize(("slow", "names"), [(1.1, ["p50"]), (50.0, ["p50", "p99"])])
def test_quantiles_are_named_where_there_is_room(slow, names):
    plot = drawn([1.0 if number < 90 else slow for number in range(100)])
    assert re.findall(r"text-anchor=start>(p[\d.]+)<", plot) == names
    assert plot.count("class=mark") == 3
