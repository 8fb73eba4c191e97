"""The bot as a bare ASGI app: whom it takes, and how it ends a connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.bot import script as scripts
from switchhook.emulator.bot.conversation import Conversation
from switchhook.emulator.bot.protocol import BotConnection, started
from switchhook.emulator.bot.script import AT_HANDSHAKE, BotScript, ScriptRefusal, read_script
from switchhook.exotel.wire.query import parse_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send

_HELP = (scripts.__doc__ or "").encode()
_KEYS_KEPT = 10_000
_STOP_S = 5.0
_LONGEST_REASON_B = 123  # RFC 6455, 5.5: a control frame has 125 bytes, two of them the code


class _Door:
    """Remembers whom `fail-first` has refused, and how often."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}

    def refuses(self, script: BotScript, address: str) -> int | None:
        """The status to answer a handshake with; None to let it in."""
        if not script.fail_first:
            return script.reject
        key = script.key or address
        refused = self._refused.pop(key, 0)
        if refused == script.fail_first:
            return None
        self._refused[key] = refused + 1
        if len(self._refused) > _KEYS_KEPT:
            del self._refused[next(iter(self._refused))]
        return script.reject or 503


def make_bot(default: BotScript | None = None, *, only: BotScript | None = None) -> ASGIApp:
    """The bot of the module's tables; `default` is what `/bot` does without parameters.

    With `only` it does that at every path, and parameters are somebody else's.

    Whoever calls it in-process plays the server's part of ASGI: after `websocket.accept`, an app
    that returns without `websocket.close` has ended without a close frame, which is 1006. What
    is sent to a caller who has gone may raise OSError or be dropped.
    """
    door = _Door()

    async def bot(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _help(send)
        elif scope["type"] == "websocket":
            await receive()  # websocket.connect
            with suppress(OSError):  # ASGI: the caller has gone
                await _take(_Caller(scope, receive, send, default, only), door)
        else:
            raise ValueError(f"the bot serves no {scope['type']}")

    return bot


class _Caller:
    """One connection: what it asked for, and the ways to end it."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        default: BotScript | None,
        only: BotScript | None,
    ) -> None:
        self._scope, self._default, self._only = scope, default, only
        self.receive, self.send = receive, send
        self._query = dict(parse_pairs(scope["query_string"], []))

    @property
    def address(self) -> str:
        """Path and query."""
        return f"{self._scope['path']}?{self._scope['query_string'].decode('latin-1')}"

    def script(self, custom: Mapping[str, str] | None = None) -> BotScript | ScriptRefusal:
        """What it asked for, so far."""
        if self._only is not None:
            return self._only
        return read_script(self._scope["path"], self._query | dict(custom or {}), self._default)

    async def refuse(self, status: int, text: str) -> None:
        """Answer the handshake with a status; 403 where the server can't do better."""
        if "websocket.http.response" not in (self._scope.get("extensions") or {}):
            await self.send({"type": "websocket.close"})
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        if status == 401:  # RFC 9110, 15.5.2: it has to say how
            headers.append((b"www-authenticate", b'Basic realm="bot"'))
        await self.send(
            {"type": "websocket.http.response.start", "status": status, "headers": headers}
        )
        await self.send({"type": "websocket.http.response.body", "body": f"{text}\n".encode()})

    async def close(self, code: int, reason: str = "") -> None:
        """Close the stream."""
        short = reason.encode()[:_LONGEST_REASON_B].decode(errors="ignore")
        await self.send({"type": "websocket.close", "code": code, "reason": short})

    async def gone_within(self, seconds: float) -> bool:
        """Let time pass; True as soon as the connection has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "websocket.disconnect":
                    pass
                return True
        return False


async def _take(caller: _Caller, door: _Door) -> None:
    """Answer the handshake, and hold the conversation."""
    script = caller.script()
    if isinstance(script, ScriptRefusal):
        await caller.refuse(script.status, script.text)
        return
    if script.handshake and await caller.gone_within(script.handshake):
        return
    status = door.refuses(script, caller.address)
    if status is not None:
        await caller.refuse(status, "refused, as asked for")
        return
    await caller.send({"type": "websocket.accept"})
    try:
        await _serve(caller, script)
    except msgspec.DecodeError as error:
        await caller.close(1007, str(error))


async def _serve(caller: _Caller, script: BotScript) -> None:
    start = await started(caller.receive)
    if start is None:
        return
    final = caller.script(start.custom_parameters)
    if isinstance(final, ScriptRefusal):
        await caller.close(1008, final.text)
    elif final.at_handshake != script.at_handshake:
        late = ", ".join(name for name in AT_HANDSHAKE if name in start.custom_parameters)
        await caller.close(1008, f"{late}: too late in start; say it in the URL")
    else:
        line = BotConnection(caller.send, start.stream_sid, start.media_format.sample_rate)
        ending = await Conversation(final, start, line).hold(caller.receive)
        if ending == "talked" and final.then == "close":
            await caller.close(final.code)
        elif ending == "stopped" and not await caller.gone_within(_STOP_S):
            await caller.close(1000)


async def _help(send: Send) -> None:
    """Tell somebody with a browser what this is."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_HELP)).encode()),
        (b"upgrade", b"websocket"),
        (b"connection", b"upgrade"),
    ]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": _HELP})
