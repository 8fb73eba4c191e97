"""The API of what the store counts, and of exports."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import Deed, deed_of
from switchhook.access.roles import Role
from switchhook.exotel.times import DAY_MS
from switchhook.streams.export import rows_of
from switchhook.streams.export_asked import EXPORT, asked_export
from switchhook.streams.names import Names
from switchhook.web.endpoint import NO_STORE, json_endpoint
from switchhook.web.json import time_of
from switchhook.web.parameters import STRETCH, RefusedParameter, read_filters, read_none
from switchhook.web.render import zone_named
from switchhook.web.sign_in.page_support import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from starlette.requests import Request

    from switchhook.streams.export import Rows
    from switchhook.streams.facet import Facet
    from switchhook.streams.store import Store
    from switchhook.web.json import Json

_LONGEST_MS = {"minute": 7 * DAY_MS, "hour": 400 * DAY_MS}


class StoreApi:
    """`/api/v1/tallies`, `/uses`, `/counts`, `/forms`, and `/api/v1/streams/export`.

    `freshen` waits for the fold; `note` keeps a deed for the audit log. Each export runs in a
    thread of its own pool, of which there are two: more wait.
    """

    def __init__(
        self,
        store: Store,
        names: Callable[[], Names],
        now_ms: Callable[[], int],
        *,
        freshen: Callable[[], None] = lambda: None,
        note: Callable[[Deed], object] = lambda deed: None,
    ) -> None:
        self._store, self._names, self._now_ms = store, names, now_ms
        self._freshen, self._note = freshen, note
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="store-api")
        self._exporting = ThreadPoolExecutor(2, thread_name_prefix="export")

    def routes(self) -> Sequence[BaseRoute]:
        """They come before those of the streams, whose addresses end in any SID."""
        counted = {
            "tallies": self._tallies,
            "uses": self._uses,
            "counts": self._counts,
            "forms": self._forms,
        }
        return (
            Route("/api/v1/streams/export", self._export, methods=["GET"]),
            *(
                Route(f"/api/v1/{name}", json_endpoint(find, self._threads), methods=["GET"])
                for name, find in counted.items()
            ),
        )

    def _tallies(self, request: Request) -> Json:
        since, until, by = self._stretch(request)
        self._freshen()
        found = self._store.tallies(since, until, hours=by == "hour")
        return {
            "by": by,
            "tallies": [
                {"at": time_of(each.at_ms * 1000), **_facet(each.facet), "streams": each.streams}
                for each in found
            ],
        }

    def _uses(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        self._freshen()
        return {
            "uses": [
                {
                    **_facet(each.facet),
                    "streams": each.streams,
                    "first_at": time_of(each.first_ms * 1000),
                    "last_at": time_of(each.last_ms * 1000),
                }
                for each in self._store.uses()
            ]
        }

    def _counts(self, request: Request) -> Json:
        since, until, _ = self._stretch(request, "minute")
        self._freshen()
        return {
            "counts": [
                {"at": time_of(each.at_ms * 1000), "name": each.name, "count": each.count}
                for each in self._store.counts(since, until)
            ]
        }

    def _forms(self, request: Request) -> Json:
        since, until, _ = self._stretch(request, "hour")
        self._freshen()
        return {
            "forms": [
                {
                    "at": time_of(each.at_ms * 1000),
                    "endpoint": each.endpoint,
                    "aspect": each.aspect,
                    "value": each.value,
                    "count": each.count,
                }
                for each in self._store.forms(since, until)
            ]
        }

    def _stretch(self, request: Request, only: str | None = None) -> tuple[int, int, str]:
        """From when, until when, and by what; the last day where nothing is said."""
        now_ms = self._now_ms()
        known = STRETCH if only is None else {n: p for n, p in STRETCH.items() if n != "by"}
        values = read_filters(request.query_params.multi_items(), now_ms, known)
        by: str = only or values.get("by", "minute")
        until: int = values.get("until", now_ms + 1)
        since: int = values.get("since", until - DAY_MS)
        if until - since > _LONGEST_MS[by]:
            days = _LONGEST_MS[by] // DAY_MS
            raise RefusedParameter(
                "since", f"more than {days} days by the {by}", "ask for less at a time"
            )
        return since, until, by

    async def _export(self, request: Request) -> StreamingResponse:
        now_ms, viewer = self._now_ms(), require(request, Role.OPERATOR)
        values = read_filters(request.query_params.multi_items(), now_ms, EXPORT)
        zone = zone_named(values.get("tz", "ist"))
        asked = asked_export(values, zone, viewer.sees, sees_all=viewer.sees_numbers)
        deed = deed_of(viewer, "exported streams", **asked.details())

        def begin() -> Iterator[bytes]:
            self._note(deed)
            self._freshen()
            rows = rows_of(self._store, asked.query, self._names(), asked.look)
            return asked.form.write(_begun(rows), asked.look)

        loop = asyncio.get_running_loop()
        parts = await loop.run_in_executor(self._exporting, begin)
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        name = f"streams-{at:%Y%m%d-%H%M%S}.{asked.form.ending}"
        headers = NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(
            self._sent(parts), media_type=asked.form.media_type, headers=headers
        )

    async def _sent(self, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Each part when the reader has taken the one before; none once it has gone."""
        loop = asyncio.get_running_loop()
        while (part := await loop.run_in_executor(self._exporting, next, parts, None)) is not None:
            yield part


def _begun(rows: Rows) -> Rows:
    """Rows of which the first was looked for already, so that a failure comes before it."""
    first = next(rows, None)
    return rows if first is None else chain((first,), rows)


def _facet(facet: Facet) -> Json:
    return {
        "endpoint": facet.endpoint,
        "status": facet.status,
        "cause": facet.cause,
        "option": facet.option,
        "kind": facet.kind,
        "host": facet.host,
        "exophone": facet.exophone,
    }
