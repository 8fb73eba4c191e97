"""What the private port answers while the console can't open its own files: what is wrong.

Without the ledger nobody can be known, so nothing else is shown to anybody. Callers are answered
all the same, and what is kept of them is folded later.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec
from markupsafe import Markup
from starlette.responses import HTMLResponse, JSONResponse

from switchhook.errors import DataFolderError, JournalError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from switchhook.server.console_parts import ConsoleSide

log = logging.getLogger("switchhook")

CLOSED = (DataFolderError, JournalError, LedgerError)
"""What keeps the console's files closed: a full or broken disk, damage, another release's files."""
RETRY_S = 1.0
_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{heading}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>{heading}</h1>
<p>{problem}</p>
<p>To mend it: {hint}.</p>
<p>Callers are answered all the same, and what is known of them is kept. This page tries again every
few seconds{more}.</p></main></body></html>
""")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_AGAIN_S = 10


class Unavailable(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing can be shown: `more` ends the last sentence, `again_s` is when to ask again."""

    heading: str
    problem: str
    hint: str
    more: str = "; the log has the file's name"
    again_s: int = _AGAIN_S

    def response(self, path: str) -> Response:
        """What to answer at an address that is not `/healthz`."""
        headers = {**_HEADERS, "Retry-After": str(self.again_s)}
        if path.startswith("/api/") or path == "/metrics":
            wrong = {"parameter": None, "problem": self.problem, "hint": self.hint}
            return JSONResponse({"error": wrong}, 503, headers)
        page = _PAGE.format(
            heading=self.heading,
            problem=self.problem,
            hint=self.hint,
            more=self.more,
        )
        return HTMLResponse(page, 503, {**headers, "Refresh": str(self.again_s)})


def unavailable_app(error: DataFolderError | JournalError | LedgerError) -> ASGIApp:
    """An app that says of every address what is wrong, without naming a file."""
    problem, hint = error.problem, error.hint
    found = Unavailable(heading="The console can't open its files", problem=problem, hint=hint)
    again = {"Refresh": str(_AGAIN_S), "Retry-After": str(_AGAIN_S)}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1013})
            return
        path: str = scope["path"]
        response: Response
        if path == "/healthz":
            problems = [f"{problem} ({hint})"]
            said = {"status": "degraded", "problems": problems, "fold_lag": None}
            response = JSONResponse(said, 200, {**_HEADERS, **again})
        else:
            response = found.response(path)
        await response(scope, receive, send)

    return app


class SwitchableApp(Protocol):
    """Where the private port is answered."""

    left: asyncio.Event

    def show(self, app: ASGIApp) -> None: ...


async def open_when_possible(
    make: Callable[[], Awaitable[ConsoleSide]], app: SwitchableApp, *, retry_s: float = RETRY_S
) -> ConsoleSide | None:
    """The console that `make` makes, as soon as it can; until then `app` shows why it can't.

    None where it is told to leave before.
    """
    said = ""
    while not app.left.is_set():
        try:
            return await make()
        except CLOSED as error:
            if str(error) != said:
                log.error("the console can't start, and tries again: %s", error)  # noqa: TRY400
                said = str(error)
            app.show(unavailable_app(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(retry_s):
                await app.left.wait()
    return None
