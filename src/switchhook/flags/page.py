"""The page Flags: what each is set to, by whom and why, who reads it, and setting it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.errors import FlagError, LedgerError
from switchhook.exotel.phone_numbers import holds_number
from switchhook.flags.api import do_by, releaser_of, undo_by
from switchhook.flags.changes import LONGEST_REASON, FlagAct, FlagWanted, flag_named
from switchhook.rules.flag_values import read_text, value_words
from switchhook.rules.flags import FlagKind
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.roles import Viewer
    from switchhook.flags.changes import FlagChange
    from switchhook.flags.view import FlagView
    from switchhook.flags.worker import FlagsWorker
    from switchhook.web.render import Renderer

SPANS_S = {"until changed": None, "30m": 1_800, "2h": 7_200, "8h": 28_800, "1d": 86_400}
MOST_PAST = 30
_DID = {FlagAct.SET: "set to", FlagAct.RESET: "reset to", FlagAct.UNDO: "undone to"}


class FlagsPage:
    """`/flags`, with its forms; `ofrep` gives where bots read them, empty for nowhere."""

    def __init__(self, renderer: Renderer, worker: FlagsWorker, ofrep: Callable[[], str]) -> None:
        self._renderer, self._worker, self._ofrep = renderer, worker, ofrep

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/flags", self._page, methods=["GET"], name="flags"),
            Route("/flags/set", self._form(self._set), methods=["POST"]),
            Route("/flags/reset", self._form(self._reset), methods=["POST"]),
            Route("/flags/undo", self._form(self._undo), methods=["POST"]),
        ]

    def _page(self, request: Request) -> Response:
        worker, viewer = self._worker, viewer_of(request)
        view = worker.view()
        problems = [view.problem] if view.problem else []
        try:
            past = worker.ledger.history(None, MOST_PAST)
        except LedgerError as error:
            past = []
            problems.append(str(error))
        context: dict[str, Any] = {
            "flags": [(each, _hides(each, viewer)) for each in view.flags],
            "past": [(each, _done(each)) for each in past],
            "kinds": FlagKind,
            "problems": problems,
            "ofrep": self._ofrep(),
            "spans": SPANS_S,
            "longest_reason": LONGEST_REASON,
            "refused": request.query_params.get("refused", "")[:300],
            "may_act": viewer.may_release,
        }
        return self._renderer.page(request, "flags.html", context)

    def _form(
        self, act: Callable[[Request, dict[str, str]], object]
    ) -> Callable[[Request], Awaitable[Response]]:
        """An action of a form, which leads back to the page with what it has to say."""

        async def endpoint(request: Request) -> Response:
            form = {name: str(text) for name, text in (await request.form()).items()}
            said: dict[str, Any] = {}
            try:
                await run_in_threadpool(act, request, form)
            except FlagError as refused:
                said = {"refused": f"{refused.problem}: {refused.hint}"}
            tz = zone_word(zone_of(request))
            return RedirectResponse(address("/flags", {"tz": tz, **said}), 303)

        return endpoint

    def _set(self, request: Request, form: dict[str, str]) -> object:
        viewer, name = releaser_of(request), form.get("flag", "")
        flag, span = flag_named(name, self._worker.flags), form.get("for", "until changed")
        if span not in SPANS_S:
            raise FlagError("it has no such end", f"one of {', '.join(SPANS_S)}")
        wanted = FlagWanted(
            flag=name,
            value=read_text(flag, form.get("value", "")),
            reason=form.get("reason", ""),
            for_s=SPANS_S[span],
        )
        return do_by(self._worker, viewer, wanted)

    def _reset(self, request: Request, form: dict[str, str]) -> object:
        viewer = releaser_of(request)
        wanted = FlagWanted(flag=form.get("flag", ""), value=None, reason=form.get("reason", ""))
        return do_by(self._worker, viewer, wanted)

    def _undo(self, request: Request, form: dict[str, str]) -> object:
        viewer = releaser_of(request)
        return undo_by(self._worker, viewer, form.get("flag", ""), form.get("reason", ""))


def _hides(flag: FlagView, viewer: Viewer) -> bool:
    """Whether what it is set to is masked for whoever looks, so that no form may begin with it."""
    return holds_number(flag.text) and not viewer.sees_numbers


def _done(change: FlagChange) -> str:
    """What a change did, in words."""
    value = change.value
    to = "its default" if value is None else value_words(change.kind, value)
    return f"{_DID[change.act]} {to}"
