"""What the pages of access share: who asks, what they may, and how they are let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from switchhook.access.audit import Deed, deed_of
from switchhook.access.roles import Role, Viewer
from switchhook.access.users import LinkKind, Session, User
from switchhook.web.render import Renderer, viewer_of
from switchhook.web.sign_in.live_requests import LiveRequests
from switchhook.web.sign_in.password_hashing import Hashing
from switchhook.web.sign_in.prover import Prover
from switchhook.web.sign_in.request_origin import MACHINE
from switchhook.web.sign_in.sessions import SessionLookup, cookie_name
from switchhook.web.sign_in.tokens import hashed, new_proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.roles import AccessSettings
    from switchhook.access.users import AccessLedger
    from switchhook.web.sign_in.request_origin import RequestOrigin

LONGEST_FIELD = 4_000
_HOUR_S = 3_600


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """The parts; `address` is where the console listens.

    `sections` gives what other parts show on /settings, `call_named` the SID of the call that an
    address names, and its numbers, masked, by what they are; both are called in a thread.
    """

    lookup: SessionLookup
    live: LiveRequests
    hashing: Hashing
    prover: Prover
    renderer: Renderer
    address: str = ""
    sections: Callable[[Viewer], dict[str, Any]] = lambda viewer: {}
    call_named: Callable[[str], tuple[str, dict[str, str]]] = lambda name: (name, {})

    @property
    def ledger(self) -> AccessLedger:
        return self.lookup.ledger

    @property
    def settings(self) -> AccessSettings:
        return self.lookup.settings

    def now_us(self) -> int:
        return self.lookup.now_us()

    def page(
        self, request: Request, template: str, context: dict[str, Any], **more: Any
    ) -> Response:
        return self.renderer.page(request, template, context, **more)

    async def let_in(
        self, request: Request, user: User, how: str, to: str, *, proved_us: int | None = None
    ) -> Response:
        """Open a session for a user who has proven to be one, and go on to a path.

        `proved_us` is when they did at a provider; None is now, to us.
        """
        request_origin, now_us = origin_of(request), self.now_us()
        proof = new_proof()
        deed = Deed(
            who=user.name, what="signed in", origin=request_origin.address, details={"by": how}
        )
        agent = request.headers.get("user-agent", "")
        await self.lookup.in_thread(
            lambda: self.ledger.passes.open_session(
                user.id,
                hashed(proof),
                request_origin.address,
                agent,
                deed,
                now_us,
                proved_us=proved_us,
            )
        )
        before = request.scope.get("session")
        if isinstance(before, Session):
            await self.end_session(before, deed_by(user.name, request_origin, "signed in anew"))
        self.live.end(MACHINE)
        response = RedirectResponse(to, 303)
        response.set_cookie(
            cookie_name(request_origin.secure),
            proof,
            max_age=int(self.settings.session_hours * _HOUR_S),
            secure=request_origin.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def end_session(self, session: Session, deed: Deed) -> None:
        """End a session and everything that it has open."""
        await self.lookup.in_thread(self.ledger.passes.end_session, session.id, deed, self.now_us())
        self.lookup.reveals.forget(session.key)
        self.live.end(session.key)

    def end_live(self, keys: Iterable[str]) -> None:
        """Close what these sessions and tokens have open: they have ended."""
        for key in keys:
            self.lookup.reveals.forget(key)
            self.live.end(key)

    async def passes_of(self, user: User) -> list[str]:
        """The keys of a user's sessions and tokens, for ending what they have open."""
        passes = self.ledger.passes
        sessions = await self.lookup.in_thread(passes.sessions, user.id)
        tokens = await self.lookup.in_thread(passes.tokens, user.id)
        return [*(each.key for each in sessions), *(each.key for each in tokens)]

    def link_address(self, request: Request, proof: str) -> str:
        """The whole address of a one-time link."""
        base = self.settings.url or origin_of(request).origin
        return f"{base}/welcome/{proof}"

    async def make_link(
        self, request: Request, kind: LinkKind, name: str, role: Role, what: str
    ) -> str:
        """Make a one-time link, and give its address; a 403 where that right is lost meanwhile."""
        proof, session = new_proof(), session_of(request)
        by = None if session is None else session.user.id
        deed = deed_of(viewer_of(request), what, name, role=role.word)
        made = await self.lookup.in_thread(
            self.ledger.users.make_link, kind, name, role, by, hashed(proof), deed, self.now_us()
        )
        if made is None:
            raise _lacks(Role.ADMINISTRATOR)
        return self.link_address(request, proof)


def origin_of(request: Request) -> RequestOrigin:
    """How the request arrived; the middleware put it there."""
    request_origin: RequestOrigin = request.scope["request_origin"]
    return request_origin


def session_of(request: Request) -> Session | None:
    """The session that asks; None for tokens, an open console and those not signed in."""
    session: Session | None = request.scope.get("session")
    return session


def require(request: Request, role: Role) -> Viewer:
    """Who asks, if the role is enough; else a 403."""
    viewer = viewer_of(request)
    if not viewer.may(role):
        raise _lacks(role)
    return viewer


def _lacks(role: Role) -> HTTPException:
    return HTTPException(403, f"this takes the role {role.word}")


def deed_by(
    who: str, request_origin: RequestOrigin, what: str, subject: str = "", **details: str
) -> Deed:
    """A deed of somebody at this address."""
    return Deed(who=who, what=what, subject=subject, origin=request_origin.address, details=details)


async def fields(request: Request) -> dict[str, str]:
    """The texts of a form, each cut; a field that comes twice counts once."""
    form = await request.form(max_files=0, max_fields=100)
    return {name: value[:LONGEST_FIELD] for name, value in form.items() if isinstance(value, str)}


def number_of(said: str | None) -> int:
    """A whole number of a form; a 400 where it is none."""
    if said is None or not said.isascii() or not said.isdigit() or len(said) > 15:
        raise HTTPException(400, "the form lacks a number")
    return int(said)
