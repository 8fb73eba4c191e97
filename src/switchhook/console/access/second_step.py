"""/login/code: the second step of signing in, for those who have enrolled a second factor."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from switchhook.console.access.desk import cookie_name
from switchhook.console.access.proofs import hashed, new_proof
from switchhook.console.access.prover import Pending, TriesOver
from switchhook.console.access.shared import arrival_of, fields

if TYPE_CHECKING:
    from starlette.requests import Request

    from switchhook.console.access.shared import Shared
    from switchhook.users import User

PENDING_S = 300
MOST_PENDING = 1_000
_WRONG = "That code is wrong, or was used already."
_OVER = "That took too long: begin again."


class SecondStep:
    """What is between the password and the session; lost with the process, then one begins again.

    The browser holds a proof of its own in a cookie, so that nobody else can go on from there.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._pending: OrderedDict[bytes, Pending] = OrderedDict()

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/login/code", self._show, methods=["GET"]),
            Route("/login/code", self._enter, methods=["POST"]),
        ]

    async def let_in(self, request: Request, user: User, how: str, to: str) -> Response:
        """Open a session; for whoever has a second factor, after it was shown."""
        if not user.second_factor:
            return await self._shared.let_in(request, user, how, to)
        proof, arrival = new_proof(), arrival_of(request)
        until_us = self._shared.desk.steady_us() + PENDING_S * 1_000_000
        self._pending[hashed(proof)] = Pending(user, to, how, until_us)
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        response = RedirectResponse("/login/code", 303)
        response.set_cookie(
            _cookie(secure=arrival.secure),
            proof,
            max_age=PENDING_S,
            secure=arrival.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def _show(self, request: Request) -> Response:
        if await self._of(request) is None:
            return RedirectResponse("/login", 303)
        return self._page(request)

    async def _enter(self, request: Request) -> Response:
        pending = await self._of(request)
        if pending is None:
            return self._page(request, _OVER, 403, over=True)
        code = (await fields(request)).get("code", "")
        try:
            right = await self._shared.prover.code(pending.user, code, arrival_of(request))
        except TriesOver as over:
            headers = {"Retry-After": str(over.wait_s)}
            return self._page(request, over.sentence, over.status, headers=headers)
        if not right:
            return self._page(request, _WRONG, 403)
        self._pending.pop(_key(request), None)
        how = f"{pending.how} and second factor"
        response = await self._shared.let_in(request, pending.user, how, pending.next)
        secure = arrival_of(request).secure
        response.delete_cookie(_cookie(secure=secure), secure=secure, httponly=True)
        return response

    async def _of(self, request: Request) -> Pending | None:
        """Who is on the way in this browser; nobody whose account has changed meanwhile."""
        pending = self._pending.get(_key(request))
        if pending is None or self._shared.desk.steady_us() >= pending.until_us:
            return None
        users = self._shared.ledger.users
        now = await self._shared.desk.in_thread(users.named, pending.user.name)
        return pending if now == pending.user else None

    def _page(
        self,
        request: Request,
        problem: str = "",
        status: int = 200,
        *,
        over: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Response:
        context = {"problem": problem, "over": over}
        return self._shared.page(request, "code.html", context, status=status, headers=headers)


def _key(request: Request) -> bytes:
    secure = arrival_of(request).secure
    return hashed(request.cookies.get(_cookie(secure=secure), "")[:256])


def _cookie(*, secure: bool) -> str:
    return f"{cookie_name(secure)}-code"
