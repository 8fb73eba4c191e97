"""Servers that answer an API client with whatever a test wants, and a clock that is stepped."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

from switchhook.exotel.client import ExotelClient

KEY, TOKEN = "the-api-key-0123", "the-api-token-4567"


class SteppedClock:
    """Time passes only by sleeping in it, and at once."""

    def __init__(self, now_ms=1_780_000_000_000):
        self.now_ms = now_ms
        self.slept = []

    def wall_ms(self):
        return self.now_ms

    def mono_ms(self):
        return self.now_ms

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_ms += round(seconds * 1000)
        await asyncio.sleep(0)


@asynccontextmanager
async def peer(*answers, ssl_context=None):
    """A server; each connection gets the next answer: bytes, or a function that takes a writer.

    Gives its port and the list of heads that it was sent.
    """
    heads = []
    left = list(answers)

    async def serve(reader, writer):
        try:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            answer = left.pop(0) if len(left) > 1 else left[0]
            if callable(answer):
                await answer(writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl_context)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


def reply(body=b"", status="200 OK", **headers):
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def client(
    url,
    *,
    clock=None,
    per_minute=200,
    timeout_s=5.0,
    connect_timeout_s=5.0,
    sid="acme",
    key=KEY,
    token=TOKEN,
):
    return ExotelClient(
        url=url,
        sid=sid,
        key=key,
        token=token,
        per_minute=per_minute,
        clock=clock or SystemClock(),
        timeout_s=timeout_s,
        connect_timeout_s=connect_timeout_s,
    )


class SystemClock:
    """This machine's."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
