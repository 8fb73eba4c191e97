"""The page Endpoints: who asks where, in which form, what could not be understood, which rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from starlette.routing import BaseRoute, Route

from switchhook.answer.counter_names import not_let_in
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.streams.format_drift import Change, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.streams.facet import Form, Tally
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.web.render import Renderer

MOST_SHOWN = 12


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint in the last day. `configured` is None where it is only remembered.

    `hours` counts streams, oldest first; `options` how they were answered.
    """

    name: str
    account: str
    destinations: tuple[tuple[str, str], ...]
    configured: EndpointShown | None
    streams: int
    hours: tuple[int, ...]
    options: tuple[tuple[str, int], ...]
    dialects: tuple[tuple[str, int], ...]
    defects: tuple[tuple[str, int], ...]
    more_defects: int
    changes: tuple[Change, ...]


class RulesShown(msgspec.Struct, frozen=True):
    """The rules that an endpoint runs: the release, since when, and the rules' names."""

    release: str
    since_us: int | None
    by: str
    names: tuple[str, ...]


class EndpointShown(msgspec.Struct, frozen=True):
    """An endpoint as it is configured and runs."""

    name: str
    mode: str
    auth: str
    safe_option: str
    deadline_ms: int
    rules: RulesShown


class EndpointsPage:
    """`/endpoints`."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        store: Store,
        names: Callable[[], Names],
        endpoints: Callable[[], Sequence[EndpointShown]],
        now_ms: Callable[[], int],
        freshen: Callable[[], None],
    ) -> None:
        self._renderer = renderer
        self._store = store
        self._names = names
        self._endpoints = endpoints
        self._now_ms = now_ms
        self._freshen = freshen

    def routes(self) -> list[BaseRoute]:
        return [Route("/endpoints", self._page, methods=["GET"], name="endpoints")]

    def _page(self, request: Request) -> Response:
        self._freshen()
        context = {"endpoints": self._traffic(), "not_let_in": self._not_let_in()}
        return self._renderer.page(request, "endpoints.html", context)

    def _not_let_in(self) -> list[tuple[str, int]]:
        """What the public port refused, could not read or turned away in the last day."""
        now_ms, counts = self._now_ms(), Counter[str]()
        for each in self._store.counts(now_ms - DAY_MS, now_ms + MINUTE_MS):
            counts[each.name] += each.count
        return not_let_in(counts)[:MOST_SHOWN]

    def _traffic(self) -> list[Traffic]:
        now_ms = self._now_ms()
        until = now_ms - now_ms % HOUR_MS + HOUR_MS
        tallies = self._store.tallies(until - DAY_MS, until, hours=True)
        today = self._store.forms(until - DAY_MS, until)
        yesterday = self._store.forms(until - 2 * DAY_MS, until - DAY_MS)
        changed: dict[str, list[Change]] = {}
        for each in changes(yesterday, today):
            changed.setdefault(each.endpoint, []).append(each)
        configured = {each.name: each for each in self._endpoints()}
        seen = {tally.facet.endpoint for tally in tallies} | {form.endpoint for form in today}
        names = [*configured, *sorted(seen - configured.keys())]
        return [
            self._one(
                name,
                configured.get(name),
                [tally for tally in tallies if tally.facet.endpoint == name],
                [form for form in today if form.endpoint == name],
                tuple(changed.get(name, ())),
                until - DAY_MS,
            )
            for name in names
        ]

    def _one(
        self,
        name: str,
        configured: EndpointShown | None,
        tallies: list[Tally],
        forms: list[Form],
        changed: tuple[Change, ...],
        since_ms: int,
    ) -> Traffic:
        known = self._names()
        hours = [0] * 24
        options: Counter[str] = Counter()
        for tally in tallies:
            hours[(tally.at_ms - since_ms) // HOUR_MS % 24] += tally.streams
            options[tally.facet.option] += tally.streams
        defects = _counted(forms, "defect")
        return Traffic(
            name=name,
            account=known.accounts_of.get(name, ""),
            destinations=tuple(
                (o, destination) for o in ("A", "B") if (destination := known.destination(name, o))
            ),
            configured=configured,
            streams=sum(hours),
            hours=tuple(hours),
            options=tuple(sorted(options.items())),
            dialects=tuple(_counted(forms, "dialect")),
            defects=tuple(defects[:MOST_SHOWN]),
            more_defects=max(len(defects) - MOST_SHOWN, 0),
            changes=changed,
        )


def _counted(forms: Iterable[Form], aspect: str) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for form in forms:
        if form.aspect == aspect:
            counts[form.value] += form.count
    return counts.most_common()
