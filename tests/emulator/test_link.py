"""A media connection to bots that behave, and bots that don't, on real sockets and in-process."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import serve

from switchhook.emulator.addresses import Gate, RefusedError
from switchhook.emulator.bad_server import closed_port, untrusted
from switchhook.emulator.go_errors import FailureKind
from switchhook.emulator.link import dialler
from switchhook.emulator.net import NetError

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Heard:
    def __init__(self):
        self.texts, self.sizes, self.closes = [], [], []
        self.more = asyncio.Event()
        self.over = asyncio.Event()

    def on_text(self, text):
        self.texts.append(bytes(text))
        self.more.set()

    def on_binary(self, size):
        self.sizes.append(size)
        self.more.set()

    def on_closed(self, code, reason):
        self.closes.append((code, reason))
        self.over.set()


@asynccontextmanager
async def bot(talk, **options):
    async with serve(talk, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/media?tier=gold"


@asynccontextmanager
async def raw_bot(talk):
    """A bot on bare TCP, after the handshake."""

    async def accept(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(x for x in head.split(b"\r\n") if x.lower().startswith(b"sec-websocket-key"))
        proof = base64.b64encode(hashlib.sha1(key.split(b": ")[1] + GUID).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
        )
        await talk(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def frame(opcode, payload, fin=True):
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        return head + bytes([size]) + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


async def dial(url, heard, limit_s=10.0, **apps):
    return await dialler(Gate(), apps=apps or None)(url, heard, headers=[], limit_s=limit_s)


def test_messages_go_both_ways_and_credentials_are_a_header():
    seen = {}

    async def talk(socket):
        seen["path"] = socket.request.path
        seen["auth"] = socket.request.headers["Authorization"]
        async for message in socket:
            await socket.send(message + "!")

    async def main():
        heard = Heard()
        async with bot(talk) as url:
            link = await dial(url.replace("ws://", "ws://user:pa%20ss@"), heard)
            link.send(b'{"event":"connected"}')
            await heard.more.wait()
            link.close(1000)
            await heard.over.wait()
            link.send(b"late")
            link.close()
        return heard

    heard = asyncio.run(main())
    assert heard.texts == [b'{"event":"connected"}!']
    assert heard.closes == [(1000, "")]
    assert seen["path"] == "/media?tier=gold"
    assert base64.b64decode(seen["auth"].removeprefix("Basic ")) == b"user:pa ss"


@pytest.mark.parametrize("code, reason", [(1000, ""), (1011, "oh no"), (4400, "mine"), (1001, "")])
def test_the_bots_close_is_told_as_it_came(code, reason):
    async def talk(socket):
        await socket.close(code, reason)

    async def main():
        heard = Heard()
        async with bot(talk) as url:
            await dial(url, heard)
            await heard.over.wait()
        return heard.closes

    assert asyncio.run(main()) == [(code, reason)]


@pytest.mark.parametrize(
    "sent, closes",
    [
        (b"", [(1006, "")]),
        (frame(0x8, b""), [(1005, "")]),
        (frame(0x1, b"x" * 2_000_000), [(1006, "")]),
    ],
)
def test_other_ends(sent, closes):
    async def talk(reader, writer):
        writer.write(sent)
        await writer.drain()
        writer.close()

    async def main():
        heard = Heard()
        async with raw_bot(talk) as url:
            await dial(url, heard)
            await heard.over.wait()
        return heard

    heard = asyncio.run(main())
    assert [code for code, _ in heard.closes] == [code for code, _ in closes]
    assert not heard.texts


def test_fragments_are_put_together_and_binary_is_told():
    async def talk(reader, writer):
        writer.write(frame(0x1, b"one ", fin=False) + frame(0x9, b"ping"))
        writer.write(frame(0x0, b"two") + frame(0x2, b"12345"))
        await writer.drain()
        await reader.read(100)

    async def main():
        heard = Heard()
        async with raw_bot(talk) as url:
            await dial(url, heard)
            await heard.more.wait()
            while not heard.sizes:
                heard.more.clear()
                await heard.more.wait()
        return heard

    heard = asyncio.run(main())
    assert heard.texts == [b"one two"]
    assert heard.sizes == [5]


def test_a_bot_that_does_not_answer_the_close_is_left():
    async def talk(reader, writer):
        while await reader.read(100):
            pass

    async def main():
        heard = Heard()
        async with raw_bot(talk) as url:
            link = await dial(url, heard)
            link.close(1000)
            await asyncio.wait_for(heard.over.wait(), 20)
        return heard.closes

    assert len(asyncio.run(main())) == 1


def failure(url, limit_s=10.0):
    async def main():
        with pytest.raises(NetError) as caught:
            await dial(url, Heard(), limit_s)
        return caught.value.failure

    return asyncio.run(main())


def test_a_bot_that_cannot_be_reached():
    with closed_port() as (host, port):
        assert failure(f"ws://{host}:{port}/") == failure(f"ws://{host}:{port}/")
        assert failure(f"ws://{host}:{port}/").kind is FailureKind.REFUSED
        assert failure(f"ws://{host}:{port}/").address == f"{host}:{port}"
    assert failure("wss://bot.invalid/").kind is FailureKind.DNS
    with pytest.raises(RefusedError):
        asyncio.run(dial("ws://192.0.2.1/", Heard()))


def test_handshakes_that_fail():
    async def main(process, limit_s=5.0):
        async with serve(lambda _: None, "127.0.0.1", 0, process_request=process) as server:
            port = server.sockets[0].getsockname()[1]
            before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
            with pytest.raises(NetError) as caught:
                await dial(f"ws://127.0.0.1:{port}/", Heard(), limit_s)
            await asyncio.sleep(0)
            assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208
        return caught.value.failure

    refused = asyncio.run(main(lambda socket, _: socket.respond(401, "who are you?")))
    assert refused.kind is FailureKind.BAD_HANDSHAKE
    assert "401" in refused.detail
    moved = asyncio.run(main(lambda socket, _: socket.respond(302, "")))
    assert moved.kind is FailureKind.BAD_HANDSHAKE

    async def never(socket, _):
        await asyncio.sleep(99)

    assert asyncio.run(main(never, 0.3)).kind is FailureKind.TIMEOUT


def test_a_certificate_that_nobody_trusts():
    async def main():
        async with untrusted() as served:
            with pytest.raises(NetError) as caught:
                await dial(f"wss://localhost:{served.port}/", Heard())
        return caught.value.failure.kind

    assert asyncio.run(main()) is FailureKind.TLS


async def accepts_and_echoes(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})


async def rejects(scope, receive, send):
    await send({"type": "websocket.close", "code": 1000})


async def rejects_with_401(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


async def raises(scope, receive, send):
    await send({"type": "websocket.accept"})
    raise ValueError("broken")


async def closes(scope, receive, send):
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
    await send({"type": "websocket.send", "text": "too late"})


def in_process(app, talk=True):
    async def main():
        heard = Heard()
        link = await dialler(Gate(), apps={"bot.example": app})(
            "wss://bot.example/x", heard, headers=[], limit_s=5
        )
        if talk:
            link.send(b"hello")
            await heard.more.wait()
            link.close(1000)
        await heard.over.wait()
        return heard

    return asyncio.run(main())


def test_an_app_in_this_process():
    heard = in_process(accepts_and_echoes)
    assert (heard.texts, heard.closes) == ([b"HELLO"], [(1000, "")])
    closed = in_process(closes, talk=False)
    assert (closed.texts, closed.closes) == ([], [(4001, "enough")])
    broken = in_process(raises, talk=False)
    assert broken.closes[0][0] == 1006
    assert "ValueError: broken" in broken.closes[0][1]


@pytest.mark.parametrize("app, detail", [(rejects, "403"), (rejects_with_401, "401")])
def test_an_app_that_rejects(app, detail):
    with pytest.raises(NetError) as caught:
        in_process(app)
    assert caught.value.failure.kind is FailureKind.BAD_HANDSHAKE
    assert detail in caught.value.failure.detail
