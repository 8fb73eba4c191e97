"""The page Health: everything that `/healthz` of both programs says, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

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
    """`/health`; `files` are those that don't run."""

    def __init__(
        self,
        renderer: Renderer,
        health: Callable[[], Health],
        files: Callable[[], Sequence[UnusedFile]],
        now_ms: Callable[[], int],
    ) -> None:
        self._renderer, self._health, self._files, self._now_ms = renderer, health, files, now_ms

    def routes(self) -> list[BaseRoute]:
        return [Route("/health", self._page, methods=["GET"], name="health-page")]

    def _page(self, request: Request) -> Response:
        health = self._health()
        context = {"health": health, "files": self._files(), "now_ms": self._now_ms()}
        return self._renderer.page(request, "health.html", context)
