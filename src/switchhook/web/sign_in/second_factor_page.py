"""/settings/own/second-factor: enrolling an authenticator app, recovery codes, and leaving it."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.passkeys import relying_party
from switchhook.access.second_factor import (
    RECOVERY_BYTES,
    RECOVERY_CODES,
    SECRET_BYTES,
    hashed_recovery,
    matching_step,
    provisioning_uri,
    recovery_code,
    shown_secret,
)
from switchhook.access.sign_in import must_enrol
from switchhook.web.render import viewer_of
from switchhook.web.sign_in.page_support import fields, origin_of, session_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from switchhook.access.users import Session
    from switchhook.web.sign_in.page_support import Shared

BEGUN_US = 15 * 60 * 1_000_000
MOST_BEGUN = 1_000
_PATH = "/settings/own/second-factor"
_WRONG = "That is not the code of this secret just now. Does the clock of the phone run right?"


class SecondFactorPages:
    """The pages. What is begun and not finished is lost with the process."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._begun: OrderedDict[str, tuple[bytes, int]] = OrderedDict()

    def routes(self) -> list[BaseRoute]:
        posts = {"/begin": self._begin, "": self._enrol, "/codes": self._renew, "/off": self._off}
        return [
            Route(_PATH, self._show, methods=["GET"]),
            *(Route(_PATH + end, post, methods=["POST"]) for end, post in posts.items()),
        ]

    async def _show(self, request: Request) -> Response:
        """What it is, and the button: a secret is made by a press only."""
        if await self._has_app(local_session(request)):
            return RedirectResponse("/settings", 303)
        return self._page(request)

    async def _begin(self, request: Request) -> Response:
        session = local_session(request)
        if await self._has_app(session):
            return RedirectResponse("/settings", 303)
        secret = secrets.token_bytes(SECRET_BYTES)
        self._begun.pop(session.key, None)
        self._begun[session.key] = secret, self._shared.lookup.steady_us() + BEGUN_US
        while len(self._begun) > MOST_BEGUN:
            self._begun.popitem(last=False)
        return self._page(request, secret=secret)

    async def _enrol(self, request: Request) -> Response:
        shared, session, form = self._shared, local_session(request), await fields(request)
        now_us, user = shared.now_us(), session.user
        secret, until_us = self._begun.get(session.key, (b"", 0))
        if shared.lookup.steady_us() >= until_us:
            return self._page(request, problem="That took too long: begin again.")
        step = matching_step(secret, form.get("code", ""), now_us, -1)
        if step is None:
            return self._page(request, secret=secret, problem=_WRONG)
        codes, kept = new_codes()
        deed = deed_of(viewer_of(request), "set up a second factor", user.name)
        others = await shared.lookup.in_thread(shared.ledger.passes.sessions, user.id)
        factors = shared.ledger.second_factors
        done = await shared.lookup.in_thread(
            lambda: factors.enrol(user.id, secret, step, kept, deed, now_us, keep=session.id)
        )
        del self._begun[session.key]
        if not done:
            return RedirectResponse("/settings", 303)
        shared.end_live(each.key for each in others if each.id != session.id)
        return self._page(request, codes=codes)

    async def _renew(self, request: Request) -> Response:
        shared, user = self._shared, local_session(request).user
        if not user.second_factor:
            raise HTTPException(400, "there is no second factor to have codes for")
        codes, kept = new_codes()
        deed = deed_of(viewer_of(request), "made new recovery codes", user.name)
        await shared.lookup.in_thread(
            shared.ledger.second_factors.renew_codes, user.id, kept, deed, shared.now_us()
        )
        return self._page(request, codes=codes)

    async def _off(self, request: Request) -> Response:
        shared, session = self._shared, local_session(request)
        user = session.user
        deed = deed_of(viewer_of(request), "removed their authenticator app", user.name)
        factors, now_us = shared.ledger.second_factors, shared.now_us()
        others = await shared.lookup.in_thread(shared.ledger.passes.sessions, user.id)
        await shared.lookup.in_thread(
            lambda: factors.remove_app(user.id, deed, now_us, keep=session.id)
        )
        shared.end_live(each.key for each in others if each.id != session.id)
        return RedirectResponse("/settings", 303)

    async def _has_app(self, session: Session) -> bool:
        of = self._shared.ledger.second_factors.of
        return await self._shared.lookup.in_thread(of, session.user.id) is not None

    def _page(
        self,
        request: Request,
        *,
        secret: bytes = b"",
        codes: list[str] | None = None,
        problem: str = "",
    ) -> Response:
        user = local_session(request).user
        context: dict[str, Any] = {
            "problem": problem,
            "needed": must_enrol(user, self._shared.settings),
            "secret": shown_secret(secret) if secret else "",
            "qr": _qr(provisioning_uri(secret, user.name)) if secret else "",
            "codes": codes,
            "passkey_problem": relying_party(origin_of(request).origin).problem,
        }
        status = 400 if problem else 200
        return self._shared.page(request, "second_factor.html", context, status=status)


def local_session(request: Request) -> Session:
    """The session of somebody who signs in by password here; else a 403."""
    session = session_of(request)
    if session is None or session.user.oidc_subject is not None:
        raise HTTPException(403, "a second factor is for those who sign in by password here")
    return session


def new_codes() -> tuple[list[str], list[bytes]]:
    """Recovery codes, and as they are kept."""
    codes = [recovery_code(secrets.token_bytes(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]
    return codes, [hashed for code in codes if (hashed := hashed_recovery(code)) is not None]


def _qr(text: str) -> Markup:
    """A QR code as SVG, which needs neither a file nor a style of its own."""
    # Loaded by those who enrol: it would slow every start.
    import segno

    code = segno.make(text, error="m", micro=False)
    return Markup(code.svg_inline(omitsize=True, svgclass="qr", lineclass=None, border=4))  # noqa: S704 - drawn by us
