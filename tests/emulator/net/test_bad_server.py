"""Each path misbehaves as its table says, seen from a raw socket."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from contextlib import asynccontextmanager
from xml.etree import ElementTree

import pytest

from patience import PATIENCE_S
from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.net import bad_server
from switchhook.emulator.net.asgi import Message
from switchhook.emulator.net.bad_server import PATHS, closed_port, make_bad_server, untrusted
from switchhook.emulator.net.serving import serving


class Peer:
    """A raw HTTP client that reads as it likes."""

    def __init__(self, reader):
        self.reader = reader

    @classmethod
    @asynccontextmanager
    async def ask(cls, port, target, method="GET", **tls):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, **tls)
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        try:
            yield cls(reader)
        finally:
            writer.close()

    async def head(self):
        """Status and headers."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:] if line)

    async def answer(self):
        """Status, headers and the body of known length."""
        status, headers = await self.head()
        return status, headers, await self.reader.readexactly(int(headers.get("content-length", 0)))


@asynccontextmanager
async def asked(target, method="GET"):
    """The bad server, and a peer that has sent it one request."""
    async with serving(make_bad_server()) as served, Peer.ask(served.port, target, method) as peer:
        yield peer


def ask(target, method="GET"):
    async def main():
        async with asked(target, method) as peer:
            return await peer.answer()

    return asyncio.run(main())


@pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 401, 404, 500, 503, 599])
def test_a_status(status):
    answered, headers, body = ask(f"/{status}?CallSid=a1")
    assert answered == status
    assert (b"" if status in {204, 304} else f"{status}\n".encode()) == body
    assert "location" not in headers
    assert ("content-length" in headers) == (status not in {204, 304})


@pytest.mark.parametrize("status", [301, 303, 307, 308])
def test_a_redirect_leads_to_itself(status):
    target = f"/{status}?secret=a%2Bb&CallSid=a1"
    answered, headers, _ = ask(target)
    assert answered == status
    assert headers["location"] == target


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_methods_are_all_the_same(method):
    async def main():
        async with asked("/500", method) as peer:
            return (await peer.head())[0]

    assert asyncio.run(main()) == 500


@pytest.mark.parametrize("target", ["/", "/199", "/600", "/2000", "/20", "/x", "/200/"])
def test_an_unknown_path_is_told_the_known(target):
    status, _, body = ask(target)
    assert status == 404
    assert all(path in body.decode() for path in PATHS)


@pytest.mark.parametrize(
    "target, problem",
    [
        ("/slow?seconds=soon", "'seconds' must be"),
        ("/slow?seconds=-1", "'seconds' must be"),
        ("/slow?seconds=nan", "'seconds' must be"),
        ("/slow?seconds=86401", "'seconds' must be"),
        ("/trickle?seconds=x", "'seconds' must be"),
        ("/select", "'branch' is missing"),
        ("/dynamic-url", "'url' is missing"),
        ("/dynamic-slow?seconds=0", "'url' is missing"),
        ("/dynamic-twiml", "'url' is missing"),
        ("/dynamic-text", "'url' is missing"),
    ],
)
def test_a_wrong_parameter_is_named(target, problem):
    status, _, body = ask(target)
    assert status == 400
    assert problem in body.decode()


def test_slow_answers_after_its_time():
    async def main():
        loop = asyncio.get_running_loop()
        async with serving(make_bad_server()) as served:
            began = loop.time()
            async with Peer.ask(served.port, "/slow?seconds=0.2&CallSid=a&seconds=9") as peer:
                status, _, body = await peer.answer()
            return status, body, loop.time() - began

    status, body, took = asyncio.run(main())
    assert (status, body) == (200, b"late\n")
    assert 0.2 <= took < 9


@pytest.mark.parametrize("path", ["/slow", "/hang"])
def test_no_answer_comes_and_a_caller_who_leaves_is_noticed(path):
    async def main():
        left = asyncio.Event()
        app = make_bad_server()

        async def watched(scope, receive, send):
            await app(scope, receive, send)
            left.set()

        async with serving(watched) as served:
            async with Peer.ask(served.port, path) as peer:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(peer.reader.read(1), 0.1)
                assert not left.is_set()
            await asyncio.wait_for(left.wait(), PATIENCE_S)

    asyncio.run(main())


def test_endless_sends_for_as_long_as_it_is_read_and_then_stops():
    async def main():
        left = asyncio.Event()
        app = make_bad_server()

        async def watched(scope, receive, send):
            await app(scope, receive, send)
            left.set()

        async with serving(watched) as served:
            async with Peer.ask(served.port, "/endless") as peer:
                status, headers = await peer.head()
                await peer.reader.readexactly(1_000_000)
            await asyncio.wait_for(left.wait(), PATIENCE_S)
            return status, headers

    status, headers = asyncio.run(main())
    assert status == 200
    assert "content-length" not in headers


def test_endless_lets_virtual_time_pass():
    """So that a caller's time limit fires, on a clock that stands still while something is done."""

    async def main():
        sent = []

        async def receive():
            if not sent:
                return {"type": "http.request", "body": b"", "more_body": False}
            return await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "path": "/endless", "query_string": b""}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(make_bad_server()(scope, receive, send), PATIENCE_S)
        return len(sent)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(main()) > 1000


def test_trickle_sends_byte_by_byte():
    async def main():
        async with asked("/trickle?seconds=0.01") as peer:
            status, _ = await peer.head()
            return status, await peer.reader.readexactly(len(b"1\r\n.\r\n") * 5)

    assert asyncio.run(main()) == (200, b"1\r\n.\r\n" * 5)


def test_close_ends_without_a_byte(caplog):
    async def main():
        async with asked("/close") as peer:
            try:
                return await peer.reader.read()
            except ConnectionResetError:
                return b""

    assert asyncio.run(main()) == b""
    assert not caplog.records


def test_close_in_process_returns_without_an_answer():
    async def main():
        async def nothing() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        scope = {"type": "http", "path": "/close", "query_string": b""}
        await make_bad_server()(scope, nothing, None)

    asyncio.run(main())


def test_select_answers_the_branch_as_plain_text():
    status, headers, body = ask('/select?branch=a%22b&CallSid=a1&branch=late"')
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert json.loads(body) == {"select": 'a"b'}


BOT = "wss://u:p@bot.example/bot?a=1&b=2"
QUOTED = "wss%3A%2F%2Fu%3Ap%40bot.example%2Fbot%3Fa%3D1%26b%3D2"


@pytest.mark.parametrize(
    "target, kind, read",
    [
        ("/dynamic-url?url=", "application/json", lambda body: json.loads(body)["url"]),
        (
            "/dynamic-slow?seconds=0.01&url=",
            "application/json",
            lambda body: json.loads(body)["url"],
        ),
        (
            "/dynamic-twiml?url=",
            "application/xml",
            lambda body: ElementTree.fromstring(body).find("Connect/Stream").get("url"),
        ),
        ("/dynamic-text?url=", "text/plain; charset=utf-8", bytes.decode),
    ],
)
def test_a_dynamic_url(target, kind, read):
    status, headers, body = ask(f"{target}{QUOTED}&CallSid=a1&From=09876543210")
    assert (status, headers["content-type"]) == (200, kind)
    assert read(body) == BOT


def test_the_table_of_the_docstring_has_every_path():
    for path in PATHS:
        assert f"| `{path}" in bad_server.__doc__


def test_only_http_is_spoken():
    async def main():
        with pytest.raises(ValueError, match="HTTP only, not websocket"):
            await make_bad_server()({"type": "websocket"}, None, None)

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_closed_port_refuses_and_nobody_else_can_have_it(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closed_port(host) as address:
        assert address[0] == host
        with socket.socket(family) as client, pytest.raises(ConnectionRefusedError):
            client.connect(address)
        with pytest.raises(OSError, match="in use"):
            socket.create_server(address, family=family)


@pytest.mark.parametrize(
    "expired, trusted, problem",
    [(False, False, "self-signed"), (True, False, "self-signed"), (True, True, "expired")],
)
def test_an_untrusted_server_is_refused_by_the_careful(expired, trusted, problem):
    async def main():
        async with untrusted(expired=expired) as served:
            careful = ssl.create_default_context()
            if trusted:
                careful.load_verify_locations(
                    cadata=await asyncio.to_thread(
                        ssl.get_server_certificate, ("127.0.0.1", served.port)
                    )
                )
            await asyncio.open_connection("127.0.0.1", served.port, ssl=careful)

    with pytest.raises(ssl.SSLCertVerificationError, match=problem):
        asyncio.run(main())


def test_an_untrusted_server_answers_the_careless():
    async def main():
        async with untrusted() as served:
            careless = ssl.create_default_context()
            careless.check_hostname = False
            careless.verify_mode = ssl.CERT_NONE
            async with Peer.ask(served.port, "/302", ssl=careless) as peer:
                return (await peer.answer())[0]

    assert asyncio.run(main()) == 302
