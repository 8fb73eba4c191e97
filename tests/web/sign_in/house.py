"""A console behind its door, without a network: a ledger in a folder, a clock, browsers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from asgi_client import Client
from switchhook.access.audit import Deed
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import AccessSettings, Role
from switchhook.server.tables import open_ledger
from switchhook.system.local_keys import link_cookie, link_proof
from switchhook.web.parameters import RefusedParameter
from switchhook.web.render import Renderer
from switchhook.web.sign_in import ConsoleAccess

PASSWORD = "seven green parrots"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Makes hashes of the kind that ours are, but makes and checks them in no time."""
HASH = CHEAP.hash(PASSWORD)
START_US = 1_800_000_000_000_000
SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
HERE = "http://127.0.0.1:8081"
KEY = bytes(range(32))
DEED = Deed(who="test", what="tested")
"""A deed where a test does not care."""


class House:
    """The console; `now_us` is its time, by which its clock is `step_us` wrong."""

    def __init__(self, folder: Path, settings: AccessSettings | None = None) -> None:
        self.now_us = START_US
        self.step_us = 0
        self.folder = folder
        self.ledger = open_ledger(folder / "ledger")
        self.kept = LedgerAccess(self.ledger)
        self.settings = settings or AccessSettings()
        self.access = ConsoleAccess(
            self.kept,
            self.settings,
            Renderer(lambda: None),
            key=KEY,
            address=HERE,
            now_us=lambda: self.now_us + self.step_us,
            steady_us=lambda: self.now_us,
        )
        self.app = self.access.wrap(
            Starlette(
                routes=[
                    *self.access.routes(),
                    Route("/", told, methods=["GET", "POST"]),
                    Route("/feed", feed),
                    Route("/healthz", health),
                    Route("/static/a.css", told),
                    Route("/api/v1/things", told, methods=["GET", "POST", "DELETE"]),
                    Route("/metrics", told),
                    Route("/refuses", refuses),
                    Route("/breaks", breaks),
                    Route("/api/v1/refuses", refuses),
                ],
                exception_handlers={HTTPException: refused, RefusedParameter: refused},
            )
        )

    def user(self, name: str = "asha", role: Role = Role.ADMINISTRATOR) -> int:
        """A user with PASSWORD."""
        user = self.kept.users.add(name, role, DEED, self.now_us, password_hash=HASH)
        assert user is not None
        return user.id

    def browser(self, base: str = HERE, peer: str = "127.0.0.1") -> Browser:
        """A browser that has used the link of an open console."""
        browser = Browser(self, base, peer)
        browser.client.cookies.set(link_cookie(KEY), link_proof(KEY))
        return browser

    def stranger(self) -> Browser:
        """A browser of whoever does not know the link."""
        return Browser(self, HERE, "127.0.0.1")

    def signed_in(self, name: str = "asha", role: Role = Role.ADMINISTRATOR) -> Browser:
        """A browser of a new user."""
        self.user(name, role)
        browser = self.browser()
        assert browser.sign_in(name).status_code == 303
        return browser

    def whats(self) -> list[str]:
        """What the audit log says, oldest first."""
        return [each.what for each in self.kept.audit.oldest_first() if each.what != DEED.what]


async def breaks(request: Request) -> Response:
    raise RuntimeError("a fault of ours")


class Browser:
    """As a browser asks: cookies kept, Origin and the form's token sent."""

    def __init__(self, house: House, base: str, peer: str) -> None:
        self.base = base
        self.client = Client(
            house.app, base_url=base, follow_redirects=False, client=(peer, 50_000)
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={"accept": "text/html", **named(headers)})

    def post(self, path: str, form: dict[str, str], csrf: str | None = None, **headers: str) -> Any:
        """Send a form from its page; the token is that of the session."""
        token = self.csrf() if csrf is None else csrf
        return self.client.post(
            path,
            data={"csrf": token, **form},
            headers={"accept": "text/html", "origin": self.base, **named(headers)},
        )

    def csrf(self) -> str:
        """The token of this browser's forms."""
        for path in ("/settings", "/login"):
            found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
            if found:
                return found[1]
        raise AssertionError("no form")

    def sign_in(self, name: str = "asha", password: str = PASSWORD, to: str = "/") -> Any:
        return self.post("/login", {"name": name, "password": password, "next": to})


def named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def told(request: Request) -> Response:
    """Who the door says it is, and what it was sent."""
    viewer = request.scope["viewer"]
    return JSONResponse(
        {
            "name": viewer.name,
            "role": viewer.role.word,
            "open": viewer.open,
            "origin": viewer.origin,
            "numbers": viewer.sees_numbers,
            "may_release": viewer.may_release,
            "body": (await request.body()).decode(),
        }
    )


async def refuses(request: Request) -> Response:
    """Refuses as the API does, or in another form."""
    if request.url.query:
        return JSONResponse({"detail": "odd"}, 418)
    said = {"error": {"parameter": None, "problem": "<b> is no pot", "hint": "tea"}}
    return JSONResponse(said, 418, headers={"Retry-After": "7"})


async def refused(request: Request, error: Exception) -> Response:
    """As the console's app tells of what its pages refuse."""
    if isinstance(error, RefusedParameter):
        said = {"parameter": error.parameter, "problem": error.problem, "hint": error.hint}
        return JSONResponse({"error": said}, 400)
    assert isinstance(error, HTTPException)
    said = {"parameter": None, "problem": error.detail, "hint": ""}
    return JSONResponse({"error": said}, error.status_code)


async def health(request: Request) -> Response:
    return JSONResponse({"status": "ok", "problems": ["/var/lib/secret is full"]})


async def feed(request: Request) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        yield b"data: begun\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(lines(), media_type="text/event-stream")
