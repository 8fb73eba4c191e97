"""The page Now: what one sees at a glance, live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route

from switchhook.exotel.cause import Cause
from switchhook.exotel.times import MINUTE_MS
from switchhook.journal.receipt import WAITING
from switchhook.overview.feed import API, NOW
from switchhook.overview.json import Overview, now_json, row_json
from switchhook.overview.pulse import MINUTES, pulse, pulse_start
from switchhook.streams.issues.issues import Issue, IssueState
from switchhook.streams.issues.page import all_issues
from switchhook.streams.parsed_record import parse_record
from switchhook.streams.store import StreamFilter
from switchhook.streams.tail import tail_row, told_of
from switchhook.web.chart import CAUSES, chart_json, minutes_chart
from switchhook.web.json import encode_json
from switchhook.web.masking import mask_json
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.capacity.page import CapacityWatch
    from switchhook.journal.source import JournalSource
    from switchhook.overview.json import KeptPromises
    from switchhook.streams.endpoints import EndpointShown
    from switchhook.streams.facet import Count
    from switchhook.streams.issues.issues import IssueHistory
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.streams.tail import TailRow
    from switchhook.web.chart import Mark
    from switchhook.web.render import Renderer, ViewOptions

Json = dict[str, Any]

FIRST_ROWS = 40
MOST_CARDS = 4
"""Accounts that have a gauge of their own on this page."""
TOP = 6
ISSUES_MS, GLANCE_MS = 5_000, 500
"""For how long what was found is good enough."""
_COUNTED_MS = 150_000
"""A minute's count of waiting callers that began longer ago says nothing of now."""


class NowPage:
    """The page, and what the feed sends it."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        journal: JournalSource,
        store: Store,
        names: Callable[[], Names],
        capacity: CapacityWatch | None,
        issue_history: IssueHistory | None,
        endpoints: Callable[[], Sequence[EndpointShown]],
        marks: Callable[[int, int], Sequence[Mark]],
        now_ms: Callable[[], int],
        freshen: Callable[[], None],
        promises: Callable[[], KeptPromises | None],
    ) -> None:
        self._renderer = renderer
        self._journal = journal
        self._store = store
        self._names = names
        self._capacity = capacity
        self._issue_history = issue_history
        self._endpoints = endpoints
        self._marks = marks
        self._now_ms = now_ms
        self._freshen = freshen
        self._promises = promises
        self._overview: Overview | None = None
        self._issues: tuple[int, list[Issue]] = (-ISSUES_MS, [])

    def routes(self) -> list[BaseRoute]:
        return [Route("/", self._page, methods=["GET"], name="now")]

    def _page(self, request: Request) -> Response:
        self._freshen()
        seqs = self._store.receipts(StreamFilter(limit=FIRST_ROWS))
        records = self._journal.get_many(seqs)
        told = told_of(parse_record(records[seq]) for seq in sorted(records))
        overview = self.look()
        context = {
            "rows": [tail_row(each, self._journal.node or 0) for each in reversed(told)],
            "left_out": 0,
            "endpoint": next(iter(self._endpoints()), None),
            "feed": address("/feed", {"page": "now", "tz": zone_word(zone_of(request))}),
            "chart": _chart(overview, zone_of(request), sees=viewer_of(request).sees_numbers),
            **_context(overview, self._names()),
        }
        return self._renderer.page(request, "now.html", context)

    def gather(self) -> None:
        """Look at the figures, for the fragments to come."""
        self.look()

    def figures(self, page: str, look: ViewOptions) -> Mapping[str, str]:
        """The feed's events for a page."""
        fragment, overview = self._renderer.fragment, self._overview
        if page == API:
            return {} if overview is None else {"now": _json(now_json(overview), look)}
        events = {name: fragment(f"{name}.html", {}, look) for name in ("verdict", "hands")}
        if page == NOW and overview is not None:
            events["now"] = fragment("now_figures.html", _context(overview, self._names()), look)
            events["chart"] = _chart(overview, look.zone, sees=look.sees_numbers)
        return events

    def tail(
        self, page: str, rows: Sequence[TailRow], left_out: int, look: ViewOptions
    ) -> Mapping[str, str]:
        """The event with rows of the tail, newest first."""
        names = self._names()
        if page == API:
            receipts = [row_json(row, names) for row in rows[::-1]]
            return {"receipts": _json({"receipts": receipts, "left_out": left_out}, look)}
        context = {"rows": rows[::-1], "left_out": left_out, "names": names}
        return {"tail": self._renderer.fragment("tail_rows.html", context, look)}

    def look(self) -> Overview:
        """The figures as they are; those just looked at will do."""
        now_ms, before = self._now_ms(), self._overview
        if before is None or not 0 <= now_ms - before.now_ms < GLANCE_MS:
            before = self._overview = self._look_anew(now_ms)
        return before

    def _look_anew(self, now_ms: int) -> Overview:
        since = pulse_start(now_ms)
        until = since + MINUTES * MINUTE_MS
        minutes, counts = self._store.tallies(since, until), self._store.counts(since, until)
        found = [each for each in self._found(now_ms) if each.state is not IssueState.RESOLVED]
        return Overview(
            now_ms=now_ms,
            pulse=pulse(minutes, counts, now_ms),
            accounts=tuple(self._capacity.now(now_ms)) if self._capacity is not None else (),
            named=bool(self._names().accounts),
            running=sum(each.streams for each in minutes if each.facet.cause == Cause.RUNNING),
            waiting=_waiting(counts, now_ms),
            top=tuple(each for each in found if each.recent)[:TOP],
            open_issues=sum(each.state is IssueState.OPEN for each in found),
            marks=tuple(self._marks(since, until)),
            promises=self._promises(),
        )

    def _found(self, now_ms: int) -> list[Issue]:
        made_ms, found = self._issues
        if not 0 <= now_ms - made_ms < ISSUES_MS:
            found = all_issues(self._store, self._issue_history, now_ms)
            self._issues = now_ms, found
        return found


def _waiting(counts: Sequence[Count], now_ms: int) -> int | None:
    """The most callers that waited at once, as counted last; None where nobody counted lately."""
    fresh = (each for each in counts if now_ms - each.at_ms <= _COUNTED_MS)
    counted = [each for each in fresh if each.name == WAITING]
    return max(counted, key=lambda each: each.at_ms).count if counted else None


def _context(overview: Overview, names: Names) -> dict[str, Any]:
    return {
        "names": names,
        "overview": overview,
        "pulse": overview.pulse,
        "causes": CAUSES,
        "accounts": overview.accounts[:MOST_CARDS],
        "named": overview.named,
        "more_accounts": max(len(overview.accounts) - MOST_CARDS, 0),
    }


def _json(found: Json, look: ViewOptions) -> str:
    """An event of the API's feed, which no middleware sees whole."""
    return encode_json(found if look.sees_numbers else mask_json(found)).decode()


def _chart(overview: Overview, zone: ZoneInfo, *, sees: bool) -> str:
    """The plot of the last hour."""
    shown = overview.pulse
    chart = minutes_chart(shown.since_ms, shown.minutes, overview.marks)
    return chart_json(chart, zone_word(zone), sees_numbers=sees)
