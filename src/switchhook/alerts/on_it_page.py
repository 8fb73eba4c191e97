"""The page that the link in a message leads to: one press, and nobody else is called.

Looking changes nothing: chat and mail programs follow links by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import Deed
from switchhook.alerts.alert import Alert
from switchhook.alerts.on_it_link import PATH, OnIt, read_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.alerts.engine import Alerting
    from switchhook.web.render import Renderer


class OnItPage:
    """`/on-it/{link}`; `key` is the data folder's."""

    def __init__(
        self, renderer: Renderer, engine: Alerting, key: bytes, note: Callable[[Deed], object]
    ) -> None:
        self._renderer, self._engine, self._key, self._note = renderer, engine, key, note

    def routes(self) -> list[BaseRoute]:
        path = f"{PATH}{{link}}"
        return [
            Route(path, self._show, methods=["GET"]),
            Route(path, self._take, methods=["POST"]),
        ]

    def _show(self, request: Request) -> Response:
        on_it, alert = self._found(request)
        return self._page(request, on_it, alert)

    async def _take(self, request: Request) -> Response:
        on_it, alert = self._found(request)
        if on_it is None or alert is None or alert.acknowledged:
            return self._page(request, on_it, alert)
        who = f"{on_it.destination} (by the link in its message)"
        taken = await run_in_threadpool(self._engine.acknowledge, alert.id, on_it.destination)
        if taken is not None:
            origin = request.scope["request_origin"].address
            details = dict(alert.labels)
            deed = Deed(
                who=who,
                what="acknowledged an alert",
                subject=alert.rule,
                origin=origin,
                details=details,
            )
            await run_in_threadpool(self._note, deed)
        return self._page(request, on_it, taken, done=taken is not None)

    def _found(self, request: Request) -> tuple[OnIt | None, Alert | None]:
        on_it = read_link(self._key, request.path_params["link"])
        if on_it is None:
            return None, None
        return on_it, next((each for each in self._engine.alerts if on_it.names(each)), None)

    def _page(
        self, request: Request, on_it: OnIt | None, alert: Alert | None, *, done: bool = False
    ) -> Response:
        context: dict[str, Any] = {"on_it": on_it, "alert": alert, "done": done}
        status = 200 if on_it is not None else 404
        return self._renderer.page(request, "on_it.html", context, status=status)
