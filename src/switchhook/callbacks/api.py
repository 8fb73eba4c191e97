"""The API of promises: who is owed a callback, and what people do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.access.roles import Role
from switchhook.callbacks.acts import PromiseAct
from switchhook.callbacks.json import (
    dialling_json,
    do_not_call_json,
    promise_json,
    refusal_json,
    story_json,
    summary_json,
)
from switchhook.callbacks.parameters import DEFAULT, LARGEST_ID, LISTED, MOST, WHICH, filter_of
from switchhook.callbacks.steering import PromiseWanted
from switchhook.errors import PromiseError
from switchhook.streams.search.numbers import NumberSearches
from switchhook.streams.search.query import Condition, Query
from switchhook.web.endpoint import body_endpoint, json_endpoint, json_response, read_body
from switchhook.web.parameters import RefusedParameter, read_filters, read_none
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.callbacks.filters import PromiseFilter
    from switchhook.callbacks.queries import PromiseQueries
    from switchhook.callbacks.steering import Did, Steering
    from switchhook.web.json import Json

LARGEST = 65_536
T = TypeVar("T")


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body; what it may hold is in docs/api.md."""


class MakeBody(_Body, frozen=True, kw_only=True, rename={"class_": "class"}):
    account: str
    number: str
    reason: str
    class_: str = ""


class ActBody(_Body, frozen=True, kw_only=True):
    act: PromiseAct
    where: dict[str, Any]
    reason: str
    dry_run: bool = False


class AllowBody(_Body, frozen=True, kw_only=True):
    account: str
    reason: str


class StopBody(_Body, frozen=True, kw_only=True):
    account: str | None = None
    reason: str = ""


class NumberBody(_Body, frozen=True, kw_only=True):
    number: str
    reason: str


class PromisesApi:
    """`/api/v1/promises` and below; `note` puts a deed into the audit log."""

    def __init__(
        self, queries: PromiseQueries, steering: Steering, note: Callable[[Deed], object]
    ) -> None:
        self._queries, self._steering = queries, steering
        self._numbers = NumberSearches(note, queries.now_ms)

    def routes(self) -> Sequence[BaseRoute]:
        at = "/api/v1/promises"
        reads = {
            at: self._all,
            f"{at}/summary": self._summary,
            f"{at}/refusals": self._refusals,
            f"{at}/do-not-call": self._do_not_call,
            f"{at}/{{id:number}}": self._one,
        }
        acts = {
            at: self._make,
            f"{at}/acts": self._act,
            f"{at}/allow-dialling": self._allow,
            f"{at}/stop-dialling": self._stop,
            f"{at}/do-not-call": self._forbid,
            f"{at}/do-not-call/remove": self._permit,
        }
        return [
            *(Route(path, json_endpoint(work), methods=["GET"]) for path, work in reads.items()),
            *(
                Route(path, body_endpoint(act, LARGEST), methods=["POST"])
                for path, act in acts.items()
            ),
        ]

    # Reading.

    def _all(self, request: Request) -> Json:
        values = read_filters(request.query_params.multi_items(), self._queries.now_ms(), LISTED)
        where, limit = filter_of(values), values.get("limit", DEFAULT)
        refuse_unknown(self._queries, where)
        looked_for(self._numbers, where, viewer_of(request))
        found = self._queries.lists.find(where, limit + 1, values.get("cursor"))
        more, over = len(found) > limit, self._queries.lists.over()
        return {
            "promises": [promise_json(each, over=each.id in over) for each in found[:limit]],
            "next": found[limit - 1].id if more else None,
        }

    def _summary(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return summary_json(self._queries.view())

    def _one(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        id, lists = request.path_params["id"], self._queries.lists
        found = self._queries.promises.get(id) if id <= LARGEST_ID else None
        if found is None:
            return None
        return story_json(found, lists.history(id), lists.attempts(id))

    def _refusals(self, request: Request) -> Json:
        known = {name: LISTED[name] for name in ("limit", "cursor")}
        now_ms = self._queries.now_ms()
        values = read_filters(request.query_params.multi_items(), now_ms, known)
        limit = values.get("limit", DEFAULT)
        found = self._queries.lists.refusals(limit + 1, values.get("cursor"))
        more = len(found) > limit
        return {
            "refusals": [refusal_json(each) for each in found[:limit]],
            "next": found[limit - 1].id if more else None,
        }

    def _do_not_call(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        found = self._queries.do_not_call.entries(MOST + 1)
        return {
            "count": self._queries.do_not_call.count(),
            "numbers": [do_not_call_json(each) for each in found[:MOST]],
            "more": len(found) > MOST,
        }

    # Doing.

    def _make(self, request: Request, raw: bytes) -> Response:
        viewer, asked = whoever_may(request, Role.OPERATOR), read_body(raw, MakeBody)
        wanted = PromiseWanted(
            account=asked.account, number=asked.number, reason=asked.reason, class_=asked.class_
        )
        made = refusing(lambda: self._steering.make(viewer, wanted))
        return json_response(promise_json(made), 201)

    def _act(self, request: Request, raw: bytes) -> Response:
        viewer, asked = whoever_may(request, Role.OPERATOR), read_body(raw, ActBody)
        where = where_of(asked.where, self._queries.now_ms())
        refuse_unknown(self._queries, where)
        if asked.dry_run:
            looked_for(self._numbers, where, viewer)
            return json_response(did_json(refusing(lambda: self._steering.count(asked.act, where))))
        did = refusing(lambda: self._steering.act(viewer, asked.act, where, asked.reason))
        return json_response(did_json(did))

    def _allow(self, request: Request, raw: bytes) -> Response:
        viewer, asked = whoever_may(request, Role.ADMINISTRATOR), read_body(raw, AllowBody)
        refusing(lambda: self._steering.allow(viewer, asked.account, asked.reason))
        switch = self._queries.dialling.of(asked.account)
        return json_response(dialling_json(switch, switch.why_not(self._queries.now_ms())))

    def _stop(self, request: Request, raw: bytes) -> Response:
        viewer = whoever_may(request, Role.OPERATOR)
        asked = read_body(raw.strip() or b"{}", StopBody)
        refusing(lambda: self._steering.stop(viewer, asked.account, asked.reason))
        self._queries.forget()
        return json_response(summary_json(self._queries.view()))

    def _forbid(self, request: Request, raw: bytes) -> Response:
        viewer, asked = whoever_may(request, Role.OPERATOR), read_body(raw, NumberBody)
        changed = refusing(lambda: self._steering.forbid(viewer, asked.number, asked.reason))
        return json_response({"changed": changed})

    def _permit(self, request: Request, raw: bytes) -> Response:
        viewer, asked = whoever_may(request, Role.OPERATOR), read_body(raw, NumberBody)
        changed = refusing(lambda: self._steering.permit(viewer, asked.number, asked.reason))
        return json_response({"changed": changed})


def whoever_may(request: Request, role: Role) -> Viewer:
    """Who asks. Raises HTTPException 403 for whoever has a lower role."""
    viewer = viewer_of(request)
    if not viewer.may(role):
        raise HTTPException(403, f"only an {role.word} may do this")
    return viewer


def refusing(act: Callable[[], T]) -> T:
    """Do it; what can't be done is an answer. Raises RefusedParameter."""
    try:
        return act()
    except PromiseError as error:
        raise RefusedParameter(None, error.problem, error.hint) from None


def looked_for(searches: NumberSearches, where: PromiseFilter, viewer: Viewer) -> None:
    """Note that somebody looks for a number, or refuse it. Raises RefusedParameter."""
    if where.number:
        searches.in_api(Query((Condition("number", (where.number,)),)), viewer)


def refuse_unknown(queries: PromiseQueries, where: PromiseFilter) -> None:
    """Whoever mistypes a name is not told that there is no promise. Raises RefusedParameter."""
    unknown = queries.lists.unknown_name(where, queries.accounts())
    if unknown is not None:
        raise RefusedParameter(*unknown)


def where_of(said: dict[str, Any], now_ms: int) -> PromiseFilter:
    """The promises that a body means. Raises RefusedParameter."""
    ids = said.get("ids", [])
    known = isinstance(ids, list) and all(
        isinstance(each, int) and 0 < each <= LARGEST_ID for each in ids
    )
    if not known or len(ids) > MOST:
        raise RefusedParameter("ids", "no list of numbers of promises", f"at most {MOST}")
    texts = [(name, value) for name, value in said.items() if name != "ids"]
    for name, value in texts:
        if not isinstance(value, str):
            raise RefusedParameter(name[:100], "it is no text", "as in the address of the list")
    where = filter_of(read_filters(texts, now_ms, WHICH))
    if "ids" in said and not ids:
        raise RefusedParameter("ids", "it is empty", "leave it out for all, or name some")
    return msgspec.structs.replace(where, ids=tuple(ids))


def did_json(did: Did) -> Json:
    left_out = [{"id": each.id, "why": each.why} for each in did.left_out]
    return {"matched": did.matched, "changed": did.changed, "left_out": left_out}
