"""The real protocol on loopback: what honest callers get, also beside those who abuse it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvloop

from patience import PATIENCE_S
from switchhook.answer.http.connections import Server
from switchhook.answer.http.link import BUSY
from switchhook.answer.http.listening import serve
from switchhook.answer.http.messages import (
    BODY_BROKEN_OFF,
    BODY_CHUNKS_BROKEN,
    BODY_GIVEN_UP,
    BODY_LATE,
    BODY_TOO_LONG,
    HEAD_GIVEN_UP,
    Answer,
    ConnectionLimits,
    Head,
    LongBody,
)
from switchhook.answer.http.protocol import Connection

SOON = 10.0  # seconds after which a test that waits has failed
HONEST = b"GET /ok?honest HTTP/1.1\r\nHost: a.example\r\nUser-Agent: x\r\n\r\n"
REFUSED = Answer(403, b"no")
LONG = LongBody(read_bytes=3000, kept_bytes=100, read_time=SOON)
UNREADABLE = Answer(302)


class Asked:
    """Admits paths that begin with /ok; answers with the query unless told to hold."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.bodies: list[tuple[bytes, str | None]] = []
        self.refused: list[tuple[bytes | None, bytes, str]] = []
        self.unread: list[tuple[Head, bytes]] = []
        self.away: Counter[str] = Counter()
        self.held: asyncio.Queue[Callable[[Answer], None]] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.raising = ""

    def admit(self, head: Head) -> object:
        self.heads.append(head)
        if self.raising == "admit":
            raise RuntimeError("98765 43210")
        if head.path == b"/ok-long":
            return LONG
        return "token" if head.path.startswith(b"/ok") else REFUSED

    def answer(
        self,
        head: Head,
        token: object,
        body: bytes,
        body_problem: str | None,
        reply: Callable[[Answer], None],
    ) -> None:
        assert token == (LONG if head.path == b"/ok-long" else "token")
        self.bodies.append((body, body_problem))
        if head.path.endswith(b"-hold"):
            self.held.put_nowait(reply)
        elif head.path == b"/ok-big":
            reply(Answer(200, b"x" * 1_000_000))
        else:
            reply(Answer(200, head.query + body))
        self.changed.set()
        if self.raising == "answer" or head.path == b"/ok-raise":
            raise RuntimeError("98765 43210")

    def unreadable(self, head: Head, beginning: bytes) -> object:
        assert head.problem is not None
        self.refused.append((head.path or None, head.query, head.problem))
        self.unread.append((head, beginning))
        if self.raising == "unreadable":
            raise RuntimeError("98765 43210")
        return "token" if head.path.startswith(b"/ok-unread") else UNREADABLE

    def turned_away(self, reason: str) -> None:
        self.away[reason] += 1
        self.changed.set()
        if self.raising == "turned_away":
            raise RuntimeError("98765 43210")

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SOON):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class Caller:
    """A client on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def response(self, *, without_body: bool = False) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(SOON):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:-2])
            length = 0 if without_body else int(headers["content-length"])
            return int(lines[0].split()[1]), headers, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """All until the server closes."""
        async with asyncio.timeout(SOON):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b"reset"

    def reset(self) -> None:
        """Go without a goodbye."""
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.writer.transport.abort()

    async def ask(self, data: bytes) -> tuple[int, bytes]:
        self.send(data)
        status, _, body = await self.response()
        return status, body


class Place:
    """A running server and its callers."""

    def __init__(self, server: Server, asked: Asked, port: int) -> None:
        self.server, self.asked, self.port = server, asked, port
        self.callers: list[Caller] = []

    @property
    def connections(self) -> list[Connection]:
        """Those that the server has; it knows less of them than what they are."""
        return [cast(Connection, each) for each in self.server.connections]

    async def call(self, data: bytes = b"", *, source: str = "127.0.0.1") -> Caller:
        async with asyncio.timeout(SOON):
            streams = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=(source, 0), limit=1 << 21
            )
        caller = Caller(*streams)
        self.callers.append(caller)
        caller.send(data)
        return caller

    async def honest(self, count: int = 20) -> None:
        """Honest callers are all answered now, on new connections and on kept ones."""
        for _ in range(count // 5):
            caller = await self.call()
            for _ in range(5):
                assert await caller.ask(HONEST) == (200, b"honest")
            caller.writer.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the server knows, but tells nobody."""
        async with asyncio.timeout(SOON):
            while not condition():  # noqa: ASYNC110 - no event tells of it
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Place]:
    asked = Asked()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        server = await serve(
            sock, asked, ConnectionLimits(**{"tick": 0.02, "linger_time": 0.3, **limits})
        )
        place = Place(server, asked, sock.getsockname()[1])
        try:
            yield place
        finally:
            for caller in place.callers:
                caller.writer.transport.abort()
            await server.close(1.0)
            assert not server.connections
            assert not server._addresses
            assert not server.slow.all
            for shelf in (
                server.unverified,
                server.idle,
                server.with_deadline,
                server.write_blocked,
                server.leaving,
            ):
                assert not shelf


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test in uvloop, the only loop we serve in."""

    def run(**arguments: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await test(**arguments)

        uvloop.run(bounded())

    # Not functools.wraps: pytest would find the coroutine function behind it.
    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run


# Plain requests.


@in_loop
async def test_response_is_exactly_this() -> None:
    """No Date, no Server, no Location; the content type only with a body."""
    async with serving() as place:
        caller = await place.call(HONEST)
        caller.send(b"GET /ok HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert await caller.rest() == (
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nCache-Control: no-store\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n\r\nhonest"
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
            b"Connection: close\r\n\r\n"
        )


@in_loop
async def test_head_reaches_whoever_decides() -> None:
    async with serving() as place:
        await (
            await place.call(
                b"GET /ok/secret?a=%20b HTTP/1.1\r\nHost: a:80\r\nAuthorization: Basic xyz\r\n"
                b"Content-Type: text/x\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"
            )
        ).response()
        assert place.asked.heads == [
            Head(
                "GET",
                b"/ok/secret",
                b"a=%20b",
                "text/x",
                "Basic xyz",
                "a:80",
                "1.1.1.1",
                True,
                "127.0.0.1",
            )
        ]


@in_loop
async def test_small_answers_leave_at_once() -> None:
    async with serving() as place:
        await (await place.call(HONEST)).response()
        (connection,) = place.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@in_loop
async def test_head_request_is_answered_without_the_body() -> None:
    async with serving() as place:
        caller = await place.call(b"HEAD /ok?abc HTTP/1.1\r\n\r\n")
        status, headers, _ = await caller.response(without_body=True)
        assert (status, headers["content-length"]) == (200, "3")
        assert await caller.ask(HONEST) == (200, b"honest")
        caller.send(b"HEAD /no HTTP/1.1\r\n\r\n")
        assert (await caller.rest()).endswith(b"Connection: close\r\n\r\n")


@pytest.mark.parametrize(
    "version, connection, kept",
    [
        ("1.1", "", None),
        ("1.1", "Connection: close\r\n", "close"),
        ("1.1", "Connection: keep-alive, Close\r\n", "close"),
        ("1.0", "", "close"),
        ("1.0", "Connection: Keep-Alive\r\n", "keep-alive"),
    ],
)
@in_loop
async def test_connection_is_kept_as_the_sender_wishes(
    version: str, connection: str, kept: str | None
) -> None:
    async with serving() as place:
        caller = await place.call(f"GET /ok HTTP/{version}\r\n{connection}\r\n".encode())
        _, headers, _ = await caller.response()
        assert headers.get("connection") == kept
        if kept == "close":
            assert await caller.rest() == b""
        else:
            assert await caller.ask(HONEST) == (200, b"honest")


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "BREW", "PRI", "get"])
@in_loop
async def test_every_method_is_for_the_handler_to_judge(method: str) -> None:
    async with serving() as place:
        caller = await place.call(f"{method} /ok?x HTTP/1.1\r\n\r\n".encode())
        assert (await caller.response())[2] == b"x"
        assert place.asked.heads[0].method == method


@pytest.mark.parametrize(
    "query",
    [
        b'Stream={"Status": "completed"} and more',
        b"a=\x00\x07\xff<>^`|\\",
        b"a=1\nb=2\rc",
        b"x" * 60_000,
    ],
)
@in_loop
async def test_targets_that_stock_parsers_refuse(query: bytes) -> None:
    async with serving() as place:
        caller = await place.call()
        for _ in range(2):
            caller.send(b"GET /ok?" + query + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await caller.response())[2] == query
        assert not place.asked.refused


@in_loop
async def test_absolute_target_gives_path_and_host() -> None:
    async with serving() as place:
        await (
            await place.call(b"GET http://a.example:1/ok?x HTTP/1.1\r\nHost: b.example\r\n\r\n")
        ).response()
        head = place.asked.heads[0]
        assert (head.path, head.query, head.host) == (b"/ok", b"x", "a.example:1")


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
@in_loop
async def test_offers_to_upgrade_are_not_taken(protocol: str) -> None:
    async with serving() as place:
        caller = await place.call()
        request = f"GET /ok?x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
        for _ in range(2):
            assert await caller.ask(request.encode()) == (200, b"x")
        assert await caller.ask(HONEST) == (200, b"honest")


@in_loop
async def test_request_in_single_bytes() -> None:
    async with serving() as place:
        caller = await place.call()
        caller.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chunked = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
        for byte in b"\r\nPOST /ok?x HTTP/1.1\r\n" + chunked:
            caller.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await caller.response())[2] == b"xa"
        assert await caller.ask(HONEST) == (200, b"honest")


@pytest.mark.parametrize("stray", [b"\n", b"\r\n", b"\r", b"\n\r\n\n"])
@in_loop
async def test_line_ends_before_a_request_are_none_of_its(stray: bytes) -> None:
    """In one piece with it or not."""
    async with serving() as place:
        caller = await place.call()
        for _ in range(2):
            assert await caller.ask(stray + HONEST) == (200, b"honest")


# Requests that can't be read.


@pytest.mark.parametrize(
    "data, path, query, reason",
    [
        (b"GET /ok?a=1\r\n\r\n", b"/ok", b"a=1", "no HTTP/1.0 or HTTP/1.1"),
        (b"GET /ok?a=1\r\nb HTTP/1.1\r\n\r\n", b"/ok", b"a=1", "no HTTP/1.0 or HTTP/1.1"),
        (b"GET /ok?a HTTP/3.0\r\n\r\n", b"/ok", b"a", "no HTTP/1.0 or HTTP/1.1"),
        (b"GET /ok?a HTTP/1.1\nHost: a\n\n", b"/ok", b"a", "bare line feeds"),
        (b"GET /ok?a HTTP/1.1\r\nA : b\r\n\r\n", b"/ok", b"a", "header lines: "),
        (b"GET /ok?a HTTP/1.1\r\nA: \0\r\n\r\n", b"/ok", b"a", "header lines: "),
        (b"GET /ok?a HTTP/1.1\r\nA: b\nC: d\r\n\r\n", b"/ok", b"a", "header lines: "),
        (b"CONNECT a.example:80 HTTP/1.1\r\n\r\n", b"a.example:80", b"", "CONNECT"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"*", b"", "no HTTP/1.0 or HTTP/1.1"),
        (b"\x16\x03\x01\x02\x00\x01\x00", None, b"", "TLS on a plain port"),
        (b"\x80\x03\x01\x02\x00\x01\x00", None, b"", "not HTTP"),
        (
            b"POST /ok HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
            b"/ok",
            b"",
            "header lines: ",
        ),
        (
            b"POST /ok HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            b"/ok",
            b"",
            "header lines: ",
        ),
        (b"POST /ok HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"/ok", b"", "header lines: "),
    ],
)
@in_loop
async def test_unreadable_request_ends_in_a_decision(
    data: bytes, path: bytes | None, query: bytes, reason: str
) -> None:
    """Answered by who decides, then closed; and others don't notice."""
    async with serving() as place:
        caller = await place.call(data)
        status, headers, _ = await caller.response()
        assert (status, headers["connection"], "location" in headers) == (302, "close", False)
        await place.honest()
        assert await caller.rest() == b""
        ((seen_path, seen_query, seen_reason),) = place.asked.refused
        assert (seen_path, seen_query) == (path, query)
        assert reason in seen_reason
        assert all(head.path == b"/ok" and head.query == b"honest" for head in place.asked.heads)


@pytest.mark.parametrize("beginning", [b"GET /ok?", b"GET /ok?x HTTP/1.1\r\nHost: a\r\nCookie: "])
@in_loop
async def test_endless_head_is_cut_at_its_limit(beginning: bytes) -> None:
    async with serving(head_bytes=20_000, head_time=SOON) as place:
        caller = await place.call(beginning + b"x" * 10_000)
        await place.honest()
        assert not place.asked.refused
        caller.send(b"x" * 500_000)
        assert (await caller.response())[0] == 302
        await place.honest()
        caller.writer.write_eof()
        assert await caller.rest() == b""
        ((path, query, reason),) = place.asked.refused
        assert (path, reason) == (b"/ok", "head too large")
        assert len(query) < 20_000


@in_loop
async def test_endless_head_holds_no_more_than_its_limit() -> None:
    """What one connection holds is bounded while it goes on sending."""
    async with serving(head_bytes=1000, linger_bytes=50_000, linger_time=SOON) as place:
        caller = await place.call(b"GET /ok?" + b"x" * 1000)
        await caller.response()
        (connection,) = place.connections
        assert not connection.buffer
        caller.send(b"x" * 400_000)
        assert await caller.rest() in (b"", b"reset")
        await place.honest()


@pytest.mark.parametrize(
    "sent, path",
    [(b"GET /o", None), (b"GET /ok?a", b"/ok"), (b"GET /ok?a HTTP/1.1\r\nHost: ", b"/ok")],
)
@in_loop
async def test_slow_head_is_answered_when_its_time_is_over(sent: bytes, path: bytes | None) -> None:
    async with serving(head_time=0.2) as place:
        slow = [await place.call(sent) for _ in range(30)]
        await place.honest()
        for caller in slow:
            assert (await caller.response())[0] == 302
            assert await caller.rest() == b""
        assert [each[0] for each in place.asked.refused] == [path] * 30
        assert {each[2] for each in place.asked.refused} == {"head not whole in time"}


@in_loop
async def test_a_trickle_does_not_stretch_the_time_of_a_head() -> None:
    async with serving(head_time=0.3) as place:
        caller = await place.call(b"GET /ok?")

        async def trickle() -> None:
            while True:
                caller.send(b"x")
                await asyncio.sleep(0.02)

        task = asyncio.create_task(trickle())
        assert (await caller.response())[0] == 302
        task.cancel()
        assert place.asked.refused[0][2] == "head not whole in time"


@in_loop
async def test_time_of_a_head_also_runs_on_a_kept_connection() -> None:
    async with serving(head_time=0.1) as place:
        caller = await place.call(HONEST)
        await caller.response()
        assert (await caller.ask(b"GET /ok?"))[0] == 302
        assert await caller.rest() == b""


@in_loop
async def test_silent_connections_are_closed_and_counted() -> None:
    async with serving(silent_time=0.2) as place:
        silent = [await place.call() for _ in range(20)] + [await place.call(b"\r\n\r\n")]
        await place.honest()
        for caller in silent:
            assert await caller.rest() == b""
        assert place.asked.away == {"silent": 21}


@in_loop
async def test_head_broken_off_is_answered() -> None:
    """A client that shuts down its side too early still hears a decision."""
    async with serving() as place:
        caller = await place.call(b"GET /ok?a")
        caller.writer.write_eof()
        assert (await caller.response())[0] == 302
        assert await caller.rest() == b""
        assert place.asked.refused == [(b"/ok", b"a", "head broken off")]


@in_loop
async def test_head_broken_off_by_a_reset_is_counted() -> None:
    async with serving() as place:
        caller = await place.call(b"GET /ok?a")
        await place.honest()
        caller.reset()
        await place.asked.until(lambda: place.asked.away["broken off in the head"] == 1)


# Bodies.


@pytest.mark.parametrize(
    "framing, body",
    [
        (b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (b"Content-Length: 0\r\n\r\n", b""),
        (
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n",
            b"hello",
        ),
        (b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b""),
    ],
)
@in_loop
async def test_body_arrives_and_the_next_request_begins_behind_it(
    framing: bytes, body: bytes
) -> None:
    async with serving() as place:
        request = b"POST /ok HTTP/1.1\r\n" + framing
        caller = await place.call(request + HONEST + request)
        assert [(await caller.response())[2] for _ in range(3)] == [body, b"honest", body]
        assert place.asked.bodies == [(body, None), (b"", None), (body, None)]


@in_loop
async def test_body_of_a_megabyte() -> None:
    async with serving(body_time=SOON) as place:
        body = bytes(range(256)) * 4096
        caller = await place.call(b"POST /ok HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n" + body)
        assert (await caller.response())[2] == body
        chunks = b"".join(
            b"400\r\n" + body[at : at + 1024] + b"\r\n" for at in range(0, 1 << 20, 1024)
        )
        caller.send(
            b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        )
        assert (await caller.response())[2] == body


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 500000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n"],
)
@in_loop
async def test_body_longer_than_the_limit_is_cut_and_answered(framing: bytes) -> None:
    """The answer arrives although the client is still sending."""
    async with serving(body_bytes=1000) as place:
        caller = await place.call(b"POST /ok HTTP/1.1\r\n" + framing + b"x" * 300_000)
        status, headers, body = await caller.response()
        assert (status, headers["connection"], body) == (200, "close", b"x" * 1000)
        await place.honest()
        caller.writer.write_eof()
        assert await caller.rest() == b""
        assert place.asked.bodies[0] == (b"x" * 1000, BODY_TOO_LONG)


@pytest.mark.parametrize(
    "sent, arrived",
    [
        (b"Content-Length: 10\r\n\r\nabc", b"abc"),
        (b"Content-Length: 10\r\n\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"abc"),
    ],
)
@in_loop
async def test_late_body_is_answered_with_what_arrived(sent: bytes, arrived: bytes) -> None:
    async with serving(body_time=0.2) as place:
        callers = [await place.call(b"POST /ok HTTP/1.1\r\n" + sent) for _ in range(10)]
        await place.honest()
        for caller in callers:
            assert (await caller.response())[2] == arrived
            assert await caller.rest() == b""
        assert place.asked.bodies.count((arrived, BODY_LATE)) == 10


@in_loop
async def test_a_long_body_is_read_though_only_its_beginning_is_kept() -> None:
    """Its bounds are its token's, and the next request begins behind it."""
    async with serving(body_bytes=500, body_time=0.0) as place:
        head = b"Content-Length: 3000\r\n\r\n"
        late = await place.call(b"POST /ok HTTP/1.1\r\n" + head)
        caller = await place.call(b"POST /ok-long HTTP/1.1\r\n" + head)
        assert (await late.response())[2] == b""  # the time of other bodies is over
        place.asked.bodies.clear()
        for _ in range(29):
            caller.send(b"x" * 100)
        await place.honest()
        place.asked.bodies = [each for each in place.asked.bodies if each[0]]
        status, answer = await caller.ask(b"x" * 100 + HONEST)
        assert (status, answer[:100]) == (200, b"x" * 100)
        assert (await caller.response())[2] == b"honest"
        body, problem = place.asked.bodies[0]
        assert (body[:100], problem) == (b"x" * 100, None)
        assert len(body) < 3000


@in_loop
async def test_a_long_body_longer_than_is_read_is_cut_and_answered() -> None:
    async with serving(body_bytes=500) as place:
        framing = b"Content-Length: 3001\r\n\r\n"
        caller = await place.call(b"POST /ok-long HTTP/1.1\r\nHost: a\r\n" + framing)
        status, _ = await caller.ask(b"x" * 3001)
        assert status == 200
        assert place.asked.bodies[0][1] == BODY_TOO_LONG
        chunked = b"Transfer-Encoding: chunked\r\n\r\n1f5\r\n" + b"x" * 501 + b"\r\n"
        caller = await place.call(b"POST /ok-long HTTP/1.1\r\nHost: a\r\n" + chunked)
        assert (await caller.response())[0] == 200
        assert place.asked.bodies[1] == (b"x" * 500, BODY_TOO_LONG)


@in_loop
async def test_body_broken_off_is_answered_with_what_arrived() -> None:
    async with serving() as place:
        caller = await place.call(b"POST /ok HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
        caller.writer.write_eof()
        assert (await caller.response())[2] == b"abc"
        assert await caller.rest() == b""
        assert place.asked.bodies == [(b"abc", BODY_BROKEN_OFF)]


@in_loop
async def test_body_broken_off_by_a_reset_is_handed_over() -> None:
    async with serving() as place:
        caller = await place.call(b"POST /ok HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
        await place.honest()
        caller.reset()
        await place.asked.until(lambda: (b"abc", BODY_BROKEN_OFF) in place.asked.bodies)


@in_loop
async def test_chunks_that_cannot_be_read_are_a_body_problem() -> None:
    async with serving() as place:
        caller = await place.call(
            b"POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nz\r\n"
        )
        assert (await caller.response())[2] == b"a"
        assert await caller.rest() == b""
        assert place.asked.bodies == [(b"a", BODY_CHUNKS_BROKEN)]


@in_loop
async def test_body_of_a_refused_sender_is_not_read() -> None:
    async with serving() as place:
        caller = await place.call(b"POST /no HTTP/1.1\r\nContent-Length: 900000\r\n\r\nabc")
        status, headers, body = await caller.response()
        assert (status, headers["connection"], body) == (403, "close", b"no")
        (connection,) = place.connections
        assert not connection.buffer
        assert not connection.body
        await place.honest()
        assert await caller.rest() == b""
        assert (b"abc", None) not in place.asked.bodies


@in_loop
async def test_expect_continue_is_heard_once_admitted() -> None:
    async with serving() as place:
        head = b" HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        caller = await place.call(b"POST /ok" + head)
        async with asyncio.timeout(SOON):
            assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert await caller.ask(b"abc") == (200, b"abc")
        assert (await (await place.call(b"POST /no" + head)).response())[0] == 403
        assert await caller.ask(b"POST /ok" + head + b"abc") == (200, b"abc")


@in_loop
async def test_expect_continue_is_not_given_for_a_body_too_long() -> None:
    async with serving(body_bytes=10) as place:
        caller = await place.call(
            b"POST /ok HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await caller.response())[0] == 200
        assert place.asked.bodies == [(b"", BODY_TOO_LONG)]


@in_loop
async def test_get_with_a_body_does_not_wait_for_it() -> None:
    async with serving() as place:
        caller = await place.call(b"GET /ok?x HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
        status, headers, body = await caller.response()
        assert (status, headers["connection"], body) == (200, "close", b"x")
        assert await caller.rest() == b""


# Pipelining.


@in_loop
async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving() as place:
        caller = await place.call(
            b"".join(b"GET /ok?%d HTTP/1.1\r\n\r\n" % number for number in range(500))
        )
        assert [(await caller.response())[2] for _ in range(500)] == [b"%d" % n for n in range(500)]
        assert await caller.ask(HONEST) == (200, b"honest")


@in_loop
async def test_one_at_a_time_and_what_came_early_is_bounded() -> None:
    """While an answer is owed no more is read than one read of the loop holds."""
    async with serving() as place:
        hold = b"GET /ok-hold HTTP/1.1\r\n\r\n"
        caller = await place.call(hold)
        reply = await place.asked.held.get()
        flood = HONEST * 10_000
        caller.send(flood)
        caller.writer.write_eof()
        await place.honest(50)
        (connection,) = [each for each in place.connections if each.state == BUSY]
        assert connection.paused
        assert 0 < len(connection.buffer) <= 256_000
        assert len(place.asked.heads) == 51
        reply(Answer(200))
        for _ in range(10_001):
            assert (await caller.response())[0] == 200
        assert await caller.rest() == b""


@in_loop
async def test_pipeliner_does_not_starve_others() -> None:
    async with serving() as place:
        other = await place.call(HONEST)
        await other.response()
        caller = await place.call(HONEST * 3_000)
        await caller.response()
        for _ in range(5):
            assert await other.ask(HONEST) == (200, b"honest")
        answered = len(place.asked.heads)
        assert answered < 3_000
        for _ in range(2_999):
            await caller.response()


@in_loop
async def test_end_of_input_behind_pipelined_requests() -> None:
    async with serving() as place:
        caller = await place.call(b"GET /ok-hold HTTP/1.1\r\n\r\n")
        reply = await place.asked.held.get()
        caller.send(HONEST + HONEST + b"GET /ok?cut")
        caller.writer.write_eof()
        await place.honest()
        reply(Answer(200))
        assert [(await caller.response())[0] for _ in range(4)] == [200, 200, 200, 302]
        assert await caller.rest() == b""
        assert place.asked.refused == [(b"/ok", b"cut", "head broken off")]


# Answers.


@in_loop
async def test_client_that_shut_down_its_side_gets_its_answer() -> None:
    async with serving() as place:
        caller = await place.call(b"GET /ok-hold HTTP/1.1\r\n\r\n")
        reply = await place.asked.held.get()
        caller.writer.write_eof()
        await place.honest()
        reply(Answer(200, b"late"))
        assert (await caller.response())[2] == b"late"
        assert await caller.rest() == b""


@in_loop
async def test_reply_to_a_client_that_is_gone_does_nothing() -> None:
    async with serving() as place:
        caller = await place.call(b"GET /ok-hold HTTP/1.1\r\n\r\n")
        reply = await place.asked.held.get()
        caller.reset()
        await place.until(lambda: not place.server.connections)
        reply(Answer(200))
        await place.honest()


@in_loop
async def test_second_reply_answers_nothing_else() -> None:
    """A reply that comes twice is not taken for the next request's."""
    async with serving() as place:
        hold = b"GET /ok-hold HTTP/1.1\r\n\r\n"
        caller = await place.call(hold)
        first = await place.asked.held.get()
        first(Answer(200, b"first"))
        first(Answer(200, b"twice"))
        caller.send(hold)
        second = await place.asked.held.get()
        first(Answer(200, b"thrice"))
        second(Answer(200, b"second"))
        assert [(await caller.response())[2] for _ in range(2)] == [b"first", b"second"]


@in_loop
async def test_client_that_does_not_read_is_cut() -> None:
    async with serving(unread_time=0.3) as place:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(sock, ("127.0.0.1", place.port))
            await loop.sock_sendall(sock, b"GET /ok-big HTTP/1.1\r\n\r\n" * 50)
            await place.honest()
            await place.asked.until(lambda: place.asked.away["answers left unread"] == 1)
        assert place.asked.bodies.count((b"", None)) < 70


@in_loop
async def test_slow_reader_gets_all_its_answers() -> None:
    async with serving() as place:
        caller = await place.call(b"GET /ok-big HTTP/1.1\r\n\r\n" * 30)
        await place.honest()
        for _ in range(30):
            assert len((await caller.response())[2]) == 1_000_000


@pytest.mark.parametrize("where", ["admit", "answer", "unreadable", "turned_away"])
@in_loop
async def test_handler_that_raises_still_ends_in_an_answer(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """B for the caller; the log says where, and nothing of the request."""
    async with serving(silent_time=0.1) as place:
        place.asked.raising = where
        hold = b"GET /ok-hold?9876543210 HTTP/1.1\r\n\r\n"
        data = {"unreadable": b"GET /ok?9876543210\r\n\r\n", "turned_away": b""}.get(where, hold)
        with caplog.at_level(logging.ERROR, "switchhook.answer"):
            for _ in range(3):
                caller = await place.call(data)
                if where != "turned_away":
                    status, headers, _ = await caller.response()
                    assert (status, headers["connection"]) == (302, "close")
                assert await caller.rest() == b""
        place.asked.raising = ""
        while not place.asked.held.empty():
            place.asked.held.get_nowait()(Answer(200))
        await place.honest()
        assert place.server.failures == 3
        assert len(caplog.messages) == 2  # the first and the second, then the fourth, the eighth
        assert f"{where} raised RuntimeError at " in caplog.text
        assert "98765" not in caplog.text


@in_loop
async def test_handler_that_raises_after_its_reply_has_replied() -> None:
    async with serving() as place:
        caller = await place.call(b"GET /ok-raise?x HTTP/1.1\r\n\r\n")
        assert (await caller.response())[2] == b"x"
        assert await caller.ask(HONEST) == (200, b"honest")
        assert place.server.failures == 1


# Connections.


@in_loop
async def test_connections_of_one_address_are_bounded() -> None:
    async with serving(per_address=5) as place:
        kept = [await place.call(source="127.0.0.2") for _ in range(5)]
        over = [await place.call(source="127.0.0.2") for _ in range(3)]
        for caller in over:
            assert await caller.rest() in (b"", b"reset")
        assert place.asked.away == {"too many connections from one address": 3}
        await place.honest()
        assert await kept[0].ask(HONEST) == (200, b"honest")
        held = place.server.connections
        kept[1].writer.transport.abort()
        await place.until(lambda: sum(each.peer == "127.0.0.2" for each in held) == 4)
        assert await (await place.call(source="127.0.0.2")).ask(HONEST) == (200, b"honest")


@in_loop
async def test_trusted_proxies_may_hold_more() -> None:
    async with serving(per_address=1, exempt=lambda address: address == "127.0.0.3") as place:
        callers = [await place.call(source="127.0.0.3") for _ in range(10)]
        for caller in callers:
            assert await caller.ask(HONEST) == (200, b"honest")


@in_loop
async def test_a_flood_of_strangers_pushes_out_strangers_only() -> None:
    """Verified connections stay, and a new honest caller finds room."""
    async with serving(connections=40) as place:
        regulars = [await place.call(HONEST) for _ in range(10)]
        for caller in regulars:
            await caller.response()
        unverified = [await place.call(b"GET /", source="127.0.0.2") for _ in range(100)]
        await place.honest()
        for caller in regulars:
            assert await caller.ask(HONEST) == (200, b"honest")
        assert await unverified[0].rest() in (b"", b"reset")
        assert len(place.server.connections) <= 40
        assert place.asked.away["closed for a newer connection"] >= 70
        assert place.asked.away["too many connections"] == 0


@in_loop
async def test_longest_idle_makes_room_when_all_are_verified() -> None:
    async with serving(connections=8) as place:
        regulars = [await place.call(HONEST) for _ in range(8)]
        for caller in regulars:
            await caller.response()
        for caller in regulars[::-1]:
            assert await caller.ask(HONEST) == (200, b"honest")
        assert await (await place.call()).ask(HONEST) == (200, b"honest")
        assert await regulars[7].rest() in (b"", b"reset")
        assert await regulars[0].ask(HONEST) == (200, b"honest")


@in_loop
async def test_full_of_owed_answers_a_new_connection_is_refused() -> None:
    async with serving(connections=3) as place:
        for _ in range(3):
            await place.call(b"GET /ok-hold HTTP/1.1\r\n\r\n")
        replies = [await place.asked.held.get() for _ in range(3)]
        assert await (await place.call()).rest() in (b"", b"reset")
        assert place.asked.away == {"too many connections": 1}
        for reply in replies:
            reply(Answer(200))
        for caller in place.callers[:3]:
            assert (await caller.response())[0] == 200


SLOW_BODY = b"POST /ok HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"


@in_loop
async def test_only_half_of_all_connections_are_waited_for() -> None:
    """Who is waited for longest is answered by what came, and then there is room again."""
    async with serving(connections=8, body_time=SOON, head_time=SOON) as place:
        slow = [await place.call(SLOW_BODY) for _ in range(4)]
        late_head = await place.call(HONEST)
        await late_head.response()
        late_head.send(b"GET /ok-unread?x")  # a verified sender's slow head is waited for as well
        assert (await slow[0].response())[2] == b"abc"
        assert place.asked.bodies[-1] == (b"abc", BODY_GIVEN_UP)
        await place.honest()
        slow[3].send(b"defghij")
        assert (await slow[3].response())[2] == b"abcdefghij"
        for _ in range(4):
            await place.call(SLOW_BODY)
        assert (await late_head.response())[2] == b"x"
        assert place.asked.refused == [(b"/ok-unread", b"x", HEAD_GIVEN_UP)]
        await place.honest()


@in_loop
async def test_one_address_is_waited_for_in_half_of_its_connections() -> None:
    """And a newer connection takes the place of the slowest, where the address has no more."""
    async with serving(per_address=4, body_time=SOON) as place:
        slow = [await place.call(SLOW_BODY, source="127.0.0.2") for _ in range(3)]
        assert (await slow[0].response())[2] == b"abc"
        for _ in range(20):
            slow.append(await place.call(SLOW_BODY, source="127.0.0.2"))
            caller = await place.call(source="127.0.0.2")
            assert await caller.ask(HONEST) == (200, b"honest")
            caller.writer.close()
        await place.honest()
        assert not place.asked.away["too many connections from one address"]
        for caller in slow:
            caller.writer.transport.abort()
        # Each was handed over, whether its answer was still heard or not.
        await place.asked.until(lambda: sum(body == b"abc" for body, _ in place.asked.bodies) == 23)


@in_loop
async def test_whoever_proved_a_secret_in_an_odd_head_is_no_stranger() -> None:
    """A flood does not close the connection on which we owe the answer."""
    async with serving(connections=8) as place:
        odd = await place.call(b"GET /ok-unread-hold HTTP/1.1\r\nA : b\r\n\r\n")
        reply = await place.asked.held.get()
        for _ in range(40):
            await place.call(b"GET /", source="127.0.0.2")
        await place.honest()
        reply(Answer(200, b"owed"))
        assert (await odd.response())[2] == b"owed"


@in_loop
async def test_a_flood_of_strangers_does_not_push_out_a_slow_body() -> None:
    async with serving(connections=40, body_time=SOON) as place:
        slow = await place.call(SLOW_BODY)
        await place.until(lambda: bool(place.asked.heads))
        for _ in range(100):
            await place.call(b"GET /", source="127.0.0.2")
        slow.send(b"defghij")
        assert (await slow.response())[2] == b"abcdefghij"


@in_loop
async def test_idle_connections_are_closed() -> None:
    async with serving(idle_time=0.2) as place:
        caller = await place.call(HONEST)
        await caller.response()
        assert await caller.rest() == b""
        assert not place.asked.away


# The end.


@in_loop
async def test_draining_answers_and_closes() -> None:
    async with serving() as place:
        asks, idles = await place.call(HONEST), await place.call(HONEST)
        for caller in (asks, idles):
            await caller.response()
        place.server.drain(0.3)
        asks.send(HONEST + HONEST)
        first, second = await asks.response(), await asks.response()
        assert [first[0], second[0], second[1]["connection"]] == [200, 200, "close"]
        assert await asks.rest() == b""
        new = await place.call(HONEST)
        assert (await new.response())[1]["connection"] == "close"
        assert await idles.rest() == b""


@in_loop
async def test_close_waits_for_owed_answers() -> None:
    async with serving() as place:
        hold = await place.call(b"GET /ok-hold HTTP/1.1\r\n\r\n")
        idle = await place.call(HONEST)
        await idle.response()
        reply = await place.asked.held.get()
        closing = asyncio.create_task(place.server.close(SOON))
        assert await idle.rest() == b""
        assert not closing.done()
        reply(Answer(200, b"owed"))
        assert (await hold.response())[2] == b"owed"
        assert await closing == 0


@in_loop
async def test_close_ends_in_time_though_an_answer_is_owed() -> None:
    async with serving() as place:
        hold = await place.call(b"GET /ok-hold HTTP/1.1\r\n\r\n")
        reply = await place.asked.held.get()
        assert await place.server.close(0.1) == 1
        assert await hold.rest() in (b"", b"reset")
        reply(Answer(200))


@in_loop
async def test_socket_given_outlives_the_server() -> None:
    """The one who owns it can hand it to the next process, and no caller is refused between."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        first = await serve(sock, Asked(), ConnectionLimits())
        assert await first.close(1.0) == 0
        assert first.sockets == ()
        place = Place(first, Asked(), sock.getsockname()[1])
        waiting = await place.call(HONEST)
        second = await serve(sock, place.asked, ConnectionLimits())
        assert (await waiting.response())[2] == b"honest"
        waiting.writer.close()
        await second.close(1.0)
