"""Plots as JSON, and the colours of causes: each has one, and they are told apart by everybody."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from switchhook.exotel.cause import Cause
from switchhook.web.chart import CAUSES, Mark, cause_class, cause_series, chart_json, minutes_chart
from switchhook.web.render import LEVELS

STYLES = (Path(__file__).parents[2] / "src/switchhook/web/static/console.css").read_text()
DECLARED = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(
        r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLES
    )
}
Vector = tuple[float, float, float]
SEEN: dict[str, tuple[Vector, Vector, Vector]] = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    # Machado, Oliveira and Fernandes 2009, severity 1, on linear light
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
LEAST = 0.08
"""Of a distance in Oklab; what is just seen to differ lies at 0.02."""


def linear(colour: str) -> Vector:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    )
    return red, green, blue


def times(matrix: tuple[Vector, Vector, Vector], vector: Vector) -> Vector:
    one, two, three = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return one, two, three


def oklab(light: Vector) -> Vector:
    """Ottosson 2020, of linear light."""
    to_lms = (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
    to_lab = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    red, green, blue = (min(max(each, 0.0), 1.0) for each in light)
    long, middle, short = (max(each, 0.0) ** (1 / 3) for each in times(to_lms, (red, green, blue)))
    return times(to_lab, (long, middle, short))


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_cause_has_a_colour_and_a_place():
    assert sorted(CAUSES) == sorted(Cause)
    for cause in Cause:
        assert cause_class(cause) in DECLARED
        assert f".{cause_class(cause)} {{ --cause: var(--{cause_class(cause)}); }}" in STYLES
    assert [each.ink for each in cause_series()] == [f"--{cause_class(each)}" for each in CAUSES]
    assert cause_class("anything else") == "cause-unknown"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_stands_out_where_it_is_used(theme):
    for cause in Cause:
        level = LEVELS[cause]
        soft = {"live": "accent-soft", "muted": "surface"}.get(level, f"{level}-soft")
        for ground in ("surface", "paper", soft):
            found = contrast(DECLARED[cause_class(cause)][theme], DECLARED[ground][theme])
            assert found >= 3, (cause, ground, round(found, 2))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN)
def test_no_two_look_alike_to_anybody(theme, eyes):
    labs = {
        cause: oklab(times(SEEN[eyes], linear(DECLARED[cause_class(cause)][theme])))
        for cause in Cause
    }
    for one, other in combinations(Cause, 2):
        apart = sum((a - b) ** 2 for a, b in zip(labs[one], labs[other], strict=True)) ** 0.5
        assert apart >= LEAST, (one, other, round(apart, 3))


def test_a_plot_is_the_numbers_with_what_finds_their_streams():
    minutes = [[0] * len(CAUSES), [*range(len(CAUSES))]]
    mark = Mark(90_500, "rules of sales changed", "/endpoints", "rules", "sales")
    found = json.loads(chart_json(minutes_chart(60_000, minutes, [mark]), None, sees_numbers=True))
    assert found["points"][0] == [60, 120]
    assert [row[1] for row in found["points"][1:]] == [*range(len(CAUSES))]
    assert found["series"][-1]["q"] == "cause:throttled"
    assert found["step"] == 60
    assert found["marks"] == [
        {"at": 90.5, "word": "rules of sales changed", "to": "/endpoints", "kind": "rules"}
    ]


def test_who_may_see_no_numbers_sees_none_in_a_plot():
    mark = Mark(0, "rules of 09876543210 changed", "/endpoints", "rules")
    chart = minutes_chart(0, [[0] * len(CAUSES)], [mark])
    found = chart_json(chart, "utc", sees_numbers=False)
    assert "9876543210" not in found
    assert "/endpoints?tz=utc" in found
