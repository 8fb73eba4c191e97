"""A form read before whoever it is for reads it, and given on as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from switchhook.web.sign_in.refusals import RefusedRequest
from switchhook.web.sign_in.request_origin import values_of

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

LARGEST_FORM = 1_000_000
_MOST_FIELDS = 1_000


async def read_form(scope: Scope, receive: Receive) -> tuple[dict[str, list[str]], Receive]:
    """The fields of a form, none of anything else; and what gives it once more.

    Raises RefusedRequest.
    """
    kinds = values_of(scope["headers"], b"content-type")
    if not kinds or not kinds[0].lower().startswith("application/x-www-form-urlencoded"):
        return {}, receive
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise RefusedRequest(400, "the form did not arrive whole")
        body += message.get("body", b"")
        if len(body) > LARGEST_FORM:
            raise RefusedRequest(413, f"a form takes at most {LARGEST_FORM:,} bytes")
        if not message.get("more_body", False):
            break
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        fields = parse_qs(
            body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise RefusedRequest(400, "the form has too many fields") from None
    return fields, again
