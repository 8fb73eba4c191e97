"""The page Health: everything that `/healthz` of both programs says, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.routing import BaseRoute, Route

from switchhook.web.sign_in.request_origin import FORWARDED_BY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.overview.health import NodesHealth
    from switchhook.overview.health_keeper import Health
    from switchhook.web.render import Renderer


class UnusedFile(Protocol):
    """What an operator's file holds that does not run, and why; it is wrong, or it waits."""

    @property
    def name(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def refused(self) -> bool: ...


class HealthPage:
    """`/health`; `files` are those that don't run, `nodes` are those of a cluster, if any."""

    def __init__(
        self,
        renderer: Renderer,
        health: Callable[[], Health],
        files: Callable[[], Sequence[UnusedFile]],
        now_ms: Callable[[], int],
        nodes: Callable[[], NodesHealth | None] = lambda: None,
    ) -> None:
        self._renderer, self._health, self._files, self._now_ms = renderer, health, files, now_ms
        self._nodes = nodes

    def routes(self) -> list[BaseRoute]:
        return [Route("/health", self._page, methods=["GET"], name="health-page")]

    def _page(self, request: Request) -> Response:
        nodes = self._nodes()
        context = {
            "health": self._health(),
            "files": self._files(),
            "now_ms": self._now_ms(),
            "nodes": nodes,
            "asked": "" if nodes is None else nodes.called(request.scope.get(FORWARDED_BY)),
        }
        return self._renderer.page(request, "health.html", context)
