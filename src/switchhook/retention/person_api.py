"""All that is held on one person: `POST /api/v1/persons`, and the page that /settings leads to.

A number is never in an address: those end in logs and histories.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.exotel.spellings import NotANumber, read_number
from switchhook.web.endpoint import NO_STORE, json_response
from switchhook.web.json_schema import (
    COUNT,
    STRING,
    WHOLE,
    Schema,
    answers_of,
    body,
    list_of,
    object_of,
)
from switchhook.web.parameters import RefusedParameter
from switchhook.web.render import viewer_of
from switchhook.web.sign_in.page_support import require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from switchhook.access.audit import Deed
    from switchhook.retention.person import Person
    from switchhook.retention.person_search import PersonSearch
    from switchhook.retention.policy import RetentionLimits
    from switchhook.web.render import Renderer

PATIENCE_S = 20.0
"""For so long it looks; `switchhook person` looks to the end."""
_LARGEST = 4096
_SHOWN = 500


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    number: str


class PersonApi:
    """For administrators; each look is in the audit log before it is taken."""

    def __init__(
        self,
        search: PersonSearch,
        renderer: Renderer,
        limits: Callable[[], RetentionLimits],
        note: Callable[[Deed], None],
        region: str = "IN",
    ) -> None:
        self._search, self._renderer, self._limits = search, renderer, limits
        self._note, self._region = note, region
        self._one_at_a_time = asyncio.Lock()

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/api/v1/persons", self._by_api, methods=["POST"]),
            Route("/settings/person", self._by_form, methods=["POST"]),
        )

    async def _by_api(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        sent = await request.body()
        try:
            asked = msgspec.json.decode(sent[:_LARGEST], type=_Asked)
        except ValueError:
            raise RefusedParameter(None, "the body can't be read", '{"number": "+91…"}') from None
        person = await self._find(request, asked.number)
        found: dict[str, Any] = msgspec.to_builtins(person)
        return json_response({**found, "sids": list(person.sids)})

    async def _by_form(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        form = await request.form()
        person = await self._find(request, str(form.get("number", "")))
        context = {"person": person, "shown": _SHOWN}
        return self._renderer.page(request, "person.html", context, headers=NO_STORE)

    async def _find(self, request: Request, text: str) -> Person:
        number = read_number(text[:64], self._region)
        if isinstance(number, NotANumber):
            raise RefusedParameter(
                "number", number.problem, "the whole number, for it is searched as such"
            )
        deed = deed_of(viewer_of(request), "looked up a person", number.masked)

        def find() -> Person:
            self._note(deed)
            until = time.monotonic() + PATIENCE_S
            return self._search.find(number, self._limits(), lambda: time.monotonic() < until)

        async with self._one_at_a_time:  # it reads the whole journal
            return await asyncio.to_thread(find)


SCHEMAS: dict[str, Schema] = {
    "Person": object_of(
        number=STRING,
        searched=COUNT,
        until_seq=COUNT,
        whole={"type": "boolean"},
        records=list_of(
            object_of(
                seq=COUNT,
                kind=STRING,
                at_ms=COUNT,
                sids=list_of(STRING),
                times=COUNT,
                raw_until_ms=WHOLE,
                story_until_ms=WHOLE,
            )
        ),
        refused_files=COUNT,
        rows=list_of(object_of(kind=STRING, at_ms=WHOLE, until_ms=WHOLE)),
        audit_mentions=COUNT,
        not_reached=list_of(STRING),
        sids=list_of(STRING),
    )
}

_ASK: Schema = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "description": "whole, with its country's code"},
    },
    "required": ["number"],
    "additionalProperties": False,
}

PATHS: dict[str, Schema] = {
    "/api/v1/persons": {
        "post": {
            "operationId": "person",
            "summary": "All that is held on one person, by their number; noted in the audit log",
            "requestBody": body(_ASK),
            "responses": answers_of("the report", "Person"),
        }
    }
}
"""What is asked by other methods than GET."""
