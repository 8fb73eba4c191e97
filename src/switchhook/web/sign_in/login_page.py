"""Signing in and out: by password, by a one-time link, by an OpenID Connect provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from switchhook.access.password_policy import SHORTEST_PASSWORD, password_problem
from switchhook.access.sign_in import LoginLimit, SignInRefusal, admit, name_problem
from switchhook.access.users import LinkKind, OneTimeLink, User
from switchhook.errors import sentence
from switchhook.exotel.rate_limit import Rate
from switchhook.web.sign_in.oidc_state import OidcProblem, OidcState, new_oidc_state
from switchhook.web.sign_in.page_support import deed_by, fields, origin_of, session_of
from switchhook.web.sign_in.password_hashing import TooBusy
from switchhook.web.sign_in.prover import TriesOver
from switchhook.web.sign_in.request_origin import safe_path
from switchhook.web.sign_in.second_step_page import SecondStep
from switchhook.web.sign_in.sessions import cookie_name
from switchhook.web.sign_in.tokens import hashed

if TYPE_CHECKING:
    from starlette.requests import Request

    from switchhook.access.audit import Deed
    from switchhook.access.roles import OidcSettings, Role
    from switchhook.web.sign_in.oidc import OidcClient
    from switchhook.web.sign_in.page_support import Shared

log = logging.getLogger("switchhook.access")

ERRAND_S = 600
_WRONG = "That name and password don't go together."
_GONE = "This link was used or withdrawn already. Ask for a new one."
_DISABLED = "This account is disabled. Ask an administrator to enable it."
_EXPIRED = "This link is too old: {kind} works for {life}. Ask for a new one."
_LIVES = {
    LinkKind.FIRST: ("it", "15 minutes"),
    LinkKind.INVITE: ("an invitation", "3 days"),
    LinkKind.RESET: ("one for a new password", "15 minutes"),
}
_RETURNS = Rate(60, 1_000)


class LoginPages:
    """/login, /login/oidc, /logout and /welcome/{link}."""

    def __init__(self, shared: Shared, oidc: OidcClient | None) -> None:
        self._shared, self._oidc = shared, oidc
        self._second = SecondStep(shared)
        self._returns = LoginLimit(_RETURNS, _RETURNS)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/login", self._show, methods=["GET"]),
            Route("/login", self._enter, methods=["POST"]),
            Route("/login/oidc", self._leave_for_provider, methods=["GET"]),
            Route("/login/oidc/callback", self._return, methods=["GET"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/welcome/{link}", self._welcome, methods=["GET"]),
            Route("/welcome/{link}", self._use_link, methods=["POST"]),
            *self._second.routes(),
        ]

    async def _show(self, request: Request) -> Response:
        to = safe_path(request.query_params.get("next"))
        opened = self._shared.settings.open(request.scope["accounts"])
        if session_of(request) is not None or opened:
            return RedirectResponse(to, 303)
        return self._page(request, to)

    def _page(
        self,
        request: Request,
        to: str,
        problem: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        oidc = self._shared.settings.oidc
        context = {
            "next": to,
            "problem": problem,
            "accounts": request.scope["accounts"],
            "oidc": None if oidc is None else oidc.label,
            "in_the_clear": origin_of(request).in_the_clear,
        }
        return self._shared.page(request, "login.html", context, status=status, headers=headers)

    def _later(self, request: Request, to: str, over: TriesOver) -> Response:
        headers = {"Retry-After": str(over.wait_s)}
        return self._page(request, to, over.sentence, over.status, headers)

    async def _enter(self, request: Request) -> Response:
        shared, form, request_origin = self._shared, await fields(request), origin_of(request)
        to, name = safe_path(form.get("next")), form.get("name", "").strip()
        password = form.get("password", "")
        try:
            user = await shared.prover.password(name, password, request_origin)
        except TriesOver as over:
            return self._later(request, to, over)
        if user is None:
            return self._page(request, to, _WRONG, 403)
        return await self._second.let_in(request, user, "password", to)

    async def _logout(self, request: Request) -> Response:
        session, request_origin = session_of(request), origin_of(request)
        if session is None:
            return RedirectResponse("/", 303)
        await self._shared.end_session(
            session, deed_by(session.user.name, request_origin, "signed out")
        )
        response = RedirectResponse("/login", 303)
        response.delete_cookie(
            cookie_name(request_origin.secure),
            secure=request_origin.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    # One-time links.

    async def _link(self, request: Request) -> tuple[OneTimeLink | None, str]:
        """The link of this address if it works, else why not."""
        proof = request.path_params["link"][:256]
        users, in_thread = self._shared.ledger.users, self._shared.lookup.in_thread
        link = await in_thread(users.link, hashed(proof))
        if link is not None and link.kind is LinkKind.RESET:
            user = await in_thread(users.named, link.name)
            if user is not None and user.disabled:
                return None, _DISABLED
        if link is None or link.used_us is not None:
            return None, _GONE
        if not link.works(self._shared.now_us()):
            kind, life = _LIVES[link.kind]
            return None, _EXPIRED.format(kind=kind, life=life)
        return link, ""

    def _welcome_page(
        self, request: Request, link: OneTimeLink | None, problem: str = "", name: str = ""
    ) -> Response:
        context = {
            "link": link,
            "named": "" if link is None or link.kind is LinkKind.FIRST else link.name,
            "name": name,
            "problem": problem,
            "shortest": SHORTEST_PASSWORD,
            "in_the_clear": origin_of(request).in_the_clear,
        }
        status = 410 if link is None else 400 if problem else 200
        return self._shared.page(request, "welcome.html", context, status=status)

    async def _welcome(self, request: Request) -> Response:
        """Shows the form only: whoever looks a link over for viruses must not use it up."""
        return self._welcome_page(request, *await self._link(request))

    async def _use_link(self, request: Request) -> Response:
        shared, form = self._shared, await fields(request)
        link, over = await self._link(request)
        if link is None:
            return self._welcome_page(request, None, over)
        first = link.kind is LinkKind.FIRST
        name = form.get("name", "").strip() if first else link.name
        password = form.get("password", "")
        problem = name_problem(name) or password_problem(password, name, (origin_of(request).host,))
        if problem is None and password != form.get("again"):
            problem = "the two passwords differ"
        if problem is not None:
            return self._welcome_page(request, link, problem, name)
        try:
            kept = await shared.hashing.hash(password)
        except TooBusy:
            return self._welcome_page(request, link, "too many sign in: try again", name)
        deed = deed_by(name, origin_of(request), _USES[link.kind], name, role=link.role.word)
        user = await shared.lookup.in_thread(
            shared.ledger.users.use_link,
            hashed(request.path_params["link"]),
            name,
            kept,
            deed,
            shared.now_us(),
        )
        if user is None:
            still, over = await self._link(request)
            return self._welcome_page(request, still, over or "this name is taken", name)
        return await self._second.let_in(request, user, "one-time link", "/")

    # OpenID Connect.

    async def _leave_for_provider(self, request: Request) -> Response:
        to = safe_path(request.query_params.get("next"))
        if self._oidc is None:
            return RedirectResponse("/login", 303)
        if wait_s := self._asks_too_often(request):
            return self._later(request, to, TriesOver(wait_s))
        oidc_state = new_oidc_state(to, again=request.query_params.get("again") == "yes")
        try:
            address = await self._oidc.address(oidc_state, self._back(request))
        except OidcProblem as problem:
            return self._oidc_failed(request, problem)
        response = RedirectResponse(address, 303)
        secure = origin_of(request).secure
        response.set_cookie(
            _oidc_state_cookie(secure=secure),
            oidc_state.packed(),
            max_age=ERRAND_S,
            secure=secure,
            httponly=True,
            samesite="lax",  # the provider leads back here from another site
        )
        return response

    async def _return(self, request: Request) -> Response:
        settings = self._shared.settings.oidc
        if self._oidc is None or settings is None:
            return RedirectResponse("/login", 303)
        if wait_s := self._asks_too_often(request):
            return self._later(request, "/", TriesOver(wait_s))
        secure = origin_of(request).secure
        oidc_state = OidcState.unpacked(request.cookies.get(_oidc_state_cookie(secure=secure), ""))
        said = dict(request.query_params)
        if oidc_state is None:
            elsewhere = "this sign-in was not begun in this browser: begin it again"
            return self._oidc_failed(request, OidcProblem(elsewhere))
        try:
            claims = await self._oidc.claims(said, oidc_state, self._back(request))
            proved_us = _vouched_us(claims, oidc_state, self._shared.now_us())
            user = await self._oidc_user(request, claims, settings)
        except OidcProblem as problem:
            return self._oidc_failed(request, problem)
        response = await self._shared.let_in(
            request, user, settings.label, safe_path(oidc_state.next), proved_us=proved_us
        )
        response.delete_cookie(_oidc_state_cookie(secure=secure), secure=secure, httponly=True)
        return response

    async def _oidc_user(
        self, request: Request, claims: dict[str, object], settings: OidcSettings
    ) -> User:
        """The user whom the provider vouches for, made where it is their first time."""
        shared, request_origin = self._shared, origin_of(request)
        admitted = admit(claims, settings)
        if isinstance(admitted, SignInRefusal):
            raise OidcProblem(admitted.why)
        subject = f"{settings.issuer} {claims['sub']}"
        user = await shared.lookup.in_thread(shared.ledger.users.by_subject, subject)
        if user is None:
            deed = deed_by(
                admitted.name,
                request_origin,
                "became a user",
                admitted.name,
                role=admitted.role.word,
            )
            user = await shared.lookup.in_thread(
                lambda: shared.ledger.users.add(
                    admitted.name, admitted.role, deed, shared.now_us(), oidc_subject=subject
                )
            )
            if user is None:
                raise OidcProblem(f"the name {admitted.name} signs in by password here")
            return user
        if user.disabled:
            raise OidcProblem("your account is disabled here: ask an administrator")
        if admitted.claimed and admitted.role != user.role:
            deed = _role_deed(user, admitted.role, request)
            await shared.lookup.in_thread(
                shared.ledger.users.set_role, user.id, admitted.role, deed, shared.now_us()
            )
        return user

    def _oidc_failed(self, request: Request, problem: OidcProblem) -> Response:
        log.warning("a sign-in by OpenID Connect failed: %s", problem)
        return self._page(request, "/", sentence(problem.why), 403)

    def _back(self, request: Request) -> str:
        base = self._shared.settings.url or origin_of(request).origin
        return f"{base}/login/oidc/callback"

    def _asks_too_often(self, request: Request) -> int:
        """Each of these makes us ask the provider; the seconds to wait, or 0."""
        address = origin_of(request).address
        return self._returns.take(address, address, self._shared.lookup.steady_us() // 1_000)


_USES = {
    LinkKind.FIRST: "became the administrator",
    LinkKind.INVITE: "became a user",
    LinkKind.RESET: "set a new password by a link",
}


def _vouched_us(claims: dict[str, object], oidc_state: OidcState, now_us: int) -> int:
    """When somebody signed in at the provider; 0 where it does not say. Raises OidcProblem."""
    said = claims.get("auth_time")
    if isinstance(said, int) and not isinstance(said, bool) and said >= 0:
        return min(said * 1_000_000, now_us)
    if oidc_state.again:
        raise OidcProblem("your provider does not say when you signed in: it can't be asked again")
    return 0


def _role_deed(user: User, role: Role, request: Request) -> Deed:
    return deed_by(
        "the OpenID Connect provider",
        origin_of(request),
        "changed a role",
        user.name,
        **{"from": user.role.word, "to": role.word},
    )


def _oidc_state_cookie(*, secure: bool) -> str:
    return f"{cookie_name(secure)}-oidc_state"
