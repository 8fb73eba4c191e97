"""/login/code: the second step of signing in, for those who have enrolled a second factor."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from switchhook.web.sign_in.challenges import Asked, Challenges, what_to_ask
from switchhook.web.sign_in.page_support import fields, origin_of
from switchhook.web.sign_in.prover import Pending, TriesOver
from switchhook.web.sign_in.sessions import cookie_name
from switchhook.web.sign_in.tokens import hashed, new_proof

if TYPE_CHECKING:
    from starlette.requests import Request

    from switchhook.access.users import User
    from switchhook.web.sign_in.page_support import Shared

PENDING_S = 300
MOST_PENDING = 1_000
_WRONG = "That code is wrong, or was used already."
_WRONG_PASSKEY = "That passkey was not taken: try it once more, or use a code."
_OVER = "That took too long: begin again."


class SecondStep:
    """What is between the password and the session; lost with the process, then one begins again.

    The browser holds a proof of its own in a cookie, so that nobody else can go on from there.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._pending: OrderedDict[bytes, Pending] = OrderedDict()
        self._challenges = Challenges(shared.lookup)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/login/code", self._show, methods=["GET"]),
            Route("/login/code", self._enter, methods=["POST"]),
        ]

    async def let_in(self, request: Request, user: User, how: str, to: str) -> Response:
        """Open a session; for whoever has a second factor, after it was shown."""
        if not user.second_factor:
            return await self._shared.let_in(request, user, how, to)
        proof, request_origin = new_proof(), origin_of(request)
        until_us = self._shared.lookup.steady_us() + PENDING_S * 1_000_000
        self._pending[hashed(proof)] = Pending(user, to, how, until_us)
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        response = RedirectResponse("/login/code", 303)
        response.set_cookie(
            _cookie(secure=request_origin.secure),
            proof,
            max_age=PENDING_S,
            secure=request_origin.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def _show(self, request: Request) -> Response:
        pending = await self._of(request)
        if pending is None:
            return RedirectResponse("/login", 303)
        return await self._page(request, pending)

    async def _enter(self, request: Request) -> Response:
        pending = await self._of(request)
        if pending is None:
            return await self._page(request, None, _OVER, 403)
        try:
            problem = await self._problem(request, pending.user)
        except TriesOver as over:
            headers = {"Retry-After": str(over.wait_s)}
            return await self._page(request, pending, over.sentence, over.status, headers)
        if problem:
            return await self._page(request, pending, problem, 403)
        self._pending.pop(_key(request), None)
        shown = "passkey" if (await fields(request)).get("passkey") else "second factor"
        how = f"{pending.how} and {shown}"
        response = await self._shared.let_in(request, pending.user, how, pending.next)
        secure = origin_of(request).secure
        response.delete_cookie(_cookie(secure=secure), secure=secure, httponly=True)
        return response

    async def _problem(self, request: Request, user: User) -> str:
        """What is wrong with what was shown; "" where it holds."""
        form, request_origin, prover = (
            await fields(request),
            origin_of(request),
            self._shared.prover,
        )
        if said := form.get("passkey"):
            challenge = self._challenges.take(_proof(request))
            return (
                ""
                if await prover.passkey(user, said, challenge, request_origin)
                else _WRONG_PASSKEY
            )
        return "" if await prover.code(user, form.get("code", ""), request_origin) else _WRONG

    async def _of(self, request: Request) -> Pending | None:
        """Who is on the way in this browser; nobody whose account has changed meanwhile."""
        pending = self._pending.get(_key(request))
        if pending is None or self._shared.lookup.steady_us() >= pending.until_us:
            return None
        users = self._shared.ledger.users
        now = await self._shared.lookup.in_thread(users.named, pending.user.name)
        return pending if now == pending.user else None

    async def _page(
        self,
        request: Request,
        pending: Pending | None,
        problem: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """The page; without somebody on the way it leads back to the first step."""
        asked: Asked | None = None
        if pending is not None:
            lookup, request_origin, proof = (
                self._shared.lookup,
                origin_of(request),
                _proof(request),
            )
            asked = await what_to_ask(lookup, self._challenges, pending.user, proof, request_origin)
        context = {"problem": problem, "asked": asked}
        return self._shared.page(request, "code.html", context, status=status, headers=headers)


def _key(request: Request) -> bytes:
    return hashed(_proof(request))


def _proof(request: Request) -> str:
    secure = origin_of(request).secure
    return request.cookies.get(_cookie(secure=secure), "")[:256]


def _cookie(*, secure: bool) -> str:
    return f"{cookie_name(secure)}-code"
