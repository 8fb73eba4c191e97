"""The console as an ASGI app: pages and APIs side by side, and how each refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from switchhook.errors import (
    ClusterError,
    DataFolderError,
    LedgerError,
    SearchError,
    SwitchhookError,
)
from switchhook.web.endpoint import json_response
from switchhook.web.masking import Masked
from switchhook.web.parameters import RefusedParameter

if TYPE_CHECKING:
    from starlette.types import ExceptionHandler


class Pages(Protocol):
    """Pages of the console, or a part of its API: what it answers, by address."""

    def routes(self) -> Sequence[BaseRoute]: ...


def create_app(pages: Sequence[Pages]) -> Starlette:
    """An app for uvicorn; where two parts answer an address, the first does."""
    # Typed for Exception only, though each handler gets the kind that it is registered for.
    refusals: dict[Any, ExceptionHandler] = {
        RefusedParameter: _refused,  # type: ignore[dict-item]
        HTTPException: _http_problem,  # type: ignore[dict-item]
        SearchError: _given_up,  # type: ignore[dict-item]
        SwitchhookError: _unavailable,
        ClientDisconnect: _gone,
    }
    routes = [route for each in pages for route in each.routes()]
    return Starlette(routes=routes, exception_handlers=refusals, middleware=[Middleware(Masked)])


def _problem(status: int, problem: str, hint: str, parameter: str | None = None) -> Response:
    said = {"parameter": parameter, "problem": problem, "hint": hint}
    return json_response({"error": said}, status)


def _refused(request: Request, error: RefusedParameter) -> Response:
    return _problem(400, error.problem, error.hint, error.parameter)


def _given_up(request: Request, error: SearchError) -> Response:
    return _problem(400, error.problem, error.hint, "q")


def _http_problem(request: Request, error: HTTPException) -> Response:
    problem, hint = _PROBLEMS.get(error.status_code, (error.detail, ""))
    response = _problem(error.status_code, problem, hint)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _gone(_request: Request, _error: Exception) -> Response:
    """Give what nobody hears: who left in the middle of a body is no fault of ours to log."""
    return Response(status_code=400)


_PROBLEMS = {
    404: ("there is none", "/api/v1/openapi.json names every address"),
    405: ("this method is not answered here", "/api/v1/openapi.json names those of every address"),
}


def _unavailable(request: Request, error: Exception) -> Response:
    kept = "receipts are kept all the same; see /healthz"
    # Their texts name a file or a server, too.
    if isinstance(error, (ClusterError, DataFolderError, LedgerError)):
        return _problem(503, error.problem, f"{error.hint}; {kept}")
    return _problem(503, str(error), kept)
