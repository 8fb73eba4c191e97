"""The private port answers with what is shown at the time, and ends when it is told to."""

from __future__ import annotations

import asyncio
import socket

import httpx2
from starlette.responses import PlainTextResponse

from patience import PATIENCE_S
from switchhook.server import served_app
from switchhook.server.served_app import ServedApp


def test_it_answers_with_what_was_shown_last():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as sock:
            app = ServedApp(sock)
            said = []
            async with httpx2.AsyncClient(trust_env=False) as client:
                for text in ("closed", "open"):
                    app.show(PlainTextResponse(text))
                    url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
                    said.append((await client.get(url)).text)
            app.leave()
            async with asyncio.timeout(PATIENCE_S):
                await app.end()
            return said

    assert asyncio.run(main()) == ["closed", "open"]


def test_who_is_told_to_leave_while_it_starts_ends_at_once():
    """The app is there only then, and nobody would tell its server."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as sock:
            app = ServedApp(sock)
            app.leave()
            app.show(PlainTextResponse("too late"))
            async with asyncio.timeout(PATIENCE_S):
                await app.end()

    asyncio.run(main())


def test_what_is_not_answered_in_time_at_the_end_is_told_so_and_no_fault(monkeypatch, caplog):
    monkeypatch.setattr(served_app, "LEAVE_S", 0)

    async def main():
        asked = asyncio.Event()

        async def never(_scope, _receive, _send):
            asked.set()
            await asyncio.Event().wait()

        with socket.create_server(("127.0.0.1", 0)) as sock:
            app = ServedApp(sock)
            app.show(never)
            async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
                url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
                answer = asyncio.create_task(client.get(url))
                await asked.wait()
                app.leave()
                async with asyncio.timeout(PATIENCE_S):
                    await app.end()
                return await answer

    answer = asyncio.run(main())
    assert (answer.status_code, answer.text) == (503, "it ends: try again\n")
    assert "Exception in ASGI application" not in caplog.text
