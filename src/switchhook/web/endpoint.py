"""An address of the API: work in a thread, JSON as the answer, kept by nobody on the way.

Numbers are masked around all of it (`masking.Masked`): nothing here or behind it need do so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from switchhook.web.json import encode_json
from switchhook.web.parameters import RefusedParameter

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]


def json_response(value: object, status: int = 200) -> Response:
    """A value as an answer in JSON."""
    return _response(encode_json(value), status)


async def json_answer(
    work: Callable[[], Any], status: int = 200, threads: ThreadPoolExecutor | None = None
) -> Response:
    """What `work` gives as an answer in JSON, and 404 for None.

    `work` is called in one of `threads`, or of the loop's own: it may read the disk.
    """

    def encoded() -> bytes | None:
        found = work()
        return None if found is None else encode_json(found)

    body = await asyncio.get_running_loop().run_in_executor(threads, encoded)
    if body is None:
        raise HTTPException(404)
    return _response(body, status)


def json_endpoint(
    work: Callable[[Request], Any], threads: ThreadPoolExecutor | None = None
) -> Endpoint:
    """An endpoint of Starlette that answers what `work` gives, by `json_answer`."""

    async def endpoint(request: Request) -> Response:
        return await json_answer(lambda: work(request), threads=threads)

    return endpoint


def body_endpoint(act: Callable[[Request, bytes], Response], largest: int) -> Endpoint:
    """An endpoint that hands on a body of at most so many bytes, in a thread."""

    async def endpoint(request: Request) -> Response:
        raw = b""
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > largest:
                raise RefusedParameter(None, "the body is too large", f"at most {largest:,} bytes")
        return await run_in_threadpool(act, request, raw)

    return endpoint


def read_body(raw: bytes, kind: type[T]) -> T:
    """A body of JSON. Raises RefusedParameter for what is none, or is not as described."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        problem = f"the body is not as described: {error}"
        raise RefusedParameter(None, problem, "see docs/api.md") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedParameter(None, "the body is not JSON", "see docs/api.md") from None


def _response(body: bytes, status: int) -> Response:
    return Response(body, status, headers=NO_STORE, media_type="application/json")
