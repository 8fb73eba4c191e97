"""The page of a load: its figures, and a curve for each duration. One file, no scripts."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from switchhook.emulator.runs.load import durations, options, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from switchhook.emulator.runs.load import Figures, Histogram, LoadPlan

_WIDTH, _HEIGHT, _MARGIN, _ABOVE = 340, 160, 36, 18
"""Units of a plot; on a telephone one is a pixel, so that its words are as large as they say."""
_MOST_LABELS = 6
_DECADES_BELOW = 2
"""Powers of ten shown below the median; what was faster than that is at the left edge."""
_LABEL_WIDTH = 26
_MARKS = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
_STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#667;--line:#d5d8de;--back:#fff;--mark:#0b63ce}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#9aa3ad;--line:#3a3f47;--back:#15181c;
--mark:#6cb2ff}}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;
color:var(--ink);background:var(--back)}
h1{font-size:1.4rem}h2,h3{font-size:1.05rem;margin:1.6rem 0 .4rem}
h3{font-weight:500;margin-top:.8rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.3rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:500}
@media(max-width:30rem){th,td{padding:.3rem .2rem;font-size:.75rem}
td:first-child{white-space:normal}}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:0 2rem}
.soft{color:var(--soft)}svg{width:100%;height:auto;display:block}text{fill:var(--soft);font-size:11px}
.axis{stroke:var(--line)}.mark{stroke:var(--soft);stroke-dasharray:3 3}
.curve{stroke:var(--mark);stroke-width:2;fill:none}
.bad{color:#c62828}@media(prefers-color-scheme:dark){.bad{color:#ff8a80}}
"""


def page(
    figures: Figures, load: LoadPlan, *, to: Sequence[str] = (), at: datetime | None = None
) -> str:
    """The whole page as HTML; `to` names the hosts that were called, `at` is when."""
    wrong = sum(figures.wrong.values())
    verdict = (
        f"{figures.right:,} answers were right"
        if not wrong
        else f"{wrong:,} of {wrong + figures.right:,} answers were not what was expected"
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width">',
        f"<title>Load: {figures.ended:,} calls</title><style>{_STYLE}</style>",
        f"<h1>{figures.ended:,} calls in {figures.seconds:,.0f} s</h1>",
        f"<p{' class=bad' if wrong else ''}>{escape(verdict)}.</p>",
        f"<p>Asked for: {load.calls:,} at once, {load.rate_s:g} a second, for {load.for_s:g} s."
        f" Most at once: {figures.most_at_once:,}.{_left_out(figures)}</p>",
        *([f"<p class=soft>{escape(_where(to, at))}</p>"] if to or at else []),
        "<h2>How long things took</h2>",
        _table(("", "p50", "p99", "p99.9", "most", "count"), table(figures)),
        "<h2>What became of the streams</h2>",
        _table(("outcome", "calls", "option due", "took A", "took B"), options(figures)),
    ]
    for title, counter in (("Unexpected answers", figures.wrong), ("Problems", figures.problems)):
        if counter:
            rows = [(name, f"{count:,}") for name, count in counter.most_common(30)]
            parts += [f"<h2>{title}</h2>", _table(("what", "times"), rows)]
    plots = [
        f"<section><h3>{escape(name.capitalize())}</h3>{_curve(name, histogram)}</section>"
        for name, histogram in durations(figures)
        if histogram.count
    ]
    if plots:
        parts += [
            "<h2>How they spread</h2>",
            "<p class=soft>Upwards the share of all that took at most so long, to the right how"
            " long, by powers of ten.</p>",
            f"<div class=plots>{''.join(plots)}</div>",
        ]
    return "".join(parts)


def _where(to: Sequence[str], at: datetime | None) -> str:
    parts = [f"called {', '.join(to)}"] if to else []
    parts += [f"ended {at:%Y-%m-%d %H:%M:%S %Z}".rstrip()] if at is not None else []
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _left_out(figures: Figures) -> str:
    if not figures.left_out:
        return ""
    return f" Left out, as they would have been too many at once: {figures.left_out:,}."


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    top = "".join(f"<th scope=col>{escape(text)}</th>" for text in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(x)}</td>' for x in row)}</tr>" for row in rows)
    return f"<div class=scroll><table><tr>{top}</tr>{body}</table></div>"


def _curve(name: str, histogram: Histogram) -> str:
    """The share of all (upwards) that took at most so long (to the right, by powers of ten).

    Dashed lines stand at the quantiles of the table.
    """
    points = histogram.points()
    middle = math.floor(math.log10(histogram.at(0.5) or points[0][0]))
    low = max(math.floor(math.log10(points[0][0])), middle - _DECADES_BELOW)
    high = max(low + 1, math.ceil(math.log10(points[-1][0])))

    def x(seconds: float) -> float:
        along = max(0.0, math.log10(seconds) - low) / (high - low)
        return _MARGIN + along * (_WIDTH - 2 * _MARGIN)

    def y(share: float) -> float:
        return _HEIGHT - _MARGIN - share * (_HEIGHT - _MARGIN - _ABOVE)

    before = [0.0, *(share for _, share in points)]
    steps = (
        (x(at), y(each))
        for (at, share), was in zip(points, before, strict=False)
        for each in (was, share)
    )
    path = " ".join(f"{across:.1f},{up:.1f}" for across, up in steps)
    every = math.ceil((high - low + 1) / _MOST_LABELS)
    powers = range(low, high + 1)
    ticks = "".join(
        f'<line class=axis x1="{x(10.0**p):.0f}" x2="{x(10.0**p):.0f}" y1="{y(0)}" y2="{y(1)}"/>'
        for p in powers
    ) + "".join(
        f'<text x="{x(10.0**p):.0f}" y="{y(0) + 18}" text-anchor=middle>{_unit(p)}</text>'
        for p in powers[::every]
    )
    shares = "".join(
        f'<line class=axis x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{y(s):.0f}" y2="{y(s):.0f}"/>'
        f'<text x="{_MARGIN - 5}" y="{y(s) + 4:.0f}" text-anchor=end>{s:.0%}</text>'
        for s in (0, 0.5, 1)
    )
    marks = _marks(histogram, x, y)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role=img aria-label="{escape(name)}: share of all'
        f' by duration">{ticks}{shares}{marks}<polyline class=curve points="{path}"/></svg>'
    )


def _marks(histogram: Histogram, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    """The quantiles, each with its name above; one too near to another goes without."""
    drawn, last = [], -math.inf
    for told, share in _MARKS:
        at = histogram.at(share)
        if at is None:
            continue
        drawn.append(
            f'<line class=mark x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{y(0)}" y2="{y(1)}">'
            f"<title>{told}</title></line>"
        )
        if x(at) - last >= _LABEL_WIDTH:
            drawn.append(f'<text x="{x(at):.1f}" y="{y(1) - 5}" text-anchor=start>{told}</text>')
            last = x(at)
    return "".join(drawn)


def _unit(power: int) -> str:
    if power >= 0:
        return f"{10**power:g} s"
    return f"{10 ** (power + 3):g} ms" if power >= -3 else f"{10 ** (power + 6):g} µs"
