"""How admission stands, as JSON: `/api/v1/admission`, and what the page Capacity shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route

from switchhook.web.endpoint import json_endpoint
from switchhook.web.json import Json, time_of
from switchhook.web.json_schema import (
    COUNT,
    NUMBER,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    list_of,
    object_of,
    ref,
)
from switchhook.web.openapi import Operation
from switchhook.web.parameters import read_none

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from switchhook.routes.admission_view import AdmissionView


class AdmissionApi:
    """`GET /api/v1/admission`; `views` may be asked by any thread."""

    def __init__(self, views: Callable[[], Sequence[AdmissionView]]) -> None:
        self._views = views

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/api/v1/admission", json_endpoint(self._all), methods=["GET"])]

    def _all(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return {"accounts": [admission_json(each) for each in self._views()]}


def admission_json(view: AdmissionView) -> Json:
    """One account; the polls are the newest first."""
    estimate = view.estimate
    return {
        "account": view.account,
        "at": time_of(view.at_ms * 1000),
        "allowed": estimate.allowed,
        "room": estimate.room,
        "unknown": estimate.unknown or None,
        "poll_age_s": None if estimate.poll_age_ms is None else estimate.poll_age_ms / 1000,
        "old": estimate.old or None,
        "pending": estimate.held.pending,
        "live": estimate.held.live,
        "unseen_ends": round(estimate.unseen, 1),
        "foreign": round(estimate.foreign, 1),
        "reserve": round(estimate.reserve, 1),
        "reserves": dict(view.reserves),
        "asked": {
            "admitted": view.admitted,
            "refused": view.refused,
            "refused_by_rule": view.by_rule,
            "refused_by_hand": view.by_hand,
            "unknown": view.unknown,
        },
        "pending_s": view.pending_ms / 1000,
        "figures_age_s": view.age_ms / 1000,
        "given_up": view.given_up,
        "polls": [
            {
                "at": time_of(each.at_ms * 1000),
                "active": each.active,
                "ours": each.ours,
                "left_over": each.residual,
                "foreign": round(each.guessed, 1),
            }
            for each in reversed(view.compared)
        ],
    }


_NUMBER: Schema = {"type": "number", "minimum": 0}

SCHEMAS: dict[str, Schema] = {
    "AdmissionOfAccount": object_of(
        account=STRING,
        at=TIME,
        allowed=WHOLE,
        room=COUNT,
        unknown=TEXT,
        poll_age_s=NUMBER,
        old=TEXT,
        pending=COUNT,
        live=COUNT,
        unseen_ends=_NUMBER,
        foreign=_NUMBER,
        reserve=_NUMBER,
        reserves={"type": "object", "additionalProperties": COUNT},
        asked=object_of(
            admitted=COUNT,
            refused=COUNT,
            refused_by_rule=COUNT,
            refused_by_hand=COUNT,
            unknown=COUNT,
        ),
        pending_s=_NUMBER,
        figures_age_s=_NUMBER,
        given_up=COUNT,
        polls=list_of(
            object_of(
                at=TIME, active=COUNT, ours=COUNT, left_over={"type": "integer"}, foreign=_NUMBER
            )
        ),
    ),
    "Admission": object_of(accounts=list_of(ref("AdmissionOfAccount"))),
}

OPERATIONS = (
    Operation(
        "/api/v1/admission",
        "admission",
        "Who is let in, and what room there is",
        "Admission",
    ),
)
"""The address of `AdmissionApi`."""
