"""What a plot shows, as the JSON that `static/plots.js` draws; and the colours of causes.

A plot is stacked bars (`stacked`, by count; `share`, in percent of each stretch) or `lines`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.phone_numbers import holds_number, mask_text
from switchhook.exotel.times import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CAUSES: tuple[Cause, ...] = (
    Cause.BOT_DONE,
    Cause.CALLER_LEFT,
    Cause.ENDED_BY_SYSTEM,
    Cause.RUNNING,
    Cause.NO_STREAM,
    Cause.UNKNOWN,
    Cause.CALLER_LEFT_EARLY,
    Cause.BOT_DROPPED,
    Cause.CONNECT_FAILED,
    Cause.THROTTLED,
)
"""Causes as plots stack them, from the bottom up: what went well first, the worst on top."""


class Series(msgspec.Struct, frozen=True):
    """A row of a plot: its name, the custom property of the stylesheet that has its colour.

    `q` is what finds its streams; `dash` are lengths of strokes and gaps. Without `ink` it is not
    drawn by itself, but as the edge of a band, in whose colour it shows where `soft`.
    """

    name: str
    ink: str = ""
    q: str = ""
    dash: tuple[int, ...] | None = None
    soft: bool = False


class Mark(msgspec.Struct, frozen=True):
    """Something that happened: when (ms), what in a word or two, the page that has more of it.

    `kind` is rules, configuration or incident; `endpoint` the one whose rules changed.
    """

    at_ms: int
    word: str
    to: str
    kind: str
    endpoint: str = ""


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A plot: times in seconds of Unix time, and a row of numbers for each of `series`.

    `step_s` is how long each stretch is, or `widths` how long each of them; `q` is what finds the
    streams of all; `from_s` and `until_s` are shown though nothing was there; `bands` are pairs of
    series between which is coloured.
    """

    kind: str
    times: Sequence[float]
    rows: Sequence[Sequence[float | None]]
    series: Sequence[Series]
    marks: Sequence[Mark] = ()
    step_s: int = 0
    widths: Sequence[float | None] | None = None
    q: str = ""
    unit: str = "streams"
    from_s: float | None = None
    until_s: float | None = None
    bands: Sequence[tuple[int, int]] = ()

    @property
    def columns(self) -> list[tuple[float | None, ...]]:
        """Each stretch: when it begins, and its number of each row."""
        return list(zip(self.times, *self.rows, strict=True))


def chart_json(chart: Chart, tz: str | None, *, sees_numbers: bool) -> str:
    """A plot for its page; texts are masked, and links left out, for who may not see numbers."""
    said = str if sees_numbers else mask_text

    def asked(query: str) -> str:
        return "" if not sees_numbers and holds_number(query) else query

    found = {
        "kind": chart.kind,
        "points": [chart.times, *chart.rows],
        "series": [
            {
                "name": said(each.name),
                "ink": each.ink,
                "soft": each.soft,
                "q": asked(each.q),
                "dash": each.dash,
            }
            for each in chart.series
        ],
        "marks": [
            {
                "at": each.at_ms / 1000,
                "word": said(each.word),
                "to": f"{each.to}?tz={tz}" if tz else each.to,
                "kind": each.kind,
            }
            for each in chart.marks
        ],
        "step": chart.step_s,
        "widths": chart.widths,
        "q": asked(chart.q),
        "unit": chart.unit,
        "from": chart.from_s,
        "until": chart.until_s,
        "bands": chart.bands,
    }
    return msgspec.json.encode(found).decode()


def cause_series(causes: Iterable[Cause] = CAUSES) -> list[Series]:
    """A row for each cause, in the colour that it has everywhere."""
    return [
        Series(each.replace("_", " "), f"--{cause_class(each)}", f"cause:{each}") for each in causes
    ]


def cause_class(cause: str) -> str:
    """The class of the stylesheet with a cause's colour; that of `unknown` for any other word."""
    return f"cause-{(cause if cause in _KNOWN else Cause.UNKNOWN).replace('_', '-')}"


_KNOWN = frozenset(Cause)


def minutes_chart(
    since_ms: int, minutes: Sequence[Sequence[int]], marks: Sequence[Mark] = ()
) -> Chart:
    """Streams a minute, each minute with a count for each of `CAUSES`."""
    return Chart(
        kind="stacked",
        times=[(since_ms + at * MINUTE_MS) // 1000 for at in range(len(minutes))],
        rows=[list(column) for column in zip(*minutes, strict=True)],
        series=cause_series(),
        marks=marks,
        step_s=MINUTE_MS // 1000,
    )
