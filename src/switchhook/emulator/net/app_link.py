"""A media connection in this process: an ASGI app is called, without a socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from switchhook.emulator.net.asgi import DROP
from switchhook.emulator.net.go_errors import Failure, FailureKind
from switchhook.emulator.net.in_process import scope_of
from switchhook.emulator.net.media_link import (
    ABNORMAL,
    LONGEST_BACKLOG,
    LONGEST_MESSAGE,
    READS_NOTHING,
    TOO_BIG,
)
from switchhook.emulator.net.results import NetError

if TYPE_CHECKING:
    from switchhook.emulator.net.asgi import ASGIApp, Message
    from switchhook.emulator.net.media_link import Listener


class AppLink:
    """The link to an app (ASGI specification, version 2.4)."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self._open = False
        self.backlog = 0

    @classmethod
    async def open(
        cls,
        app: ASGIApp,
        url: str,
        headers: list[tuple[str, str]],
        listener: Listener,
        running: set[asyncio.Task[None]],
    ) -> AppLink:
        """Connect; the app runs in `running` until it returns."""
        link = cls(listener)
        scope = scope_of("websocket", url, headers, subprotocols=[])
        scope["extensions"] = {"websocket.http.response": {}}
        scope["state"][DROP] = link._drop
        link._to_app.put_nowait({"type": "websocket.connect"})
        task = link._loop.create_task(link._run(app, scope))
        running.add(task)  # the loop itself would let go of it
        task.add_done_callback(running.discard)
        try:
            await link._accepted
        except asyncio.CancelledError:
            task.cancel()
            raise
        return link

    async def _run(self, app: ASGIApp, scope: Any) -> None:
        try:
            await app(scope, self._receive, self._from_app)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  a bot under test may raise anything
            self._refuse(Failure(FailureKind.EOF, None, f"{type(error).__name__}: {error}"))
            self._end(ABNORMAL, f"the app raised {type(error).__name__}: {error}")
        else:
            self._refuse(Failure(FailureKind.EOF, None, "the app returned without accepting"))
            self._end(ABNORMAL, "")

    async def _receive(self) -> Message:
        message = await self._to_app.get()
        self.backlog -= len(message.get("text", ""))
        return message

    async def _from_app(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self._open = True
                if not self._accepted.done():
                    self._accepted.set_result(None)
            case "websocket.send":
                if self._open:
                    self._hear(message.get("text"), message.get("bytes") or b"")
            case "websocket.close":
                self._refuse_with(403)
                self._end(message.get("code") or 1000, message.get("reason") or "")
            case "websocket.http.response.start":
                self._refuse_with(int(message["status"]))
            case _:
                pass
        await asyncio.sleep(0)

    def _hear(self, text: str | None, data: bytes) -> None:
        encoded = None if text is None else text.encode()
        if len(data if encoded is None else encoded) > LONGEST_MESSAGE:
            self._end(TOO_BIG, "message too big")
        elif encoded is not None:
            self._listener.on_text(encoded)
        else:
            self._listener.on_binary(len(data))

    def _refuse_with(self, status: int) -> None:
        detail = f"HTTP status {status}"
        self._refuse(Failure(FailureKind.BAD_HANDSHAKE, None, detail, status))

    def _refuse(self, failure: Failure) -> None:
        if not self._accepted.done():
            self._accepted.set_exception(NetError(failure))

    def _drop(self) -> None:
        self._refuse(Failure(FailureKind.EOF, None, "dropped"))
        self._end(ABNORMAL, "")

    def _end(self, code: int, reason: str) -> None:
        if self._open:
            self._open = False
            self._to_app.put_nowait({"type": "websocket.disconnect", "code": code})
            self._listener.on_closed(code, reason)

    def send(self, text: bytes) -> None:
        if not self._open:
            return
        decoded = text.decode()
        self.backlog += len(decoded)
        self._to_app.put_nowait({"type": "websocket.receive", "text": decoded})
        if self.backlog > LONGEST_BACKLOG:
            self._end(ABNORMAL, READS_NOTHING)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._end(code, reason)
