"""What the API's answers are made of: their form, and how long a body may be that is asked with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from switchhook.emulator.api.refusal import RefusedRequestError
from switchhook.exotel.wire.rest_error import RestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_LONGEST_BODY = 64 * 1024


def reply(
    body: bytes, xml: bool, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer in XML or JSON."""
    kind = "application/xml" if xml else "application/json"
    return Response(body, status_code=status, media_type=kind, headers=headers)


async def whole_body(request: Request) -> bytes:
    """What was sent. Raises RefusedRequestError where it is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_BODY:
            raise RefusedRequestError(RestError(400, "the body is longer than 64 KB"))
    return bytes(body)
