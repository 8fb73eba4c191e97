"""Wraps the whole console: nothing behind it is reached without a `Viewer`.

For each request: whether it may arrive at all (Host, proxies), who asks (session, token, or this
machine by its link while nobody has an account), whether it may change something (role, CSRF), and
what every response carries. What is being answered ends with the session that asked.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import msgspec

from switchhook.access.roles import EVERYTHING, THIS_MACHINE, Role, Viewer
from switchhook.access.sign_in import must_enrol
from switchhook.errors import LedgerError
from switchhook.loopback import why_not_straight
from switchhook.web.endpoint import json_response
from switchhook.web.sign_in.forms import read_form
from switchhook.web.sign_in.refusals import RefusedRequest
from switchhook.web.sign_in.request_origin import FORWARDED_BY, MACHINE, arrive, crossed, values_of
from switchhook.web.sign_in.tokens import csrf_of, same

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from switchhook.access.roles import AccessSettings
    from switchhook.access.users import Session
    from switchhook.web.sign_in.fresh_proof import FreshProof
    from switchhook.web.sign_in.live_requests import Bound, LiveRequests
    from switchhook.web.sign_in.local_door import LocalDoor
    from switchhook.web.sign_in.read_log import ReadLog
    from switchhook.web.sign_in.refusals import Refusals
    from switchhook.web.sign_in.request_origin import RequestOrigin
    from switchhook.web.sign_in.sessions import Identity, SessionLookup

log = logging.getLogger("switchhook.access")

NOBODY = Viewer("not signed in", Role.VIEWER)
ANYBODYS = ("/static/", "/login", "/welcome/", "/open", "/on-it/")
"""What needs no session: begins with, or is, one of these."""
PROGRAMS = ("/api/", "/metrics", "/healthz")
"""Where a token opens, and where refusals are JSON."""
OWN = ("/logout", "/settings/own/", "/views", "/api/v1/views")
"""What a viewer may change: their own."""
ENROL = "/settings/own/second-factor"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_LONGEST_TOKEN = 256


class WithoutLedger(Protocol):
    """Answers a request whose asker can't be looked up, as the ledger fails."""

    async def __call__(
        self, error: LedgerError, scope: Scope, receive: Receive, send: Send
    ) -> None: ...


class Access:
    """The middleware; see the module."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: AccessSettings,
        lookup: SessionLookup,
        live: LiveRequests,
        refusals: Refusals,
        fresh: FreshProof,
        reads: ReadLog,
        door: LocalDoor,
        without_ledger: WithoutLedger | None = None,
    ) -> None:
        """`without_ledger` answers where the ledger fails, so that nobody can be let in."""
        self._app, self._settings, self._lookup = app, settings, lookup
        self._live, self._refusals = live, refusals
        self._fresh, self._reads, self._door = fresh, reads, door
        self._key = secrets.token_bytes(32)
        self._without_ledger = without_ledger or self._say_ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request_origin = arrive(scope, self._settings)
        scope["request_origin"] = request_origin
        scope["viewer"], scope["csrf"] = NOBODY, ""
        sending = _with_headers(send, request_origin)
        try:
            viewer, receive = await self._admit(scope, receive, request_origin)
            asked, receive = await self._before(viewer, scope, receive)
        except RefusedRequest as refused:
            await self._refusals.answer(refused, scope, receive, sending)
            return
        except LedgerError as error:
            log.warning("nobody can be let in: %s", error)
            await self._without_ledger(error, scope, receive, sending)
            return
        if asked is not None:
            await asked(scope, receive, sending)
            return
        if viewer is NOBODY and scope["path"] == "/healthz":
            sending = _health_in_short(sending)
        sending = self._refusals.as_pages(scope, sending)
        await self._answer(viewer, scope, receive, sending)

    async def _say_ledger(
        self, error: LedgerError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let nobody in, and say why; without the file's name, as anybody may be asking."""
        problem = f"who asks can't be looked up just now: the ledger fails, {error.problem}"
        if scope["path"] == "/healthz":
            said = {"status": "degraded", "problems": [f"{problem} ({error.hint})"]}
            await json_response({**said, "fold_lag": None})(scope, receive, send)
            return
        await self._refusals.answer(RefusedRequest(503, problem, error.hint), scope, receive, send)

    async def _admit(
        self, scope: Scope, receive: Receive, request_origin: RequestOrigin
    ) -> tuple[Viewer, Receive]:
        """Let somebody in as who they are, or raise RefusedRequest."""
        if request_origin.problem is not None:
            raise RefusedRequest(403, request_origin.problem)
        path, headers = scope["path"], scope["headers"]
        bearer = _bearer(headers) if path.startswith(PROGRAMS) else None
        known = await self._lookup.look(scope, request_origin, bearer)
        opened = self._settings.open(known.accounts)
        if bearer is not None and not (opened and self._door.opens(bearer)):
            viewer = self._of_token(known)
        elif known.session is not None:
            viewer = self._lookup.viewer(known.session, request_origin)
            scope["session"], scope["csrf"] = known.session, csrf_of(known.proof)
        elif opened:
            viewer = self._of_this_machine(scope, request_origin, bearer)
        else:
            viewer = NOBODY
        if viewer is NOBODY:
            scope["csrf"] = self._csrf_of("nobody")
        scope["viewer"], scope["accounts"] = viewer, known.accounts
        if viewer is NOBODY and not path.startswith((*ANYBODYS, "/healthz")):
            raise self._by_the_link(scope) if opened else self._sign_in(scope)
        if scope["method"] not in SAFE_METHODS:
            receive = await self._may_change(viewer, scope, receive, request_origin)
        return viewer, receive

    async def _before(
        self, viewer: Viewer, scope: Scope, receive: Receive
    ) -> tuple[Response | None, Receive]:
        """What comes before the answer: a second factor, a fresh password, a note of the read."""
        session: Session | None = scope.get("session")
        path = scope["path"]
        if session is not None and must_enrol(session.user, self._settings):
            _enrol_first(path)
        if scope["method"] in SAFE_METHODS:
            query = scope.get("query_string", b"").decode("latin-1")
            await self._reads.note(viewer, path, query)
        elif session is not None:
            return await self._fresh.ask(session, scope, receive)
        return None, receive

    def _of_this_machine(
        self, scope: Scope, request_origin: RequestOrigin, bearer: str | None
    ) -> Viewer:
        """Whoever knows the link of an open console; others are nobody, and proxies refused."""
        if FORWARDED_BY in scope:
            by_node = "it came by way of another node, and nobody has an account yet"
            raise RefusedRequest(403, by_node, "make one: switchhook users add")
        problem = why_not_straight(scope["headers"], scope.get("http_version", "1.1"))
        if problem is not None:
            hint = (
                "ask by 127.0.0.1 or localhost on this machine, or through an SSH tunnel to that"
                " address; with users it can be reached from elsewhere"
            )
            raise RefusedRequest(403, problem, hint)
        if bearer is None and not self._door.knows(scope["headers"]):
            return NOBODY
        scope["csrf"] = self._csrf_of(MACHINE)
        return Viewer(
            THIS_MACHINE,
            Role.ADMINISTRATOR,
            MACHINE,
            open=True,
            revealed=frozenset((EVERYTHING,)),
            origin=request_origin.address,
        )

    def _of_token(self, known: Identity) -> Viewer:
        if known.for_flags:
            problem = "this token reads flags where bots do, and opens nothing here"
            raise RefusedRequest(403, problem, "make one of another scope")
        if known.token is None:
            hint = "make one on /settings, or with: switchhook tokens make"
            challenge = 'Bearer realm="switchhook", error="invalid_token"'
            headers = {"WWW-Authenticate": challenge}
            problem = "this token is unknown, expired or revoked"
            raise RefusedRequest(401, problem, hint, **headers)
        return known.token

    def _csrf_of(self, whom: str) -> str:
        return hmac.digest(self._key, whom.encode(), "sha256").hex()

    def _by_the_link(self, scope: Scope) -> RefusedRequest:
        """How somebody without the link of an open console is sent to find it."""
        hint = "on its machine `switchhook link` prints it"
        return self._elsewhere(scope, "/open", "this needs the console's link, or its token", hint)

    def _sign_in(self, scope: Scope) -> RefusedRequest:
        """How somebody without a session is sent to sign in."""
        return self._elsewhere(scope, "/login", "this needs a session or a token", "see /settings")

    def _elsewhere(self, scope: Scope, door: str, problem: str, hint: str) -> RefusedRequest:
        path = scope["path"]
        if path.startswith(PROGRAMS):
            headers = {"WWW-Authenticate": 'Bearer realm="switchhook"'}
            return RefusedRequest(401, problem, hint, **headers)
        query = scope.get("query_string", b"").decode("latin-1")
        here = quote(path) + (f"?{query}" if query else "")
        to = f"{door}?next={quote(here, safe='/')}" if scope["method"] == "GET" else door
        if values_of(scope["headers"], b"hx-request"):
            return RefusedRequest(401, problem, **{"HX-Redirect": door})
        if any("text/event-stream" in said for said in values_of(scope["headers"], b"accept")):
            return RefusedRequest(401, problem)
        return RefusedRequest(303, problem, Location=to)

    async def _may_change(
        self, viewer: Viewer, scope: Scope, receive: Receive, request_origin: RequestOrigin
    ) -> Receive:
        """Whether a request may change something; gives what it sends on, as it was read."""
        path = scope["path"]
        # Anybody may try to sign in; whoever did may change what is their own.
        theirs = viewer is not NOBODY and path.startswith(OWN) and not viewer.token
        if viewer.role < Role.OPERATOR and not theirs and not path.startswith(ANYBODYS):
            raise _may_only_look(viewer)
        if viewer.token:
            return receive  # no browser sends it by itself
        verdict = crossed(scope["headers"], request_origin)
        if verdict:
            hint = "open the page of this console and do it there; behind a proxy set console.url"
            raise RefusedRequest(403, "another site asked for this", hint)
        if verdict is None and viewer.open and path.startswith("/api/"):
            return receive  # no browser: those say where a request comes from
        if verdict is None and viewer is NOBODY:
            raise RefusedRequest(403, "it does not say where it comes from (Origin)")
        said = values_of(scope["headers"], b"x-csrf-token")
        if not said:
            form, receive = await read_form(scope, receive)
            said = form.get("csrf", [])
        if not said or not same(said[0], scope["csrf"]):
            hint = "load the page again and repeat it: you may have signed in or out meanwhile"
            raise RefusedRequest(403, "this form is not from this session", hint)
        return receive

    async def _answer(self, viewer: Viewer, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, until done or until the session ends."""
        begun = done = False

        async def sending(message: Message) -> None:
            nonlocal begun, done
            begun = begun or message["type"] == "http.response.start"
            done = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        if not viewer.session:
            await self._app(scope, receive, send)
            return
        bound: Bound
        with self._live.bound(viewer) as bound:
            try:
                await self._app(scope, receive, sending)
                return
            except asyncio.CancelledError:
                if not bound.ended:
                    raise
                bound.task.uncancel()
        if begun and not done:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not begun:
            gone = RefusedRequest(401, "the session ended meanwhile", "sign in again")
            await self._refusals.answer(gone, scope, receive, send)


def _enrol_first(path: str) -> None:
    """Whose role needs a second factor sees nothing before there is one. Raises RefusedRequest."""
    if path.startswith((ENROL, "/logout", *ANYBODYS)):
        return
    if path.startswith(PROGRAMS):
        raise RefusedRequest(403, "your role needs a second factor", f"set one up on {ENROL}")
    raise RefusedRequest(303, "set up a second factor first", Location=ENROL)


def _bearer(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The token of an Authorization header; "" for one that can't be one."""
    said = values_of(headers, b"authorization")
    if not said:
        return None
    scheme, _, token = said[0].partition(" ")
    if len(said) > 1 or scheme.lower() != "bearer" or len(token) > _LONGEST_TOKEN:
        return ""
    return token.strip()


_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: browsers would say Origin: null for our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"x-frame-options", b"DENY"),
)
_UNLESS_SAID = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_FOR_A_YEAR = (b"strict-transport-security", b"max-age=31536000")


def _with_headers(send: Send, request_origin: RequestOrigin) -> Send:
    """Every response carries what browsers need to keep it safe."""
    always = (*_ALWAYS, _FOR_A_YEAR) if request_origin.secure else _ALWAYS
    ours = {name for name, _ in always}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            theirs = [
                (name, value)
                for name, value in message.get("headers", ())
                if name.lower() not in ours
            ]
            names = {name.lower() for name, _ in theirs}
            more = [each for each in _UNLESS_SAID if each[0] not in names]
            message = {**message, "headers": [*theirs, *always, *more]}
        await send(message)

    return sending


def _health_in_short(send: Send) -> Send:
    """Whoever is not signed in learns whether it is well, and no more."""
    start: Message = {}
    body = b""

    async def sending(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            start = message
            return
        body += message.get("body", b"")
        if message.get("more_body", False):
            return
        short = msgspec.json.encode({"status": _status(body)})
        length = (b"content-length", str(len(short)).encode())
        others = [each for each in start["headers"] if each[0].lower() != b"content-length"]
        await send({**start, "headers": [*others, length]})
        await send({"type": "http.response.body", "body": short})

    return sending


def _status(body: bytes) -> str:
    try:
        said: object = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "unknown"
    status = said.get("status") if isinstance(said, dict) else None
    return status if isinstance(status, str) else "unknown"


def _may_only_look(viewer: Viewer) -> RefusedRequest:
    if viewer.token:
        problem = "this token may look, not change"
        hint = "it takes one of the scope operate; release to ship rules or set flags"
        return RefusedRequest(403, problem, hint)
    return RefusedRequest(403, "your role may look, not change", "ask an administrator")
