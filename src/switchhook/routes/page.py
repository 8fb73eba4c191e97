"""The page Routes: pools, who gets calls, how members are, and the presses of a night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.roles import Role
from switchhook.errors import HandError, LedgerError
from switchhook.routes.api import UndoBody, operator_of, set_by, undo_by
from switchhook.routes.hands import LONGEST_REASON, HandWanted, words_of
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct
from switchhook.web.parameters import RefusedParameter
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.routes.worker import RoutesWorker
    from switchhook.web.render import Renderer

SPANS_S = {"until undone": None, "30m": 1_800, "2h": 7_200, "8h": 28_800, "1d": 86_400}
MOST_PAST = 20


class RoutesPage:
    """`/routes`, with its forms."""

    def __init__(self, renderer: Renderer, worker: RoutesWorker) -> None:
        self._renderer, self._worker = renderer, worker

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/routes", self._page, methods=["GET"], name="routes"),
            Route("/routes/set", self._form(self._set), methods=["POST"]),
            Route("/routes/undo", self._form(self._undo), methods=["POST"]),
        ]

    def _page(self, request: Request) -> Response:
        worker = self._worker
        now_ms, view = worker.now_ms(), worker.view()
        problems = [view.problem] if view.problem else []
        try:
            past = worker.hands.past(now_ms, MOST_PAST)
        except LedgerError as error:
            past = []
            problems.append(str(error))
        context: dict[str, Any] = {
            "pools": view.pools,
            "endpoints": worker.known.endpoints,
            "past": [(each, words_of(each.setting)) for each in past],
            "now_ms": now_ms,
            "problems": problems,
            "counted_from_ms": view.counted_from_ms,
            "spans": SPANS_S,
            "states": list(MemberState),
            "longest_reason": LONGEST_REASON,
            "refused": request.query_params.get("refused", "")[:300],
            "may_act": viewer_of(request).may(Role.OPERATOR),
        }
        return self._renderer.page(request, "routes.html", context)

    def _form(
        self, act: Callable[[Request, dict[str, str]], object]
    ) -> Callable[[Request], Awaitable[Response]]:
        """An action of a form, which leads back to the page with what it has to say."""

        async def endpoint(request: Request) -> Response:
            form = {name: str(text) for name, text in (await request.form()).items()}
            said: dict[str, Any] = {}
            try:
                await run_in_threadpool(act, request, form)
            except (HandError, RefusedParameter) as refused:
                said = {"refused": f"{refused.problem}: {refused.hint}"}
            tz = zone_word(zone_of(request))
            return RedirectResponse(address("/routes", {"tz": tz, **said}), 303)

        return endpoint

    def _set(self, request: Request, form: dict[str, str]) -> object:
        viewer = operator_of(request)
        return set_by(self._worker, viewer, _wanted(form))

    def _undo(self, request: Request, form: dict[str, str]) -> object:
        viewer, id = operator_of(request), form.get("id", "")
        if not (id.isascii() and id.isdigit() and len(id) < 16):
            raise HandError("it names no setting", "press Undo beside one")
        wanted = UndoBody(id=int(id), reason=form.get("reason", ""))
        return undo_by(self._worker, viewer, wanted)


def _wanted(form: dict[str, str]) -> HandWanted:
    """What a form wants. Raises HandError."""
    acts, states = (
        {each.value: each for each in HandAct},
        {each.value: each for each in MemberState},
    )
    act, span = acts.get(form.get("act", "")), form.get("for", "until undone")
    if act is None:
        raise HandError("the form names no act", f"one of {', '.join(acts)}")
    if span not in SPANS_S:
        raise HandError("it has no such end", f"one of {', '.join(SPANS_S)}")
    weight = form.get("weight", "")
    known = weight.isascii() and weight.isdigit() and len(weight) < 6
    return HandWanted(
        act=act,
        pool=form.get("pool", ""),
        member=form.get("member", ""),
        to=form.get("to", ""),
        endpoint=form.get("endpoint", ""),
        state=states.get(form.get("state", "")),
        weight=int(weight) if known else None,
        reason=form.get("reason", ""),
        for_s=SPANS_S[span],
    )
