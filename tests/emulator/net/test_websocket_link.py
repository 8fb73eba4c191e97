"""A media connection to bots that behave, and bots that don't, on real sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
import uvloop
from websockets.asyncio.server import serve

from emulator.net.listening import Heard, failed, run_watched
from patience import PATIENCE_S
from switchhook.emulator.net import websocket_link as link_module
from switchhook.emulator.net.addresses import AddressAllowList, RefusedError
from switchhook.emulator.net.bad_server import closed_port, untrusted
from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.go_errors import FailureKind, go_text
from switchhook.emulator.net.media_link import LONGEST_MESSAGE
from switchhook.emulator.net.results import NetError

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


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
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def frame(opcode, payload, fin=True):
    size = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        return head + bytes([size]) + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


async def dial(url, heard, limit_s=10.0):
    return await dialler(AddressAllowList())(url, heard, headers=[], limit_s=limit_s)


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
        (frame(0x1, b"x" * 2_000_000), [(1009, "")]),
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
            await asyncio.wait_for(heard.over.wait(), PATIENCE_S)
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
        given_up = asyncio.Event()
        process = partial(process, given_up)
        async with serve(lambda _: None, "127.0.0.1", 0, process_request=process) as server:
            port = server.sockets[0].getsockname()[1]
            before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
            with pytest.raises(NetError) as caught:
                await dial(f"ws://127.0.0.1:{port}/", Heard(), limit_s)
            given_up.set()
            await asyncio.sleep(0)
            assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208
        return caught.value.failure

    refused = asyncio.run(main(lambda _, socket, __: socket.respond(401, "who are you?")))
    assert refused.kind is FailureKind.BAD_HANDSHAKE
    assert "401" in refused.detail
    moved = asyncio.run(main(lambda _, socket, __: socket.respond(302, "")))
    assert moved.kind is FailureKind.BAD_HANDSHAKE

    async def late(given_up, _, __):
        await given_up.wait()

    assert asyncio.run(main(late, 0.1)).kind is FailureKind.TIMEOUT


def test_a_certificate_that_nobody_trusts():
    async def main():
        async with untrusted() as served:
            with pytest.raises(NetError) as caught:
                await dial(f"wss://localhost:{served.port}/", Heard())
        return caught.value.failure.kind

    assert asyncio.run(main()) is FailureKind.TLS


# What a bot may do that a careless client does not survive.

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


@asynccontextmanager
async def tcp(talk):
    """A bare TCP server; `talk` gets the connection before any handshake."""

    async def whole(reader, writer):
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(whole, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def closes_at_once(reader, writer):
    pass


async def closes_after_the_request(reader, writer):
    await reader.readuntil(b"\r\n\r\n")


async def resets_after_the_request(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


@LOOPS
@pytest.mark.parametrize(
    "talk", [closes_at_once, closes_after_the_request, resets_after_the_request]
)
def test_a_bot_that_closes_without_an_answer(talk, loop):
    async def main():
        async with tcp(talk) as at:
            return await failed(f"ws://{at}/")

    failure = run_watched(main, loop)
    assert failure.kind in (FailureKind.EOF, FailureKind.RESET)


@LOOPS
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_handshake_that_hangs_harms_no_later_one(scheme, loop):
    """The hanging one's socket number is the next one's: it must be free for good."""

    async def main():
        held = asyncio.Event()

        async def hangs(reader, writer):
            await held.wait()

        async def talk(socket):
            await socket.wait_closed()

        async with tcp(hangs) as at, bot(talk) as url:
            for _ in range(5):
                text = go_text(await failed(f"{scheme}://{at}/", 0.05))
                # Where the machine is busy, it may hang before the handshake begins.
                assert text == "context deadline exceeded" or text.endswith("i/o timeout")
                heard = Heard()
                link = await dial(url, heard)
                link.close()
                await heard.over.wait()
                assert heard.closes == [(1000, "")]
            held.set()

    run_watched(main, loop)


@LOOPS
def test_a_dial_that_nobody_waits_for_leaves_no_socket(loop):
    def open_files():
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    async def main():
        there, gone = asyncio.Event(), asyncio.Event()

        async def hangs(reader, writer):
            there.set()
            while await reader.read(1000):
                pass
            gone.set()

        async with tcp(hangs) as at:
            before = open_files()
            work = asyncio.ensure_future(dial(f"ws://{at}/", Heard()))
            await there.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            await asyncio.wait_for(gone.wait(), PATIENCE_S)
        return before

    before = run_watched(main, loop)
    assert open_files() <= before


@pytest.mark.parametrize("url", ["ws://[bad/", "ws://h:99999/", "http://h/", "ws:///x", "nonsense"])
def test_a_url_that_leads_nowhere_is_a_failure_like_others(url):
    assert run_watched(lambda: failed(url)).kind is FailureKind.OTHER


def test_what_cannot_stand_in_a_request_line_is_escaped():
    seen = []

    async def talk(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))

    async def main():
        async with tcp(talk) as at:
            await failed(f"ws://{at}/é x?a=[1]&b=%5B#part")

    run_watched(main)
    assert seen[0].startswith(b"GET /%C3%A9%20x?a=[1]&b=%5B HTTP/1.1\r\n")


def test_the_name_stays_in_host_and_tls_though_the_address_is_dialled():
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    certificate, key = self_signed(["localhost"], not_before=begin, not_after=end)
    server, names = server_context(certificate, key), []
    server.sni_callback = lambda _, name, __: names.append(name)
    client = ssl.create_default_context(cadata=certificate.decode())

    async def talk(socket):
        names.append(socket.request.headers["Host"])
        await socket.close()

    async def main():
        async with serve(talk, "127.0.0.1", 0, ssl=server) as bots:
            port = bots.sockets[0].getsockname()[1]
            heard = Heard()
            dial = dialler(AddressAllowList(), ssl_context=client)
            await dial(f"wss://localhost:{port}/", heard, headers=[("X-A", "b")], limit_s=10)
            await heard.over.wait()
        return port

    port = run_watched(main)
    assert names == ["localhost", f"localhost:{port}"]


def test_a_name_that_leads_to_metadata_is_refused_though_it_is_allowed():
    async def main():
        async def getaddrinfo(*_, **__):
            return [(2, 1, 6, "", ("169.254.169.254", 0))]

        asyncio.get_running_loop().getaddrinfo = getaddrinfo
        with pytest.raises(RefusedError, match="cloud metadata"):
            await dialler(AddressAllowList(["bot.example"]))(
                "ws://bot.example/", Heard(), headers=[], limit_s=5
            )

    run_watched(main)


def after_the_handshake(sent, loop=asyncio.new_event_loop):
    """What is heard of a bot that sends these bytes and waits for the end."""

    async def talk(reader, writer):
        writer.write(sent)
        while await reader.read(1000):
            pass
        writer.close()

    async def main():
        heard = Heard()
        async with raw_bot(talk) as url:
            await dial(url, heard)
            await heard.over.wait()
        return heard

    return run_watched(main, loop)


PART = LONGEST_MESSAGE // 2 + 1


@LOOPS
@pytest.mark.parametrize(
    "sent, code",
    [
        (frame(0x0, b"of nothing"), 1002),
        (frame(0x1, b"x" * PART, fin=False) + frame(0x0, b"x" * PART), 1009),
        (frame(0x2, b"x" * (LONGEST_MESSAGE + 1)), 1009),
        (frame(0x3, b"reserved"), 1002),
        (frame(0x8, (4321).to_bytes(2, "big") + "é".encode()), 4321),
    ],
)
def test_what_breaks_the_protocol_ends_the_link_with_its_code(sent, code, loop):
    heard = after_the_handshake(sent, loop)
    assert [code for code, _ in heard.closes] == [code]
    assert not heard.texts


def test_nothing_is_heard_after_the_end():
    heard = after_the_handshake(frame(0x8, b"\x03\xe8") + frame(0x1, b"late"))
    assert (heard.texts, heard.closes) == ([], [(1000, "")])


def test_what_comes_with_the_handshake_is_heard_once_the_link_is_in_hand():
    async def talk(reader, writer):
        writer.write(frame(0x1, b"first") + frame(0x2, b"12") + frame(0x8, b"\x03\xf3"))
        await writer.drain()
        await reader.read(100)

    async def main():
        order = []

        class Ordered(Heard):
            def on_text(self, text):
                order.append(text)

            def on_binary(self, size):
                order.append(size)

            def on_closed(self, code, reason):
                order.append(code)
                self.over.set()

        heard = Ordered()
        async with raw_bot(talk) as url:
            link = await dial(url, heard)
            order.append("in hand")
            link.send(b"nobody hears it")
            await heard.over.wait()
        return order

    assert run_watched(main) == ["in hand", b"first", 2, 1011]


@LOOPS
def test_a_bot_that_reads_nothing_is_cut_off(loop, monkeypatch):
    monkeypatch.setattr(link_module, "LONGEST_BACKLOG", 100_000)

    async def main():
        held = asyncio.Event()

        async def talk(reader, writer):
            writer.transport.pause_reading()
            await held.wait()
            writer.transport.abort()

        heard = Heard()
        async with raw_bot(talk) as url:
            link = await dial(url, heard)
            assert link.backlog == 0
            most = 0
            while not heard.closes:
                link.send(b"x" * 10_000)
                most = max(most, link.backlog)
                await asyncio.sleep(0)
            held.set()
            assert link.backlog == 0
        return most, heard.closes

    most, closes = run_watched(main, loop)
    assert most < 120_000
    assert [code for code, _ in closes] == [1006]
    assert "reads nothing" in closes[0][1]


def test_a_reason_too_long_for_a_frame_is_clipped():
    async def main():
        told = asyncio.get_running_loop().create_future()

        async def talk(socket):
            await socket.wait_closed()
            told.set_result((socket.close_code, socket.close_reason))

        heard = Heard()
        async with bot(talk) as url:
            (await dial(url, heard)).close(4000, "é" * 100)
            return await told

    assert run_watched(main) == (4000, "é" * 61)


@pytest.mark.parametrize("early", [True, False])
def test_what_a_listener_raises_is_not_lost(early):
    async def talk(reader, writer):
        if not early:
            await reader.read(100)
        writer.write(frame(0x1, b"hello"))
        await reader.readuntil(b"\x88\x82")  # a masked close frame with a code
        writer.write(frame(0x8, (1011).to_bytes(2, "big")))
        await reader.read(100)
        writer.close()

    said = []

    async def main():
        class Broken(Heard):
            def on_text(self, text):
                raise ZeroDivisionError("ours")

        loop = asyncio.get_running_loop()
        told = asyncio.Event()

        def tell(_, context):
            said.append(context)
            told.set()

        loop.set_exception_handler(tell)
        heard = Broken()
        async with raw_bot(talk) as url:
            link = await dial(url, heard)
            if not early:
                await asyncio.sleep(0)
                link.send(b"go on")
            await told.wait()
            await heard.over.wait()
        return heard.closes

    assert asyncio.run(main()) == [(1011, "")]
    assert isinstance(said[0]["exception"], ZeroDivisionError)
