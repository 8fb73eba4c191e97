"""The page Capacity: streams in use against the limit, how it was, and when it will be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.routing import BaseRoute, Route

from switchhook.web.chart import Chart, Series, chart_json
from switchhook.web.render import viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.capacity.forecast import Forecast
    from switchhook.capacity.readings import Span
    from switchhook.capacity.status import CapacityNow
    from switchhook.web.chart import Mark
    from switchhook.web.render import Renderer

RANGES = (
    ("1h", "1 hour", 3_600_000),
    ("6h", "6 hours", 6 * 3_600_000),
    ("1d", "1 day", 24 * 3_600_000),
    ("7d", "7 days", 7 * 24 * 3_600_000),
    ("30d", "30 days", 30 * 24 * 3_600_000),
)
_USUAL = "6h"
_FORECAST_WITHIN_MS = 24 * 3_600_000
"""A forecast of an hour can't be seen in a plot of weeks."""


class CapacityWatch(Protocol):
    """How the accounts stand and stood; any thread may call it."""

    def now(self, now_ms: int) -> Sequence[CapacityNow]: ...


class OfAccount(Protocol):
    """What the template shows of an account."""

    @property
    def account(self) -> str: ...


class CapacityKept(Protocol):
    """What was read of the accounts. Raises LedgerError."""

    def history(self, account: str, since_ms: int, until_ms: int) -> Sequence[Span]: ...


class CapacityPage:
    """`/capacity`; `search` is what finds an account's streams.

    `admission` is how admission stands of each account: `routes.admission_view`.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        capacity: CapacityWatch | None,
        history: CapacityKept | None,
        search: Callable[[str], str],
        marks: Callable[[int, int], Sequence[Mark]],
        now_ms: Callable[[], int],
        admission: Callable[[], Sequence[OfAccount]] = list,
    ) -> None:
        self._renderer = renderer
        self._admission = admission
        self._capacity = capacity
        self._history = history
        self._search = search
        self._marks = marks
        self._now_ms = now_ms

    def routes(self) -> list[BaseRoute]:
        return [Route("/capacity", self._page, methods=["GET"], name="capacity")]

    def _page(self, request: Request) -> Response:
        now_ms = self._now_ms()
        asked = request.query_params.get("range", _USUAL)
        name, _, length = next((each for each in RANGES if each[0] == asked), RANGES[1])
        admission = {each.account: each for each in self._admission()}
        accounts = [
            {
                **self._account(each, now_ms, length, request),
                "admission": admission.get(each.account),
            }
            for each in (self._capacity.now(now_ms) if self._capacity is not None else ())
        ]
        context = {"accounts": accounts, "ranges": RANGES, "range": name, "now_ms": now_ms}
        return self._renderer.page(request, "capacity.html", context)

    def _account(
        self, now: CapacityNow, now_ms: int, length: int, request: Request
    ) -> dict[str, Any]:
        history, since_ms = self._history, now_ms - length
        spans = history.history(now.account, since_ms, now_ms + 1) if history else []
        chart = msgspec.structs.replace(
            plot_of(spans, now.forecast if length <= _FORECAST_WITHIN_MS else None),
            marks=self._marks(since_ms, now_ms + 1),
            q=self._search(now.account),
            from_s=since_ms // 1000,
            until_s=now_ms // 1000,
        )
        known = [span for span in spans if span.highest is not None]
        return {
            "now": now,
            "spans": spans,
            "highest": max(known, key=lambda span: span.highest or 0, default=None),
            "unread": sum(span.unread for span in spans),
            "marks": chart.marks,
            "plot": chart_json(
                chart, zone_word(zone_of(request)), sees_numbers=viewer_of(request).sees_numbers
            ),
        }


_SERIES = (
    Series("lowest", soft=True),
    Series("highest", soft=True),
    Series("expected at least", soft=True),
    Series("expected at most", soft=True),
    Series("allowed", "--bad", dash=(6, 4)),
    Series("in use, mean", "--accent"),
    Series("expected", "--accent", dash=(3, 3)),
)
_BANDS = ((2, 1), (4, 3))


def plot_of(spans: Sequence[Span], forecast: Forecast | None) -> Chart:
    """Streams in use as they were read, and as they are expected.

    What could not be read is None, and so is a stretch without any polls.
    """
    rows: list[tuple[float | None, ...]] = []
    for at, span in enumerate(spans):
        begins, width_s = span.at_ms / 1000, span.width_ms / 1000
        read = (span.lowest, span.highest, None, None, span.allowed, span.mean, None)
        rows.append((begins, width_s, *read))
        following = spans[at + 1].at_ms if at + 1 < len(spans) else None
        silent = following is not None and following - span.at_ms > _SILENCE_MS + 3 * span.width_ms
        if silent:
            rows.append((begins + width_s + 1, None, *[None] * 7))
    limit = spans[-1].allowed if spans else None
    for at_ms, low, middle, high in forecast.expected if forecast is not None else ():
        rows.append((at_ms / 1000, None, None, None, low, high, limit, None, middle))
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 9
    times, widths, *values = columns
    return Chart(
        kind="lines",
        times=[each or 0.0 for each in times],
        rows=values,
        series=_SERIES,
        widths=widths,
        bands=_BANDS,
    )


_SILENCE_MS = 180_000
