"""Exotel's API on a port of its own, in a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.emulator.exchange.exchange import Exchange

if TYPE_CHECKING:
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.asgi import ASGIApp, Message, Receive, Scope, Send
    from switchhook.emulator.testing.thread import LoopThread


class TestExchange(Exchange):
    """An exchange whose recordings move to our own port once there is one."""

    __test__ = False  # for pytest, which collects by name
    recordings_url: str | None = None

    def recording_url(self, line: AccountLine, sid: str) -> str:
        """Where the recording can be fetched; Exotel's host, where no port was asked for."""
        if self.recordings_url is None:
            return super().recording_url(line, sid)
        return f"{self.recordings_url}/{line.sid}/{sid}.mp3"


class ServedApi:
    """The API of whichever exchange the test has just now, as an app to serve."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._exchange: TestExchange | None = None
        self._rest: ASGIApp | None = None

    def of(self, exchange: TestExchange) -> None:
        """From now on it is the API of this exchange."""
        self._exchange, self._rest = exchange, None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: what is between us and the client goes at the world's pace."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        outside = self._thread.clock.outside
        heard: list[Message] = []
        with outside():
            heard.append(await receive())
            while heard[-1].get("more_body", False):
                heard.append(await receive())
        heard.reverse()

        async def hear() -> Message:
            return heard.pop() if heard else await receive()

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A kept connection would be closed by a timer, and ours jump.
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            with outside():
                await send(message)

        with self._thread.passing():
            await self._made()(scope, hear, say)

    def _made(self) -> ASGIApp:
        from switchhook.emulator.api.exotel_api import make_rest

        if self._rest is None:
            assert self._exchange is not None
            self._rest = make_rest(self._exchange)
        return self._rest
