"""The pages of promises: who is owed a callback, how it goes, and every press that steers it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.roles import Role
from switchhook.callbacks.acts import LONGEST_WHY, WORDS, PromiseAct, acts_on, counted_acts
from switchhook.callbacks.api import looked_for, refuse_unknown, whoever_may
from switchhook.callbacks.attempts import RANG
from switchhook.callbacks.filters import LIVE, PromiseFilter
from switchhook.callbacks.parameters import LARGEST_ID, LISTED, filter_of
from switchhook.callbacks.promise import LONGEST_REASON, PromiseState
from switchhook.callbacks.steering import PromiseWanted
from switchhook.callbacks.words import (
    ENDED_BY,
    LEVELS,
    MEANINGS,
    OVER,
    ending_words,
    is_over,
    reason_words,
    standing_words,
)
from switchhook.errors import LedgerError, PromiseError
from switchhook.exotel.phone_numbers import Ours
from switchhook.rules.outcome import LONGEST_CLASS
from switchhook.streams.search.numbers import NumberSearches
from switchhook.web.parameters import RefusedParameter, read_filters
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.callbacks.promise import Promise
    from switchhook.callbacks.queries import PromiseQueries
    from switchhook.callbacks.steering import Steering
    from switchhook.web.render import Renderer

log = logging.getLogger(__name__)

PAGE = 50
PATIENCE_S = 10.0
"""How long a press is waited for: one on tens of thousands takes minutes."""
MOST_LISTED = 20
"""Refusals, and numbers that are not called, on the page."""
ALL, OWED = "all", "owed"
FIELDS = ("account", "class", "reason", "number", "since", "until", "due_before")
"""What of the list a form filters by, beside the state."""
Form = dict[str, str]


class PromisesPage:
    """`/promises` and `/promises/{id}`, with their forms; `note` writes into the audit log."""

    def __init__(
        self,
        renderer: Renderer,
        queries: PromiseQueries,
        steering: Steering,
        note: Callable[[Deed], object],
    ) -> None:
        self._renderer, self._queries, self._steering = renderer, queries, steering
        self._numbers = NumberSearches(note, queries.now_ms)
        self._going: set[asyncio.Future[str]] = set()

    def routes(self) -> list[BaseRoute]:
        at = "/promises"
        forms = {
            "make": self._make,
            "act": self._act,
            "allow-dialling": self._allow,
            "stop-dialling": self._stop,
            "do-not-call": self._forbid,
            "do-not-call/remove": self._permit,
        }
        return [
            Route(at, self._all, methods=["GET"], name="promises"),
            Route(f"{at}/{{id:number}}", self._one, methods=["GET"], name="promise"),
            *(
                Route(f"{at}/{path}", self._form(act), methods=["POST"])
                for path, act in forms.items()
            ),
        ]

    # All of them.

    def _all(self, request: Request) -> Response:
        said, viewer = request.query_params, viewer_of(request)
        problems: list[str] = []
        where, shown = self._where(request, problems)
        context: dict[str, Any] = {
            "problems": problems,
            "view": None,
            "promises": [],
            "next": None,
            "acts": {},
            "refusals": [],
            "unlisted": [],
        }
        try:
            refuse_unknown(self._queries, where)
            looked_for(self._numbers, where, viewer)
            context |= self._found(where, _cursor(said.get("cursor", "")))
        except RefusedParameter as refused:
            problems.append(f"{refused.problem}: {refused.hint}")
        except LedgerError as error:
            problems.append(str(error))
        context |= {
            "state": OWED if problems else said.get("state", OWED),
            "asked": {name: Ours(said.get(name, "")[:1_000]) for name in FIELDS},
            "narrowed": any(said.get(name) for name in FIELDS),
            "kept": {}
            if problems
            else {name: Ours(said[name]) for name in ("state", *FIELDS) if name in said},
            "paged": bool(said.get("cursor")),
            "shown_ms": shown,
            "said": said.get("said", "")[:300],
            "refused": said.get("refused", "")[:300],
            **_words(request),
        }
        return self._renderer.page(request, "promises.html", context)

    def _where(self, request: Request, problems: list[str]) -> tuple[PromiseFilter, int]:
        """The promises that the address means, and the time by which it was read.

        Without a state those that are not over: nobody steers the others by chance.
        """
        said, now_ms = request.query_params, self._queries.now_ms()
        state = said.get("state", OWED)
        texts = [(name, said[name].strip()) for name in FIELDS if said.get(name, "").strip()]
        if state not in (ALL, OWED):
            texts.append(("state", state))
        try:
            found = filter_of(read_filters(texts, now_ms, LISTED))
        except RefusedParameter as refused:
            problems.append(f"{refused.parameter}: {refused.problem} ({refused.hint})")
            return PromiseFilter(states=LIVE), now_ms
        if state == OWED:
            found = msgspec.structs.replace(found, states=LIVE)
        return found, now_ms

    def _found(self, where: PromiseFilter, cursor: int | None) -> dict[str, Any]:
        lists, view = self._queries.lists, self._queries.view()
        found = lists.find(where, PAGE + 1, cursor)
        over = lists.over()
        all_owed = where == PromiseFilter(states=LIVE)
        states = view.states if all_owed else lists.counts_of(where)
        return {
            "view": view,
            "promises": [
                (each, reason_words(each) or (OVER if each.id in over else ""), ending_words(each))
                for each in found[:PAGE]
            ],
            "next": found[PAGE - 1].id if len(found) > PAGE else None,
            "matched": sum(states.values()),
            "acts": counted_acts(states),
            "refusals": lists.refusals(MOST_LISTED, owed_already=False),
            "unlisted": self._queries.do_not_call.entries(MOST_LISTED),
        }

    # One of them.

    def _one(self, request: Request) -> Response:
        id, lists = request.path_params["id"], self._queries.lists
        promise = self._queries.promises.get(id) if id <= LARGEST_ID else None
        if promise is None:
            raise HTTPException(404)
        viewer, settings = viewer_of(request), self._queries.settings_of(promise)
        calls = lists.attempts(promise.id)
        context: dict[str, Any] = {
            "promise": promise,
            "standing": standing_words(promise, over=is_over(promise, calls)),
            "ending": ending_words(promise),
            "steps": lists.history(promise.id),
            "calls": calls,
            "rang": sum(each.state in RANG for each in calls),
            "others": [each for each in self._others(promise) if each.id != promise.id],
            "attempts": None if settings is None else settings.attempts + promise.granted,
            "switch": self._queries.dialling.of(promise.account).why_not(self._queries.now_ms()),
            "may": acts_on(promise.state),
            "now_ms": self._queries.now_ms(),
            "refused": request.query_params.get("refused", "")[:300],
            "said": request.query_params.get("said", "")[:300],
            **_words(request),
        }
        context["sees"] = sees = viewer.sees(promise.call_sid)
        return self._renderer.page(request, "promise.html", context, sees_numbers=sees)

    def _others(self, promise: Promise) -> list[Promise]:
        """Other promises to the same number."""
        return self._queries.lists.find(PromiseFilter(number=promise.number), MOST_LISTED)

    # The presses.

    def _form(
        self, act: Callable[[Request, Form], str]
    ) -> Callable[[Request], Awaitable[Response]]:
        """An action of a form, which leads back to where it was pressed with what it has to say."""

        async def endpoint(request: Request) -> Response:
            form = {name: str(text) for name, text in (await request.form()).items()}
            try:
                said = {"said": await self._done(act, request, form)}
                self._queries.forget()
            except PromiseError as refused:
                said = {"refused": f"{refused.problem}: {refused.hint}"}
            except RefusedParameter as refused:
                said = {"refused": f"{refused.problem}: {refused.hint}"}
            tz = zone_word(zone_of(request))
            return RedirectResponse(address(_back(form), {"tz": tz, **_kept(form), **said}), 303)

        return endpoint

    async def _done(self, act: Callable[[Request, Form], str], request: Request, form: Form) -> str:
        """What an action says; of one that takes long, that it goes on. Raises as it does."""
        doing = asyncio.ensure_future(run_in_threadpool(act, request, form))
        await asyncio.wait({doing}, timeout=PATIENCE_S)
        if doing.done():
            return doing.result()
        self._going.add(doing)
        doing.add_done_callback(self._ended)
        return "It goes on: the list shows how far it is"

    def _ended(self, doing: asyncio.Future[str]) -> None:
        self._going.discard(doing)
        self._queries.forget()
        if not doing.cancelled() and (error := doing.exception()) is not None:
            log.error("something that was done to many promises broke off: %s", error)

    def _make(self, request: Request, form: Form) -> str:
        viewer = whoever_may(request, Role.OPERATOR)
        wanted = PromiseWanted(
            account=form.get("account", ""),
            number=form.get("number", ""),
            reason=form.get("reason", ""),
            class_=form.get("class", "").strip(),
        )
        made = self._steering.make(viewer, wanted)
        return f"Promised: it is number {made.id}"

    def _act(self, request: Request, form: Form) -> str:
        viewer = whoever_may(request, Role.OPERATOR)
        act = {each.value: each for each in PromiseAct}.get(form.get("act", ""))
        if act is None:
            raise PromiseError("the form names no act", f"one of {', '.join(PromiseAct)}")
        did = self._steering.act(viewer, act, self._meant(form), form.get("why", ""))
        left_out = "".join(f"; number {each.id}: {each.why}" for each in did.left_out)
        return f"{WORDS[act]}: done to {did.changed:,} of {did.matched:,}{left_out}"

    def _meant(self, form: Form) -> PromiseFilter:
        """One promise, or all that the form's list had when it was shown."""
        id = form.get("id", "")
        if id:
            if not (id.isascii() and id.isdigit() and len(id) < 16):
                raise PromiseError("it names no promise", "press a button beside one")
            return PromiseFilter(ids=(int(id),))
        state, shown = form.get("state", OWED), form.get("shown_ms", "")
        if not (shown.isascii() and shown.isdigit() and len(shown) < 16):
            raise PromiseError("the form does not say which list it means", "press it on the page")
        texts = [(name, form[name]) for name in FIELDS if form.get(name)]
        if state not in (ALL, OWED):
            texts.append(("state", state))
        found = filter_of(read_filters(texts, int(shown), LISTED))
        before = min(int(shown) + 1, found.made_before_ms or int(shown) + 1)
        states = LIVE if state == OWED else found.states
        return msgspec.structs.replace(found, made_before_ms=before, states=states)

    def _allow(self, request: Request, form: Form) -> str:
        viewer, name = whoever_may(request, Role.ADMINISTRATOR), form.get("account", "")
        self._steering.allow(viewer, name, form.get("reason", ""))
        return f"{name[:64]} dials from now on"

    def _stop(self, request: Request, form: Form) -> str:
        viewer, name = whoever_may(request, Role.OPERATOR), form.get("account", "")
        self._steering.stop(viewer, name or None, form.get("reason", ""))
        return f"Dialling of {name[:64] or 'all accounts'} is stopped. Calls that ring go on"

    def _forbid(self, request: Request, form: Form) -> str:
        viewer = whoever_may(request, Role.OPERATOR)
        new = self._steering.forbid(viewer, form.get("number", ""), form.get("reason", ""))
        return "It is not called any more" if new else "It was on the list already"

    def _permit(self, request: Request, form: Form) -> str:
        viewer = whoever_may(request, Role.OPERATOR)
        gone = self._steering.permit(viewer, form.get("number", ""), form.get("reason", ""))
        return "It is off the list" if gone else "It was not on the list"


def _words(request: Request) -> dict[str, Any]:
    """What both templates use."""
    viewer = viewer_of(request)
    return {
        "levels": LEVELS,
        "meanings": MEANINGS,
        "act_words": WORDS,
        "ended_by": ENDED_BY,
        "states": tuple(PromiseState),
        "live": LIVE,
        "longest_why": LONGEST_WHY,
        "longest_reason": LONGEST_REASON,
        "longest_class": LONGEST_CLASS,
        "may_act": viewer.may(Role.OPERATOR),
        "may_allow": viewer.may(Role.ADMINISTRATOR),
    }


def _cursor(said: str) -> int | None:
    known = said.isascii() and said.isdigit() and len(said) < 16
    return int(said) if known else None


def _back(form: Mapping[str, str]) -> str:
    """Where it was pressed: on one promise's page, or on that of all."""
    of = form.get("of", "")
    known = of.isascii() and of.isdigit() and len(of) < 16
    return f"/promises/{of}" if known else "/promises"


def _kept(form: Mapping[str, str]) -> Form:
    """The list's filter; on one promise's page there is none."""
    if form.get("of") or not form.get("shown_ms"):
        return {}
    return {name: form[name] for name in ("state", *FIELDS) if form.get(name)}
