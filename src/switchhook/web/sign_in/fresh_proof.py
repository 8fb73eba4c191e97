"""A fresh password before what an unlocked, unwatched browser must not be able to do.

Whoever has not shown a password (with the second factor, where there is one) within the last
minutes is asked for it, and what they sent is done when it was right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from switchhook.access.audit import Deed
from switchhook.web.sign_in.challenges import Challenges, what_to_ask
from switchhook.web.sign_in.forms import read_form
from switchhook.web.sign_in.prover import TriesOver
from switchhook.web.sign_in.refusals import RefusedRequest
from switchhook.web.sign_in.request_origin import safe_path

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope

    from switchhook.access.roles import OidcSettings
    from switchhook.access.users import Session
    from switchhook.web.render import Renderer
    from switchhook.web.sign_in.prover import Prover
    from switchhook.web.sign_in.request_origin import RequestOrigin
    from switchhook.web.sign_in.sessions import SessionLookup

GUARDED = (
    *("/settings/", "/endpoints/", "/api/v1/erasures"),
    *("/promises/allow-dialling", "/api/v1/promises/allow-dialling"),
)
"""Where a change takes a fresh password: begins with one of these."""
UNGUARDED = (
    "/settings/own/password",  # asks for it by itself
    "/settings/own/sessions",
    "/settings/own/tokens/revoke",
    "/settings/links/void",
)
"""But for these, most of which only take something away."""
PASSWORD, CODE, PASSKEY = "proof_password", "proof_code", "proof_passkey"
_OURS = (PASSWORD, CODE, PASSKEY, "csrf")
_WRONG = "That is not your password."
_WRONG_CODE = "That code is wrong, or was used already."
_WRONG_PASSKEY = "That passkey was not taken: try it once more, or use a code."


def is_guarded(path: str) -> bool:
    """Whether a change at this path takes a fresh password."""
    return path.startswith(GUARDED) and path not in UNGUARDED


class FreshProof:
    """Asks for it, by a page that sends on what was sent."""

    def __init__(
        self, lookup: SessionLookup, prover: Prover, renderer: Renderer, oidc: OidcSettings | None
    ) -> None:
        self._lookup, self._prover, self._renderer = lookup, prover, renderer
        self._label = None if oidc is None else oidc.label
        self._challenges = Challenges(lookup)

    async def ask(
        self, session: Session, scope: Scope, receive: Receive
    ) -> tuple[Response | None, Receive]:
        """The page that asks, None where it need not; and what gives the form once more."""
        if not is_guarded(scope["path"]) or session.fresh(self._lookup.now_us()):
            return None, receive
        if scope["path"].startswith("/api/"):
            hint = "do it on a page of the console, or with a token"
            raise RefusedRequest(403, "this takes your password once more", hint)
        form, receive = await read_form(scope, receive)
        problem, status, wait_s = "", 403, 0
        if PASSWORD in form:
            try:
                problem = await self._prove(session, form, scope["request_origin"])
            except TriesOver as over:
                problem, status, wait_s = over.sentence, over.status, over.wait_s
            if not problem:
                return None, receive
        return await self._page(session, Request(scope), form, problem, status, wait_s), receive

    async def _prove(
        self, session: Session, form: dict[str, list[str]], request_origin: RequestOrigin
    ) -> str:
        """What is wrong with the proof; "" where it holds, and then it is noted."""
        mine = session.user
        user = await self._prover.password(mine.name, form[PASSWORD][0], request_origin)
        if user is None or user.id != mine.id:
            return _WRONG
        if user.second_factor:
            problem = await self._prove_second(session, form, request_origin)
            if problem:
                return problem
        deed = Deed(
            who=user.name, what="showed their password again", origin=request_origin.address
        )
        await self._lookup.in_thread(
            self._lookup.ledger.passes.prove, session.id, deed, self._lookup.now_us()
        )
        return ""

    async def _prove_second(
        self, session: Session, form: dict[str, list[str]], request_origin: RequestOrigin
    ) -> str:
        user, said = session.user, form.get(PASSKEY, [""])[0]
        if said:
            challenge = self._challenges.take(session.key)
            right = await self._prover.passkey(user, said, challenge, request_origin)
            return "" if right else _WRONG_PASSKEY
        code = form.get(CODE, [""])[0]
        return "" if await self._prover.code(user, code, request_origin) else _WRONG_CODE

    async def _page(
        self,
        session: Session,
        request: Request,
        form: dict[str, list[str]],
        problem: str,
        status: int,
        wait_s: int,
    ) -> Response:
        kept = [(name, text) for name, texts in form.items() if name not in _OURS for text in texts]
        asked = None
        if session.user.second_factor:
            request_origin: RequestOrigin = request.scope["request_origin"]
            asked = await what_to_ask(
                self._lookup, self._challenges, session.user, session.key, request_origin
            )
        context = {
            "user": session.user,
            "asked": asked,
            "oidc": None if session.user.oidc_subject is None else self._label,
            "back": safe_path("/settings"),
            "kept": kept,
            "problem": problem,
        }
        headers = {"Retry-After": str(wait_s)} if wait_s else {}
        return self._renderer.page(request, "prove.html", context, status=status, headers=headers)
