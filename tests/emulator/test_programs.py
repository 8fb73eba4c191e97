"""Programs as people write them, against the emulator as it runs: no proxy, no patch.

Bots are written from Exotel's page with the libraries that people take; clients know nothing but an
https address and a certificate that the environment tells them to trust.
"""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import httpx2
import pytest
import requests
from aiohttp import web
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pipecat.runner.utils import parse_telephony_websocket
from websockets.asyncio.server import serve

from switchhook.emulator.net.own_certificate import own_certificate
from switchhook.emulator.net.serving import serving
from switchhook.emulator.runs.server import TlsPort, bot_plan, running_emulator
from switchhook.exotel.wire.rest_error import parse_error

ENOUGH = 10


class Echo:
    """What each of these bots does with a message: say what was heard, then close."""

    def __init__(self):
        self.heard = 0

    def answer(self, text):
        """The text to send, if any; None at the end."""
        message = json.loads(text)
        if message["event"] != "media":
            return ""
        self.heard += 1
        if self.heard > ENOUGH:
            return None
        said = {"payload": message["media"]["payload"]}
        return json.dumps({"event": "media", "stream_sid": message["stream_sid"], "media": said})


@asynccontextmanager
async def websockets_bot():
    async def bot(socket):
        echo = Echo()
        async for text in socket:
            said = echo.answer(text)
            if said is None:
                return
            if said:
                await socket.send(said)

    async with serve(bot, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def fastapi_bot():
    app = FastAPI()

    @app.websocket("/media")
    async def media(socket: WebSocket):
        await socket.accept()
        echo = Echo()
        while (said := echo.answer(await socket.receive_text())) is not None:
            if said:
                await socket.send_text(said)
        await socket.close()

    async with serving(app) as served:
        yield served.port


@asynccontextmanager
async def aiohttp_bot():
    async def media(request):
        socket, echo = web.WebSocketResponse(), Echo()
        await socket.prepare(request)
        async for message in socket:
            said = echo.answer(message.data)
            if said is None:
                break
            if said:
                await socket.send_str(said)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/media", media)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def pipecat_bot():
    """Finds out by itself which telephony it talks to, as Pipecat's runner does."""
    app = FastAPI()

    @app.websocket("/media")
    async def media(socket: WebSocket):
        await socket.accept()
        kind, call = await parse_telephony_websocket(socket)
        assert kind == "exotel"
        echo = Echo()
        try:
            while (said := echo.answer(await socket.receive_text())) is not None:
                if said:
                    await socket.send_text(said)
        except WebSocketDisconnect:
            return
        await socket.close(reason=call["call_id"])

    async with serving(app) as served:
        yield served.port


@pytest.mark.parametrize("bot", [websockets_bot, fastapi_bot, aiohttp_bot, pipecat_bot])
def test_a_bot_written_from_exotels_page_holds_a_call(bot):
    async def main():
        async with bot() as port:
            url = f"ws://127.0.0.1:{port}/media"
            async with running_emulator(make=lambda _: bot_plan(url, None), seed=1) as running:
                call = running.exchange.ring("08047112233")
                await running.exchange.drain()
                return call

    call = asyncio.run(main())
    outcome = call.stream_outcome
    assert (outcome.status, outcome.disconnected_by) == ("completed", "bot")
    assert call.trace.find("first_audio")
    (ended,) = call.trace.find("media")
    # Frames of 20 ms, sent back as they came: the one rule that an echo breaks.
    assert set(ended["breaches"]) <= {"under-100-ms", "silence-only"}
    if bot is pipecat_bot:
        assert call.trace.find("bot_closed")[0]["reason"] == call.facts.sid


def by_requests(url, user, form):
    with requests.Session() as session:
        reply = session.post(url, auth=user, data=form)
        return reply.status_code, reply.content


def by_httpx(url, user, form):
    with httpx2.Client() as client:
        reply = client.post(url, auth=user, data=form)
        return reply.status_code, reply.content


def by_urllib(url, user, form):
    token = base64.b64encode(":".join(user).encode()).decode()
    request = Request(url, urlencode(form).encode(), {"Authorization": f"Basic {token}"})
    try:
        with urlopen(request) as reply:
            return reply.status, reply.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize("ask", [by_requests, by_httpx, by_urllib])
def test_a_client_of_fixed_https_needs_the_certificate_and_nothing_else(ask, tmp_path, monkeypatch):
    own = own_certificate(tmp_path, "127.0.0.1", datetime.now(UTC))
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(own.file))
    monkeypatch.setenv("NO_PROXY", "*")

    async def main():
        tls = TlsPort("127.0.0.1", 0, own.context)
        async with running_emulator(make=lambda bot: bot_plan(bot, None), tls=tls) as running:
            account = running.exchange.lines["exotelt"].account
            url = f"{running.tls_url}/v1/Accounts/exotelt/Calls/connect.json"
            form = {
                "From": "09811100001",
                "CallerId": "08047112233",
                "Url": "http://my.exotel.com/exotelt/exoml/start_voice/bot",
            }
            user = (account.key, account.token)
            made = await asyncio.to_thread(ask, url, user, form)
            refused = await asyncio.to_thread(ask, url, user, {"From": "09811100001"})
            return made, refused

    (status, body), (refused, problem) = asyncio.run(main())
    assert (status, json.loads(body)["Call"]["Status"]) == (200, "queued")
    assert refused == 400
    assert "CallerId" in parse_error(problem).message
