"""An app is served inside the running loop, at once, and is gone with its connections."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import websockets

from patience import PATIENCE_S
from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.net.asgi import DROP, WRITE
from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.emulator.net.serving import serving


class NotingLoop(VirtualLoop):
    """Notes how far it jumps, and wanted to."""

    def __init__(self):
        super().__init__()
        self.jumps = []

    def idle(self, seconds):
        self.jumps.append(seconds)
        return super().idle(seconds)


async def hello(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def request(port, target="/", host="127.0.0.1", **tls):
    """All that comes back for one request, until the server ends the connection."""
    reader, writer = await asyncio.open_connection(host, port, **tls)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


def refuses(port, host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
        return client.connect_ex((host, port)) != 0


@pytest.mark.parametrize(
    "host, url", [("127.0.0.1", "http://127.0.0.1:{}"), ("::1", "http://[::1]:{}")]
)
def test_it_answers_at_once_and_is_gone_at_the_end(host, url):
    async def main():
        async with serving(hello, host=host) as served:
            assert served.url == url.format(served.port)
            assert served.ws_url == served.url.replace("http", "ws")
            answer = await request(served.port, host=host)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"hello" in answer
        assert b"server:" not in answer
        assert refuses(served.port, host)

    asyncio.run(main())


def test_a_port_in_use_is_an_error():
    async def main():
        async with serving(hello) as served:
            with pytest.raises(OSError, match="in use"):
                async with serving(hello, port=served.port):
                    pass

    asyncio.run(main())


def test_the_port_can_be_had_again_at_once():
    async def main():
        async with serving(hello) as first:
            await request(first.port)
        async with serving(hello, port=first.port) as second:
            return first.port == second.port and await request(second.port)

    assert asyncio.run(main())


def test_signals_stay_with_whoever_has_them():
    async def main():
        before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        async with serving(hello):
            return before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    assert asyncio.run(main())


def test_a_websocket_is_closed_with_1012_when_its_server_ends():
    async def main():
        async with serving(hello) as served:
            client = await websockets.connect(served.ws_url)
            await client.send("a")
            assert await client.recv() == "a"
        await client.wait_closed()
        return client.close_code

    assert asyncio.run(main()) == 1012


def test_without_websockets_an_upgrade_is_a_plain_request():
    async def main():
        async with serving(hello, ws=False) as served:
            with pytest.raises(websockets.InvalidStatus):
                await websockets.connect(served.ws_url)

    asyncio.run(main())


def test_what_does_not_end_is_cut_off_without_a_word(caplog):
    """Neither a request that never gets its answer nor its caller outlives the server."""
    begun = asyncio.Event()

    async def stubborn(scope, receive, send):
        begun.set()
        await asyncio.Event().wait()

    async def main():
        async with serving(stubborn) as served:
            waiting = asyncio.create_task(request(served.port))
            await begun.wait()
        with suppress(ConnectionResetError):
            assert await waiting == b""
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert not caplog.records


def test_a_cancelled_app_is_told_while_the_server_runs():
    """Only the end of the server swallows a cancellation."""

    async def cancelled(scope, receive, send):
        raise asyncio.CancelledError

    async def main():
        async with serving(cancelled) as served:
            return await request(served.port)

    assert asyncio.run(main()).startswith(b"HTTP/1.1 500 ")


def test_an_app_can_drop_its_connection():
    async def dropping(scope, receive, send):
        scope["state"][DROP]()
        while (await receive())["type"] != "http.disconnect":
            pass

    async def main():
        async with serving(dropping) as served:
            try:
                return await request(served.port)
            except ConnectionResetError:
                return b""

    assert asyncio.run(main()) == b""


def test_an_app_is_told_of_start_and_end_where_it_wants_to():
    told = []

    async def living(scope, receive, send):
        if scope["type"] != "lifespan":
            told.append(scope["state"]["key"])
            await hello(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{word}"
            told.append(word)
            scope["state"]["key"] = "value"
            await send({"type": f"lifespan.{word}.complete"})

    async def main():
        async with serving(living, lifespan=True) as served:
            await request(served.port)

    asyncio.run(main())
    assert told == ["startup", "value", "shutdown"]


def test_an_app_that_fails_to_start_is_not_served():
    async def failing(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    async def main():
        with pytest.raises(RuntimeError, match="failed to start"):
            async with serving(failing, lifespan=True):
                pass

    asyncio.run(main())


def test_many_apps_live_in_one_loop():
    async def main():
        async with serving(hello) as one, serving(hello) as two:
            answers = await asyncio.gather(request(one.port), request(two.port))
        return all(b"hello" in each for each in answers)

    assert asyncio.run(main())


def test_an_idle_server_never_wakes_a_loop_whose_time_jumps():
    """A day passes in one step: no tick of the server stands in its way."""

    async def main():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NotingLoop)
        async with serving(hello) as served:
            loop.jumps.clear()
            await asyncio.sleep(86_400)
            with loop.outside():
                answer = await request(served.port)
            return list(loop.jumps), answer

    with asyncio.Runner(loop_factory=NotingLoop) as runner:
        jumps, answer = runner.run(main())
    assert jumps == [86_400]
    assert b"hello" in answer


NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "names, begin, end, dialled, problem",
    [
        (["127.0.0.1"], NOW - DAY, NOW + DAY, "127.0.0.1", None),
        (["bot.example", "localhost"], NOW - DAY, NOW + DAY, "localhost", None),
        (["bot.example"], NOW - DAY, NOW + DAY, "other.example", "mismatch"),
        (["bot.example"], NOW - DAY * 2, NOW - DAY, "bot.example", "expired"),
        (["bot.example"], NOW + DAY, NOW + DAY * 2, "bot.example", "not yet valid"),
        (["b" * 70 + ".example"], NOW - DAY, NOW + DAY, "b.example", "Hostname mismatch|label"),
    ],
)
def test_a_certificate_is_good_for_its_names_and_its_time(names, begin, end, dialled, problem):
    """For those who trust it: that it is self-signed is another test's."""
    certificate, key = self_signed(names, not_before=begin, not_after=end)

    async def main():
        trusting = ssl.create_default_context(cadata=certificate.decode())
        context = server_context(certificate, key)
        async with serving(hello, ssl_context=context) as served:
            assert served.url.startswith("https://127.0.0.1:")
            assert served.ws_url.startswith("wss://")
            return await request(served.port, ssl=trusting, server_hostname=dialled)

    if problem is None:
        assert b"hello" in asyncio.run(main())
    else:
        with pytest.raises(ssl.SSLCertVerificationError, match=problem):
            asyncio.run(main())


def test_every_certificate_has_a_key_of_its_own():
    two = [self_signed(["a"], not_before=NOW, not_after=NOW + DAY) for _ in range(2)]
    assert two[0][0] != two[1][0]
    assert two[0][1] != two[1][1]


def test_a_connection_that_is_closing_already_does_not_hinder_the_end():
    """The app has sent its close, and the client has not answered it, when the server ends."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        await asyncio.Event().wait()

    async def main():
        async with serving(app) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"101" in head
            assert await reader.readexactly(4) == b"\x88\x02\x03\xe8"
        writer.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def test_bytes_are_written_on_a_connection_as_they_are_and_on_none_that_is_gone():
    async def main():
        read, done = asyncio.Event(), asyncio.Event()

        async def twice(scope, receive, send):
            await hello(scope, receive, send)
            write = scope["state"][WRITE]
            write(b"and more")
            await read.wait()
            scope["state"][DROP]()
            write(b"too late")
            done.set()

        async with serving(twice) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            said = await reader.readuntil(b"and more")
            read.set()
            await done.wait()
            writer.close()
        return said

    assert asyncio.run(main()).startswith(b"HTTP/1.1 200")
