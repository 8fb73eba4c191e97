"""The API of how a candidate does: its evidence and stages, and what it would have given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.releases.evidence_json import evidence_json
from switchhook.releases.view import StageState
from switchhook.web.endpoint import json_endpoint
from switchhook.web.json_schema import (
    COUNT,
    NUMBER,
    STRING,
    TEXT,
    TIME,
    Schema,
    answers_of,
    list_of,
    object_of,
    ref,
    words,
)
from switchhook.web.parameters import read_none

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from switchhook.releases.view import RolloutView, ShadowView
    from switchhook.web.json import Json


class EvidenceApi:
    """`/api/v1/releases/{number}/evidence`. `views` gives what is known of a release."""

    def __init__(
        self, views: Callable[[int], tuple[RolloutView | None, ShadowView | None]]
    ) -> None:
        self._views = views

    def routes(self) -> Sequence[BaseRoute]:
        at = "/api/v1/releases/{number:number}/evidence"
        return [Route(at, json_endpoint(self._one), methods=["GET"])]

    def _one(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        rollout, shadow = self._views(request.path_params["number"])
        if rollout is None and shadow is None:
            raise HTTPException(404)
        return evidence_json(rollout, shadow)


_YES: Schema = {"type": "boolean"}
_CALLER = object_of(
    at=TIME, receipt=STRING, call_sid=STRING, number=STRING, canary=_YES, what=STRING
)
SCHEMAS: dict[str, Schema] = {
    "RolloutMeasure": object_of(
        name=STRING,
        e=NUMBER,
        risk=NUMBER,
        low=NUMBER,
        high=NUMBER,
        canary=COUNT,
        canary_failed=COUNT,
        control=COUNT,
        control_failed=COUNT,
    ),
    "RolloutEvidence": object_of(
        e=NUMBER,
        p=NUMBER,
        harm=_YES,
        because=TEXT,
        callers=COUNT,
        left_out=COUNT,
        words=STRING,
        measures=list_of(ref("RolloutMeasure")),
        fuses=list_of(object_of(name=STRING, e=NUMBER, tripped=_YES, words=STRING)),
    ),
    "Rollout": object_of(
        number=COUNT,
        share=NUMBER,
        told_share=NUMBER,
        told_at=TIME,
        since=TIME,
        ended=TIME,
        by_itself=_YES,
        waits_for_a_person=_YES,
        plan=STRING,
        unwatched=TEXT,
        waits_for_outcomes=TEXT,
        harm_at=NUMBER,
        evidence={"oneOf": [ref("RolloutEvidence"), {"type": "null"}]},
        stages=list_of(
            object_of(
                share=NUMBER,
                state=words(*StageState),
                decided=COUNT,
                callers=COUNT,
                callers_before=COUNT,
                counts=_YES,
                least_callers=COUNT,
                least_s=COUNT,
                begun=TIME,
                ended=TIME,
            )
        ),
        callers=list_of(_CALLER),
    ),
    "Shadow": object_of(
        number=COUNT,
        since=TIME,
        seen=COUNT,
        different=COUNT,
        unable=COUNT,
        kinds=list_of(object_of(words=STRING, count=COUNT, receipt=STRING)),
        callers=list_of(
            object_of(
                at=TIME,
                receipt=STRING,
                call_sid=STRING,
                number=STRING,
                what=STRING,
                instead=STRING,
            )
        ),
    ),
    "ReleaseEvidence": object_of(
        rollout={"oneOf": [ref("Rollout"), {"type": "null"}]},
        shadow={"oneOf": [ref("Shadow"), {"type": "null"}]},
    ),
}
PATHS: dict[str, Schema] = {
    "/api/v1/releases/{number}/evidence": {
        "get": {
            "operationId": "release_evidence",
            "summary": "How a candidate does: evidence of its canary, differences in shadow",
            "parameters": [
                {
                    "name": "number",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "integer", "minimum": 1},
                }
            ],
            "responses": answers_of("as described", "ReleaseEvidence", gone=True),
        },
    },
}
