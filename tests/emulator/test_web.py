"""The HTTP client against servers that behave, and servers that don't, on real sockets."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager

import pytest

from switchhook.emulator.addresses import Gate, RefusedError
from switchhook.emulator.bad_server import closed_port, make_bad_server, untrusted
from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.go_errors import FailureKind
from switchhook.emulator.in_process import wsgi
from switchhook.emulator.net import NetError
from switchhook.emulator.serving import serving
from switchhook.emulator.web import LONGEST_BODY, Web


@asynccontextmanager
async def raw(answer):
    """A server that keeps what it got and answers with these bytes."""
    got = []

    async def talk(reader, writer):
        got.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got


def run(main):
    async def whole():
        web = Web(Gate())
        try:
            return await main(web)
        finally:
            await web.close()

    return asyncio.run(whole())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "url, query, target",
    [
        ("/p", b"Stream[Status]=a", b"/p?Stream[Status]=a"),
        ("/p?key=1", b"a=%5B%255B+x", b"/p?key=1&a=%5B%255B+x"),
        ("", b"a=+91", b"/?a=+91"),
        ("/p?x=%2F%20", b"", b"/p?x=%2F%20"),
    ],
)
def test_the_query_arrives_byte_for_byte(url, query, target):
    async def main(web):
        async with raw(OK) as (base, got):
            reply = await web.send("GET", base + url, query=query, limit_s=10)
            return reply, got[0]

    reply, got = run(main)
    assert (reply.status, reply.body, reply.cut) == (200, b"ok", False)
    assert got.startswith(b"GET " + target + b" HTTP/1.1\r\n")


def test_credentials_become_a_header_and_stay_out_of_the_target():
    async def main(web):
        async with raw(OK) as (base, got):
            await web.send("GET", base.replace("://", "://us%40er:p%3Aw@"), limit_s=10)
            return got[0]

    got = run(main)
    assert b"Authorization: Basic dXNAZXI6cDp3\r\n" in got
    assert b"er:" not in got.splitlines()[0]
    assert b"Host: 127.0.0.1:" in got


@pytest.mark.parametrize(
    "path, kind",
    [("/hang", FailureKind.TIMEOUT), ("/slow?seconds=9", FailureKind.TIMEOUT),
     ("/trickle?seconds=0.05", FailureKind.TIMEOUT), ("/close", FailureKind.EOF)],
)  # fmt: skip
def test_servers_that_never_answer(path, kind):
    async def main(web):
        async with serving(make_bad_server()) as served:
            with pytest.raises(NetError) as caught:
                await web.send("GET", served.url + path, limit_s=0.5)
            return caught.value.failure.kind

    assert run(main) is kind


def test_an_endless_body_is_cut_at_once():
    async def main(web):
        async with serving(make_bad_server()) as served:
            return await web.send("GET", served.url + "/endless", limit_s=10)

    reply = run(main)
    assert reply.cut
    assert len(reply.body) == LONGEST_BODY


def test_a_redirect_is_an_answer():
    async def main(web):
        async with serving(make_bad_server()) as served:
            return await web.send("GET", served.url + "/301", limit_s=10)

    assert run(main).status == 301


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Len"],
)
def test_what_is_no_http_is_no_answer(answer):
    async def main(web):
        async with raw(answer) as (base, _):
            with pytest.raises(NetError):
                await web.send("GET", base, limit_s=10)

    run(main)


def test_refused_unknown_and_untrusted():
    async def main(web):
        async def kind(url):
            with pytest.raises(NetError) as caught:
                await web.send("GET", url, limit_s=10)
            return caught.value.failure.kind

        with closed_port() as (host, port):
            refused = await kind(f"http://{host}:{port}/")
        async with untrusted() as served:
            tls = await kind(f"https://localhost:{served.port}/")
        return refused, await kind("http://bot.invalid/"), tls

    assert run(main) == (FailureKind.REFUSED, FailureKind.DNS, FailureKind.TLS)


def test_elsewhere_is_not_dialled_and_no_proxy_is_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.7:3128")
    monkeypatch.setenv("ALL_PROXY", "http://192.0.2.7:3128")

    async def main(web):
        with pytest.raises(RefusedError, match=r"192\.0\.2\.1 is not on this machine"):
            await web.send("GET", "http://192.0.2.1/", limit_s=10)
        async with raw(OK) as (base, _):
            return await web.send("GET", base, limit_s=10)

    assert run(main).status == 200


def test_many_at_once_leave_no_socket_behind():
    def open_files():
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    async def main(web):
        async with serving(make_bad_server()) as served:
            urls = [f"{served.url}/{path}" for path in ("200", "close", "301", "endless")]

            async def one(url):
                try:
                    await web.send("GET", url, limit_s=20)
                except NetError:
                    return 0
                return 1

            before = open_files()
            done = await asyncio.gather(*(one(url) for url in urls * 50))
            return sum(done), before

    (answered, before) = run(main)
    assert answered == 150
    assert open_files() <= before


def in_process(app, limit_s=5.0):
    async def main():
        web = Web(Gate(), apps={"app.example": app})
        assert web.here("https://app.example/x")
        assert not web.here("https://other.example/x")
        try:
            return await web.send("GET", "https://app.example/p?a=1", query=b"b=2", limit_s=limit_s)
        finally:
            await web.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def test_a_wsgi_app_in_this_process():
    def app(environ, start_response):
        start_response("302 Found", [("X-Path", environ["PATH_INFO"])])
        return [environ["QUERY_STRING"].encode()]

    reply = in_process(wsgi(app))
    assert (reply.status, reply.body) == (302, b"a=1&b=2")
    assert dict(reply.headers)["x-path"] == "/p"


async def raises(scope, receive, send):
    raise ValueError("broken")


async def returns(scope, receive, send):
    return


async def hangs(scope, receive, send):
    await asyncio.sleep(99)


@pytest.mark.parametrize(
    "app, kind, detail",
    [
        (raises, FailureKind.EOF, "ValueError: broken"),
        (returns, FailureKind.EOF, "no answer"),
        (hangs, FailureKind.TIMEOUT, ""),
    ],
)
def test_an_app_that_does_not_answer(app, kind, detail):
    with pytest.raises(NetError) as caught:
        in_process(app)
    assert caught.value.failure.kind is kind
    assert detail in caught.value.failure.detail
