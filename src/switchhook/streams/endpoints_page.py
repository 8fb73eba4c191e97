"""The page Endpoints and its API: who asks where, in which form, which rules decide, the URL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.answer.counter_names import not_let_in
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.streams.endpoints import MOST_SHOWN, EndpointUse, endpoint_use, share_chart
from switchhook.streams.format_drift import Change, changes
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.search.syntax import query_text
from switchhook.web.chart import chart_json
from switchhook.web.endpoint import json_endpoint
from switchhook.web.json import time_of
from switchhook.web.parameters import read_none
from switchhook.web.render import viewer_of, zone_of, zone_word
from switchhook.web.sign_in.page_support import require

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.streams.endpoints import EndpointShown, RuleUse
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.web.chart import Mark
    from switchhook.web.json import Json
    from switchhook.web.render import Renderer


class AppletUrls(Protocol):
    """The URLs of an endpoint for the Passthru applet, the one to use first.

    `public` is whether it is how Exotel reaches it.
    """

    @property
    def urls(self) -> Sequence[str]: ...
    @property
    def public(self) -> bool: ...


class ShareRange(msgspec.Struct, frozen=True):
    """A time that the plot of shares shows, and its stretches."""

    name: str
    words: str
    length_ms: int
    step_ms: int


RANGES = (
    ShareRange("3h", "3 hours", 3 * HOUR_MS, 5 * MINUTE_MS),
    ShareRange("1d", "1 day", DAY_MS, HOUR_MS),
    ShareRange("7d", "7 days", 7 * DAY_MS, HOUR_MS),
)
"""By whole stretches up to the end of the one that runs; the second is the usual one."""


class EndpointSource(msgspec.Struct, frozen=True):
    """What the configuration says of the endpoints, each time anew.

    `config_refused` is what is wrong with its file where it does not run, in lines; `urls` gives an
    endpoint's with their secrets, None for one that is not configured.
    """

    shown: Callable[[], Sequence[EndpointShown]] = tuple
    config_refused: Callable[[], str] = str
    urls: Callable[[str], AppletUrls | None] = lambda _name: None


class EndpointsPage:
    """`/endpoints` and `/api/v1/endpoints`; `note` puts a deed into the audit log."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        store: Store,
        names: Callable[[], Names],
        endpoints: EndpointSource,
        marks: Callable[[int, int], Sequence[Mark]],
        note: Callable[[Deed], object],
        now_ms: Callable[[], int],
        freshen: Callable[[], None],
    ) -> None:
        self._renderer = renderer
        self._store = store
        self._names = names
        self._endpoints = endpoints
        self._marks = marks
        self._note = note
        self._now_ms = now_ms
        self._freshen = freshen

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/endpoints", self._page, methods=["GET"], name="endpoints"),
            Route("/endpoints/{endpoint}/url", self._reveal, methods=["POST"]),
            Route("/api/v1/endpoints", json_endpoint(self._json), methods=["GET"]),
        ]

    def _page(self, request: Request) -> Response:
        return self._shown(request, None, None)

    async def _reveal(self, request: Request) -> Response:
        """The page with the URL of one, this once; who sees it is noted before."""
        viewer, name = require(request, Role.ADMINISTRATOR), request.path_params["endpoint"]
        if not any(each.name == name for each in self._endpoints.shown()):
            raise HTTPException(404)
        deed = deed_of(viewer, "read the URL of an endpoint", name)

        def reveal() -> Response:
            urls = self._endpoints.urls(name)
            if urls is None:
                raise HTTPException(404)
            self._note(deed)
            return self._shown(request, name, urls)

        return await run_in_threadpool(reveal)

    def _shown(self, request: Request, revealed: str | None, urls: AppletUrls | None) -> Response:
        self._freshen()
        since_ms, until_ms = self._day()
        context = {
            "endpoints": self._uses(since_ms, until_ms),
            "since_us": since_ms * 1000,
            "now_us": self._now_ms() * 1000,
            "config_refused": self._endpoints.config_refused(),
            "not_let_in": self._not_let_in(),
            "revealed": revealed,
            "urls": urls,
            "may_reveal_url": viewer_of(request).may(Role.ADMINISTRATOR),
            "of_rule": _of_rule,
            **self._shares(request),
        }
        return self._renderer.page(request, "endpoints.html", context)

    def _day(self) -> tuple[int, int]:
        """The 24 hours up to the end of the one that runs."""
        now_ms = self._now_ms()
        until_ms = now_ms - now_ms % HOUR_MS + HOUR_MS
        return until_ms - DAY_MS, until_ms

    def _shares(self, request: Request) -> dict[str, object]:
        """How each endpoint's streams were shared between A and B, as plots, in the time asked."""
        asked = request.query_params.get("range", RANGES[1].name)
        shown = next((each for each in RANGES if each.name == asked), RANGES[1])
        now_ms = self._now_ms()
        until_ms = now_ms - now_ms % shown.step_ms + shown.step_ms
        since_ms = until_ms - shown.length_ms
        tallies = self._store.tallies(since_ms, until_ms, hours=shown.step_ms == HOUR_MS)
        marks = self._marks(since_ms, until_ms)
        tz, sees = zone_word(zone_of(request)), viewer_of(request).sees_numbers
        charts = {
            name: share_chart(name, tallies, since_ms, until_ms, shown.step_ms, marks)
            for name in {each.facet.endpoint for each in tallies}
        }
        return {
            "ranges": RANGES,
            "range": shown,
            "shares": charts,
            "plots": {
                name: chart_json(chart, tz, sees_numbers=sees) for name, chart in charts.items()
            },
        }

    def _not_let_in(self) -> list[tuple[str, int]]:
        """What the public port refused, could not read or turned away in the last day."""
        now_ms, counts = self._now_ms(), Counter[str]()
        for each in self._store.counts(now_ms - DAY_MS, now_ms + MINUTE_MS):
            counts[each.name] += each.count
        return not_let_in(counts)[:MOST_SHOWN]

    def _uses(self, since_ms: int, until_ms: int) -> list[EndpointUse]:
        store, names = self._store, self._names()
        tallies = store.tallies(since_ms, until_ms, hours=True)
        hits = store.rule_hits(since_ms, until_ms)
        today = store.forms(since_ms, until_ms)
        yesterday = store.forms(since_ms - DAY_MS, since_ms)
        changed: dict[str, list[Change]] = {}
        for each in changes(yesterday, today):
            changed.setdefault(each.endpoint, []).append(each)
        configured = {each.name: each for each in self._endpoints.shown()}
        seen = {tally.facet.endpoint for tally in tallies} | {form.endpoint for form in today}
        return [
            endpoint_use(
                name,
                configured.get(name),
                [each for each in hits if each.endpoint == name],
                [each for each in tallies if each.facet.endpoint == name],
                [each for each in today if each.endpoint == name],
                tuple(changed.get(name, ())),
                names,
                since_ms,
            )
            for name in [*configured, *sorted(seen - configured.keys())]
        ]

    def _json(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        self._freshen()
        since_ms, until_ms = self._day()
        return {
            "since": time_of(since_ms * 1000),
            "until": time_of(until_ms * 1000),
            "endpoints": [endpoint_json(each) for each in self._uses(since_ms, until_ms)],
        }


def _of_rule(endpoint: str, rule: str) -> str:
    """The search for the streams of the last day that a rule of an endpoint decided."""
    asked = (Condition("endpoint", (endpoint,)), Condition("rule", (rule,)))
    return query_text(Query(asked)) + " since:1d"


def endpoint_json(use: EndpointUse) -> Json:
    """One endpoint; of one that is not configured any more `configured` is null."""
    shown = use.configured
    return {
        "name": use.name,
        "account": use.account,
        "streams": use.streams,
        "options": dict(use.options),
        "configured": shown
        and {
            "kind": shown.kind.value,
            "mode": shown.mode,
            "auth": shown.auth,
            "safe_option": shown.safe_option,
            "deadline_ms": shown.deadline_ms,
            "release": shown.rules.release,
            "running_since": None
            if shown.rules.since_us is None
            else time_of(shown.rules.since_us),
            "by": shown.rules.by,
            "file": shown.rules.file or None,
            "file_problem": shown.rules.unused or None,
        },
        "rules": [_rule_json(each) for each in use.rules],
    }


def _rule_json(use: RuleUse) -> Json:
    return {
        "name": use.name,
        "when": use.when,
        "option": use.option or None,
        "select": use.select or None,
        "pool": use.pool or None,
        "class": use.class_ or None,
        "promise": use.promise or None,
        "written": use.written,
        "stands_in": use.stands_in,
        "hits": use.hits,
        "hits_before": use.before,
        "last_hit_at": None if use.last_ms is None else time_of(use.last_ms * 1000),
        "last_hit_before": use.last_before,
    }
