"""The page of a load: its figures, and a curve for each duration. One file, no scripts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from switchhook.emulator.runs.load import durations, options, table
from switchhook.emulator.runs.load_curve import curve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from switchhook.emulator.runs.load import Figures, LoadPlan

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
    return "".join([*parts, _plots(figures)])


def _plots(figures: Figures) -> str:
    """A curve for each duration that was measured."""
    plots = [
        f"<section><h3>{escape(name.capitalize())}</h3>{curve(name, histogram)}</section>"
        for name, histogram in durations(figures)
        if histogram.count
    ]
    if not plots:
        return ""
    return (
        "<h2>How they spread</h2>"
        "<p class=soft>Upwards the share of all that took at most so long, to the right how"
        " long, by powers of ten.</p>"
        f"<div class=plots>{''.join(plots)}</div>"
    )


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
