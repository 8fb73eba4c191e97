"""An address of the API: work in a thread, JSON as the answer, kept by nobody on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from switchhook.web.json import encode_json

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Endpoint = Callable[[Request], Awaitable[Response]]


def json_response(body: bytes, status: int = 200) -> Response:
    """Encoded JSON as an answer."""
    return Response(body, status, headers=NO_STORE, media_type="application/json")


def json_endpoint(
    work: Callable[[Request], Any], threads: ThreadPoolExecutor | None = None
) -> Endpoint:
    """An endpoint of Starlette that answers what `work` gives, and 404 for None.

    `work` is called in one of `threads`, or of the loop's own: it may read the disk.
    """

    def encoded(request: Request) -> bytes | None:
        found = work(request)
        return None if found is None else encode_json(found)

    async def endpoint(request: Request) -> Response:
        body = await asyncio.get_running_loop().run_in_executor(threads, encoded, request)
        if body is None:
            raise HTTPException(404)
        return json_response(body)

    return endpoint
