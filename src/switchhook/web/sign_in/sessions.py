"""Who asks: sessions and tokens looked up in the ledger, and what each has revealed.

A session is looked up for each request, so that what another process changes (`switchhook users`)
counts at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import cookie_parser

from switchhook.access.roles import REVEALED_FOR_US, Role, Scope, Viewer
from switchhook.access.sign_in import role_now
from switchhook.access.users import Session, Token
from switchhook.errors import LedgerError
from switchhook.web.sign_in.request_origin import values_of
from switchhook.web.sign_in.tokens import LONGEST, hashed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Scope as Asked

    from switchhook.access.roles import AccessSettings
    from switchhook.access.users import AccessLedger
    from switchhook.web.sign_in.request_origin import RequestOrigin

log = logging.getLogger("switchhook.access")

TOUCH_US = 60_000_000
"""A use is noted when the last noted one is so old."""
MOST_REVEALED = 1_000
MOST_SESSIONS = 10_000

T = TypeVar("T")


class Identity(msgspec.Struct, frozen=True):
    """What is known of who asks. `proof` is what the session's cookie says.

    `for_flags` is whether they showed a token that reads flags only, which is none here.
    """

    accounts: bool
    session: Session | None = None
    proof: str = ""
    token: Viewer | None = None
    for_flags: bool = False


def cookie_name(secure: bool) -> str:
    """With https the prefix makes browsers refuse one that another host or path has set."""
    return "__Host-switchhook" if secure else "switchhook"


class SessionLookup:
    """Looks people up. `now_us` is the clock; `steady_us` one that nobody sets, for short waits."""

    def __init__(
        self,
        ledger: AccessLedger,
        settings: AccessSettings,
        now_us: Callable[[], int],
        steady_us: Callable[[], int],
    ) -> None:
        self.ledger, self.settings = ledger, settings
        self.now_us, self.steady_us = now_us, steady_us
        self.reveals = Reveals(steady_us)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="access")

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Something that touches the disk, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def look(
        self, scope: Asked, request_origin: RequestOrigin, bearer: str | None
    ) -> Identity:
        """Who asks, by the cookie or the token of a request. Raises LedgerError."""
        proof = _cookie(scope, cookie_name(request_origin.secure)) if bearer is None else ""
        return await self.in_thread(self._look, proof, bearer, request_origin.address)

    def viewer(self, session: Session, request_origin: RequestOrigin) -> Viewer:
        """A session's user as who looks."""
        return Viewer(
            session.user.name,
            session.user.role,
            session.key,
            revealed=self.reveals.of(session.key, session.user.role),
            origin=request_origin.address,
            releases=session.user.role >= self.settings.release_role,
        )

    def _look(self, proof: str, bearer: str | None, address: str) -> Identity:
        now_us = self.now_us()
        standing = self.ledger.passes.standing(
            hashed(proof) if proof else None, hashed(bearer) if bearer else None
        )
        session, token = standing.session, standing.token
        if session is not None and role_now(session, self.settings, now_us) is None:
            session = None
        if token is not None and not token.works(now_us):
            token = None
        for used in (session, token):
            if used is not None and now_us - (used.used_us or 0) >= TOUCH_US:
                self._touch(used.key, now_us)
        for_flags = token is not None and token.scope is Scope.FLAGS
        viewer = None if token is None or for_flags else self._of_token(token, address)
        return Identity(standing.accounts, session, proof, viewer, for_flags)

    def _of_token(self, token: Token, address: str) -> Viewer:
        owner = "" if token.owner is None else f" of {token.owner.name}"
        return Viewer(
            f"token {token.name}{owner}",
            token.role,
            token.key,
            revealed=self.reveals.of(token.key, token.role),
            origin=address,
            token=True,
            releases=token.may_release(self.settings.release_role),
        )

    def _touch(self, key: str, now_us: int) -> None:
        try:
            self.ledger.passes.touch(key, now_us)
        except LedgerError as error:
            log.warning("a use could not be noted, the session may end early: %s", error)


class Reveals:
    """Whose numbers were revealed to whom, for a quarter of an hour each; lost with the process.

    Used on any thread: each call is one step of the interpreter's dictionaries.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._until: OrderedDict[str, dict[str, int]] = OrderedDict()

    def of(self, key: str, role: Role) -> frozenset[str]:
        """The calls whose numbers a session may see now; none any more once its role fell."""
        if role < Role.OPERATOR:
            self.forget(key)
            return frozenset()
        now_us = self._now_us()
        calls = self._until.get(key)
        if calls is None:
            return frozenset()
        return frozenset(call for call, until in list(calls.items()) if now_us < until)

    def add(self, key: str, call_sid: str) -> None:
        """Reveal; note it in the audit log first."""
        calls = self._until.pop(key, {})
        calls.pop(call_sid, None)
        calls[call_sid] = self._now_us() + REVEALED_FOR_US
        while len(calls) > MOST_REVEALED:
            calls.pop(next(iter(calls)))
        self._until[key] = calls
        while len(self._until) > MOST_SESSIONS:
            self._until.popitem(last=False)

    def forget(self, key: str) -> None:
        """Mask again."""
        self._until.pop(key, None)


def _cookie(scope: Asked, name: str) -> str:
    for said in values_of(scope["headers"], b"cookie"):
        proof = cookie_parser(said).get(name, "")
        if proof and len(proof) <= LONGEST:
            return proof
    return ""
