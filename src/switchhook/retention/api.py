"""What is kept how long, and erasures: for programs, and the section of it on /settings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role, Viewer
from switchhook.exotel.spellings import NotANumber, Subject, read_subject, shown
from switchhook.retention.erasure import NodeState, Phase, awaited
from switchhook.retention.erasure_worker import WORDS
from switchhook.retention.policy import Matter
from switchhook.web.endpoint import json_answer
from switchhook.web.json import Json, time_of
from switchhook.web.json_schema import (
    COUNT,
    NUMBER,
    STRING,
    TIME,
    Schema,
    answers_of,
    body,
    list_of,
    object_of,
    ref,
)
from switchhook.web.openapi import Operation
from switchhook.web.parameters import RefusedParameter, read_none
from switchhook.web.render import viewer_of
from switchhook.web.sign_in.page_support import require

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.routing import BaseRoute

    from switchhook.retention.erasure import AwaitedNode, Proof
    from switchhook.retention.retention_worker import RetentionStatus, RetentionWorker

_LARGEST = 4096
_SHOWN = 20


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    number: str | None = None
    call: str | None = None
    custom_field: str | None = None
    plan: bool = False


class RetentionApi:
    """`/api/v1/keeping`, `/api/v1/erasures`, and what the form on /settings posts to.

    `region` is where a number without a country code is read; `away` tells for how many seconds
    which nodes of a cluster are away.
    """

    def __init__(
        self,
        keeper: RetentionWorker,
        region: str = "IN",
        *,
        away: Callable[[], Mapping[int, float]] = dict,
    ) -> None:
        self._keeper, self._region, self._away = keeper, region, away

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/api/v1/keeping", self._keeping, methods=["GET"]),
            Route("/api/v1/erasures", self._erasures, methods=["GET"]),
            Route("/api/v1/erasures", self._erase, methods=["POST"]),
            Route("/api/v1/erasures/{id}", self._erasure, methods=["GET"]),
            Route("/settings/erasures", self._erase_by_form, methods=["POST"]),
        )

    def context(self, viewer: Viewer) -> Json:
        """What `_keeping.html` shows; reads the disk, so call it in a thread."""
        status, away = self._keeper.status(), self._away()
        proofs = self._keeper.proofs()[:_SHOWN]
        waits = {each.id: awaited(each.nodes or (), away) for each in proofs}
        return {
            "keeping": status,
            "erasures": proofs,
            "awaited": waits,
            "some_away": any(node.away_s is not None for some in waits.values() for node in some),
            "may_erase": viewer.may(Role.ADMINISTRATOR),
        }

    async def _keeping(self, request: Request) -> Response:
        read_none(request.query_params.multi_items())
        return await json_answer(lambda: _keeping_json(self._keeper.status()))

    async def _erasures(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        read_none(request.query_params.multi_items())
        return await json_answer(
            lambda: {"erasures": [_proof_json(each) for each in self._keeper.proofs()]}
        )

    async def _erasure(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        read_none(request.query_params.multi_items())
        id = request.path_params["id"]

        def look() -> Json | None:
            proof = self._keeper.proof(id)
            if proof is None:
                return None
            waits = awaited(proof.nodes or (), self._away())
            beside = {"awaited": [_awaited_json(each) for each in waits]} if waits else {}
            return {**_proof_json(proof), "confirmed": self._keeper.confirmed(id), **beside}

        return await json_answer(look)

    async def _erase(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        sent = await request.body()
        try:
            asked = msgspec.json.decode(sent[:_LARGEST], type=_Asked)
        except ValueError:
            hint = '{"number": "+91…"}, with "plan": true to be told first what it does'
            raise RefusedParameter(None, "the body can't be read", hint) from None
        given = [(each, text) for each in Subject if (text := getattr(asked, each.value))]
        if len(given) != 1:
            hint = "number, call or custom_field"
            raise RefusedParameter(None, "one thing is erased at a time", hint)
        subject, value = given[0][0], self._value(*given[0])
        if asked.plan:
            return await json_answer(lambda: msgspec.to_builtins(self._keeper.plan(value, subject)))
        viewer = viewer_of(request)
        return await json_answer(lambda: _proof_json(self._begin(subject, value, viewer)), 202)

    async def _erase_by_form(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        form = await request.form()
        said, again, word = (str(form.get(name, "")) for name in ("number", "again", "subject"))
        subject = Subject(word) if word in set(Subject) else Subject.NUMBER
        value = self._value(subject, said)
        if self._value(subject, again) != value:
            raise RefusedParameter(
                "again",
                "the two differ",
                "nothing was erased: go back, and type the same twice",
            )
        await asyncio.to_thread(self._begin, subject, value, viewer_of(request))
        return RedirectResponse("/settings#keeping", 303)

    def _value(self, subject: Subject, text: str) -> str:
        found = read_subject(subject, text, self._region)
        if isinstance(found, NotANumber):
            raise RefusedParameter(
                subject.value, found.problem, "the whole of it, for that is searched"
            )
        return found

    def _begin(self, subject: Subject, value: str, viewer: Viewer) -> Proof:
        deed = deed_of(viewer, f"asked to erase a {WORDS[subject]}", shown(subject, value))
        return self._keeper.erase(value, viewer.name, deed, subject)


def _keeping_json(status: RetentionStatus) -> Json:
    return {
        "running": status.running,
        "problem": status.problem,
        "classes": [
            {
                "class": each.matter.value,
                "days": each.days,
                "oldest_at": _time(each.oldest_ms),
                "overdue_s": each.overdue_ms // 1000,
                "removed": each.removed.rows,
                "removed_bytes": each.removed.bytes,
                "last_removed_at": _time(each.removed.at_ms or None),
            }
            for each in status.classes
        ],
    }


def _proof_json(proof: Proof) -> Json:
    """A proof as JSON: its fields as they are, since its hash is over them."""
    found: Json = msgspec.to_builtins(proof)
    return found


def _awaited_json(node: AwaitedNode) -> Json:
    return {"node": node.node, "name": node.name, "said": node.words, "away_s": node.away_s}


def _time(ms: int | None) -> str | None:
    return None if ms is None else time_of(ms * 1000)


_PROOF = {
    "id": STRING,
    "masked": STRING,
    "by": STRING,
    "asked_ms": COUNT,
    "until_seq": COUNT,
    "state": {"enum": [phase.value for phase in Phase]},
    "complete": {"type": "boolean"},
    "places": list_of(
        object_of(
            name=STRING,
            searched=COUNT,
            found=COUNT,
            spellings=COUNT,
            left=COUNT,
            stays=COUNT,
            digest=STRING,
            seqs=list_of(COUNT),
        )
    ),
    "subject": {"enum": [subject.value for subject in Subject]},
    "looked_for": list_of(STRING),
    "not_looked_for": list_of(STRING),
    "done_ms": {"type": ["integer", "null"]},
    "proof": STRING,
}


_NODE = object_of(
    node=COUNT,
    name=STRING,
    state={"enum": [state.value for state in NodeState]},
    until_seq=COUNT,
    found=COUNT,
    left=COUNT,
    complete={"type": "boolean"},
    proof=STRING,
)


_AWAITED = object_of(node=COUNT, name=STRING, said=STRING, away_s=NUMBER)


def _proof_of(at_times: Schema | None = None, **more: Schema) -> Schema:
    found = object_of(**_PROOF, **more)
    there = {"not_looked_into": list_of(STRING), "nodes": list_of(_NODE), **(at_times or {})}
    return {**found, "properties": {**found["properties"], **there}}


SCHEMAS: dict[str, Json] = {
    "Keeping": object_of(
        running={"type": "boolean"},
        problem={"type": ["string", "null"]},
        classes=list_of(
            object_of(
                **{"class": {"enum": [matter.value for matter in Matter]}},
                days=COUNT,
                oldest_at=TIME,
                overdue_s=COUNT,
                removed=COUNT,
                removed_bytes=COUNT,
                last_removed_at=TIME,
            )
        ),
    ),
    "Erasures": object_of(erasures=list_of(_proof_of())),
    "Erasure": _proof_of({"awaited": list_of(_AWAITED)}, confirmed={"type": "boolean"}),
    "ErasureBegun": _proof_of(),
    "ErasurePlan": object_of(
        masked=STRING,
        until_seq=COUNT,
        segments=COUNT,
        bytes=COUNT,
        seals_open={"type": "boolean"},
    ),
}

OPERATIONS = (
    Operation("/api/v1/keeping", "keeping", "What is kept how long, by class", "Keeping"),
    Operation("/api/v1/erasures", "erasures", "The proofs of erasures, newest first", "Erasures"),
    Operation(
        "/api/v1/erasures/{id}",
        "erasure",
        "One erasure, and whether it still holds",
        "Erasure",
        identifier="id",
    ),
)
"""The addresses of `RetentionApi` that are read."""

_ERASE: Schema = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "description": "whole, with its country's code"},
        "call": {"type": "string", "description": "a CallSid or StreamSID instead"},
        "custom_field": {"type": "string", "description": "the value of a CustomField instead"},
        "plan": {"type": "boolean", "default": False, "description": "only say what it would do"},
    },
    "minProperties": 1,
    "additionalProperties": False,
}
_PLANNED = {
    "description": "the plan",
    "content": {"application/json": {"schema": ref("ErasurePlan")}},
}

PATHS: dict[str, Schema] = {
    "/api/v1/erasures": {
        "post": {
            "operationId": "erase",
            "summary": "Forget a phone number or call everywhere; it goes on by itself",
            "requestBody": body(_ERASE),
            "responses": answers_of("begun", "ErasureBegun", status="202") | {"200": _PLANNED},
        }
    }
}
"""What is asked by other methods than GET."""
