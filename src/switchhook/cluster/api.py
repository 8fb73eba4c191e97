"""The API of nodes: who leads, how each is, and having another lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.cluster.acts import LONGEST_REASON
from switchhook.cluster.json import ALONE, alone_json, cluster_json, node_json
from switchhook.cluster.view import NodeState
from switchhook.errors import NodeError
from switchhook.web.endpoint import body_endpoint, json_endpoint, json_response, read_body
from switchhook.web.json_schema import (
    COUNT,
    NUMBER,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    answers_of,
    body,
    list_of,
    object_of,
    or_null,
    ref,
    words,
)
from switchhook.web.parameters import RefusedParameter, read_none
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.roles import Viewer
    from switchhook.cluster.acts import Done, NodeActs
    from switchhook.cluster.view import ClusterView
    from switchhook.web.json import Json

LARGEST = 4_096


class LeadBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/nodes/lead`: a node by name or number."""

    node: str
    reason: str = ""


class DrainBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/nodes/drain`: likewise; `back` takes it back."""

    node: str
    back: bool = False
    reason: str = ""


class NodesApi:
    """`/api/v1/nodes` and below.

    `view` gives the cluster, None on one machine; `acts` is None where nothing can be done here.
    """

    def __init__(
        self,
        view: Callable[[], ClusterView | None],
        acts: NodeActs | None,
        now_ms: Callable[[], int],
    ) -> None:
        self._view, self._acts, self._now_ms = view, acts, now_ms

    def routes(self) -> Sequence[BaseRoute]:
        at = "/api/v1/nodes"
        return [
            Route(at, json_endpoint(self._all), methods=["GET"]),
            Route(f"{at}/lead", body_endpoint(self._lead, LARGEST), methods=["POST"]),
            Route(f"{at}/drain", body_endpoint(self._drain, LARGEST), methods=["POST"]),
        ]

    def _all(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        view = self._view()
        return alone_json() if view is None else cluster_json(view, self._now_ms())

    def _lead(self, request: Request, raw: bytes) -> Response:
        viewer, wanted = operator_of(request), read_body(raw, LeadBody)
        return self._did(lambda acts: lead_by(acts, viewer, wanted))

    def _drain(self, request: Request, raw: bytes) -> Response:
        viewer, wanted = operator_of(request), read_body(raw, DrainBody)
        return self._did(lambda acts: drain_by(acts, viewer, wanted))

    def _did(self, act: Callable[[NodeActs], Done]) -> Response:
        view = self._view()
        if self._acts is None or view is None:
            hint = "docs/many-nodes.md leads to a cluster"
            raise RefusedParameter(None, ALONE, hint)
        try:
            done = act(self._acts)
        except NodeError as error:
            raise RefusedParameter(None, error.problem, error.hint) from None
        return json_response({"said": done.said, "node": node_json(view, done.node)})


def operator_of(request: Request) -> Viewer:
    """Who may act. Raises HTTPException 403 for others."""
    viewer = viewer_of(request)
    if not viewer.may(Role.OPERATOR):
        raise HTTPException(403, "only an operator may do this")
    return viewer


def lead_by(acts: NodeActs, viewer: Viewer, wanted: LeadBody) -> Done:
    """Raises NodeError, LedgerError."""
    return acts.lead(
        wanted.node,
        wanted.reason,
        lambda what, subject, said: deed_of(viewer, what, subject, **said),
    )


def drain_by(acts: NodeActs, viewer: Viewer, wanted: DrainBody) -> Done:
    """Raises NodeError, LedgerError."""
    act = acts.take_back if wanted.back else acts.drain
    return act(
        wanted.node,
        wanted.reason,
        lambda what, subject, said: deed_of(viewer, what, subject, **said),
    )


# The description.

_YES: Schema = {"type": "boolean"}
_WHOLE: Schema = {"type": "integer"}
_AGE: Schema = {"type": "number", "minimum": 0}
SCHEMAS: dict[str, Schema] = {
    "Lead": object_of(epoch=COUNT, node=COUNT, name=STRING, since=TIME),
    "NodeLeader": object_of(
        node=COUNT,
        name=STRING,
        epoch=COUNT,
        since=TIME,
        leads=_YES,
        lease_ends_in_s={"type": "number"},
        wanted=WHOLE,
    ),
    "NodeConflict": object_of(node=COUNT, name=STRING, count=COUNT, last_ago_s=_AGE),
    "Cluster": object_of(
        id=STRING,
        as_of=TIME,
        age_s=NUMBER,
        leader=or_null(ref("NodeLeader")),
        led=list_of(ref("Lead")),
        days_ahead=COUNT,
        undated=COUNT,
        commits_waiting=COUNT,
        longest_wait_s=_AGE,
        erased_again=object_of(count=COUNT, done=COUNT),
        conflicts=list_of(ref("NodeConflict")),
    ),
    "Node": object_of(
        node=COUNT,
        name=STRING,
        address=TEXT,
        release=STRING,
        state=words(*NodeState),
        leads=_YES,
        away=_YES,
        seen_ago_s=_AGE,
        joined_at=TIME,
        left_at=TIME,
        receipts_kept=_YES,
        last_seq=COUNT,
        handed_seq=COUNT,
        behind=COUNT,
        behind_s=_AGE,
        segments_waiting=COUNT,
        bytes_waiting=COUNT,
        one_copy=COUNT,
        clock_ahead_ms=_WHOLE,
        told_behind=COUNT,
        problems=list_of(STRING),
    ),
    "Nodes": object_of(
        clustered=_YES, said=TEXT, cluster=or_null(ref("Cluster")), nodes=list_of(ref("Node"))
    ),
    "NodeDone": object_of(said=STRING, node=ref("Node")),
}
_NAMED: dict[str, Schema] = {
    "node": {"type": "string", "minLength": 1, "maxLength": 63},
    "reason": {"type": "string", "maxLength": LONGEST_REASON},
}


def _wanted(**more: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["node"],
        "properties": {**_NAMED, **more},
    }


PATHS: dict[str, Schema] = {
    "/api/v1/nodes": {
        "get": {
            "operationId": "nodes",
            "summary": "Who leads since when, how each node is, and what waits",
            "responses": answers_of("as described", "Nodes"),
        }
    },
    "/api/v1/nodes/lead": {
        "post": {
            "operationId": "lead_node",
            "summary": "Have a node lead, once who leads has ended what it does",
            "requestBody": body(_wanted()),
            "responses": answers_of("it is wanted", "NodeDone"),
        }
    },
    "/api/v1/nodes/drain": {
        "post": {
            "operationId": "drain_node",
            "summary": "Have a node answer and lead no more, or take it back",
            "requestBody": body(_wanted(back=_YES)),
            "responses": answers_of("it is so", "NodeDone"),
        }
    },
}
