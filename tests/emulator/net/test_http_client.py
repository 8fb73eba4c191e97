"""The HTTP client against servers that behave, and servers that don't, on real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.net.addresses import AddressAllowList, RefusedError, ResolvedAddress
from switchhook.emulator.net.bad_server import closed_port, make_bad_server, untrusted
from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.emulator.net.go_errors import FailureKind, go_text
from switchhook.emulator.net.http_client import LONGEST_BODY, Web, authorization, place_of
from switchhook.emulator.net.in_process import wsgi
from switchhook.emulator.net.results import NetError
from switchhook.emulator.net.serving import serving


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
        web = Web(AddressAllowList())
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
        web = Web(AddressAllowList(), apps={"app.example": app})
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


# URLs.


@pytest.mark.parametrize(
    "url, text",
    [
        ("http://[bad/", "parse 'http://[bad/': Invalid IPv6 URL"),
        ("http://h:99999/", "parse 'http://h:99999/': Port out of range 0-65535"),
        ("ftp://h/", "unsupported protocol scheme 'ftp', not http or https"),
        ("nonsense", "unsupported protocol scheme '', not http or https"),
        ("http:///x", "no Host in request URL"),
        ("", "unsupported protocol scheme '', not http or https"),
    ],
)
def test_a_url_that_leads_nowhere_is_a_failure_like_others(url, text):
    async def main(web):
        assert not web.here(url)
        with pytest.raises(NetError) as caught:
            await web.send("GET", url, limit_s=1)
        return caught.value.failure

    failure = run(main)
    assert (failure.kind, go_text(failure)) == (FailureKind.OTHER, text)


@given(st.text(max_size=60), st.binary(max_size=60))
def test_any_url_is_taken_apart_or_refused(tail, query):
    try:
        place = place_of("http://" + tail, ("http",), query)
    except NetError:
        return
    assert all("!" <= c <= "~" for c in place.target + place.authority + place.host)
    assert place.target.startswith("/")


@given(st.lists(st.integers(0x21, 0x7E)).map(bytes))
def test_a_legal_query_stays_as_it_is(query):
    place = place_of("http://h/p?a=1", ("http",), query)
    assert place.target.encode() == (b"/p?a=1&" + query if query else b"/p?a=1")


def test_what_cannot_stand_in_a_request_line_is_escaped():
    place = place_of("http://bücher.example/हि x?q=é", ("http",), b"a=\xff\r\nX: y")
    assert place.target == "/%E0%A4%B9%E0%A4%BF%20x?q=%C3%A9&a=%FF%0D%0AX:%20y"
    assert place.host == place.authority == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "user_info, token",
    [("", None), ("key:token@", "a2V5OnRva2Vu"), ("key@", "a2V5Og=="), (":t@", "OnQ="),
     ("a:b:c@", "YTpiOmM="), ("%E2%82%AC:%40@", "4oKsOkA=")],
)  # fmt: skip
def test_user_and_password_as_basic(user_info, token):
    place = place_of(f"https://{user_info}bot.example/x", ("https",))
    expected = [] if token is None else [("Authorization", f"Basic {token}")]
    assert authorization(place) == expected
    assert place.url == "https://bot.example/x"


# Failures in Exotel's words.


def failure_of(url, limit_s=10.0, **options):
    async def main():
        web = Web(options.pop("allow_list", AddressAllowList()), **options)
        try:
            with pytest.raises(NetError) as caught:
                await web.send("GET", url, limit_s=limit_s)
        finally:
            await web.close()
        return caught.value.failure

    return main()


def test_a_body_that_breaks_off_is_no_answer():
    async def main(web):
        async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf") as (base, _):
            return await failure_of(base)

    assert run(main).kind is FailureKind.EOF


def test_garbage_is_told_as_go_does():
    async def main(web):
        async with raw(b"\x00garbage\r\n\r\n") as (base, _):
            return await failure_of(base)

    assert go_text(run(main)).startswith("malformed HTTP response: ")


def test_late_after_connecting_is_another_text_than_never_connected():
    class Unanswered:
        """An allow-list whose look-up takes for ever."""

        async def resolve(self, host, port):
            await asyncio.Event().wait()

    async def main(web):
        async with serving(make_bad_server()) as served:
            late = await failure_of(served.url + "/hang", 0.2)
        return late, await failure_of("http://bot.example/", 0.05, allow_list=Unanswered())

    for failure in run(main):
        assert failure.kind is FailureKind.TIMEOUT
        assert go_text(failure) == "context deadline exceeded"


def test_an_address_that_never_accepts_is_named():
    async def main(web):
        # A listener whose queue is full leaves further connections unanswered.
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            at = full.getsockname()
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(at)
            return at[1], await failure_of(f"http://127.0.0.1:{at[1]}/", 0.3)

    port, failure = run(main)
    assert go_text(failure) == f"dial tcp 127.0.0.1:{port}: i/o timeout"


def test_the_next_address_is_dialled_where_one_refuses():
    async def main(web):
        with closed_port("127.0.0.1") as (_, closed):
            async with raw(OK) as (base, _got):
                port = int(base.rpartition(":")[2])

                class Two(AddressAllowList):
                    async def resolve(self, host, _port):
                        return [
                            ResolvedAddress("127.0.0.1", closed),
                            ResolvedAddress("127.0.0.1", port),
                        ]

                web = Web(Two())
                return await web.send("GET", "http://bot.example/", limit_s=5)

    assert run(main).status == 200


def trusting(*names, years=(2020, 2100)):
    """A server's context, and a client's that trusts its certificate."""
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in years)
    certificate, key = self_signed(names, not_before=begin, not_after=end)
    client = ssl.create_default_context(cadata=certificate.decode())
    return server_context(certificate, key), client


@pytest.mark.parametrize(
    "names, years, text",
    [
        (["localhost"], (2020, 2021), "certificate has expired or is not yet valid"),
        (
            ["other.example"],
            (2020, 2100),
            "certificate is not valid for any names, but wanted to match localhost",
        ),
    ],
)
def test_a_bad_certificate_from_a_trusted_signer(names, years, text):
    server, client = trusting(*names, years=years)

    async def main(web):
        async with serving(make_bad_server(), ssl_context=server) as served:
            return await failure_of(f"https://localhost:{served.port}/200", ssl_context=client)

    failure = run(main)
    assert go_text(failure) == f"tls: failed to verify certificate: x509: {text}"


def test_a_good_certificate_is_checked_against_the_name_though_the_address_is_dialled():
    server, client = trusting("localhost")

    async def main(_):
        web = Web(AddressAllowList(), ssl_context=client)
        async with serving(make_bad_server(), ssl_context=server) as served:
            return await web.send("GET", f"https://localhost:{served.port}/200", limit_s=10)

    assert run(main).status == 200


@pytest.mark.parametrize(
    "answer, text",
    [(b"", "EOF"), (b"HTTP/1.1 400 Bad Request\r\n\r\n", "tls: first record does not look like"
      " a TLS handshake")],
)  # fmt: skip
def test_https_to_a_server_that_speaks_no_tls(answer, text):
    async def talk(reader, writer):
        await reader.read(100)
        writer.write(answer)
        writer.close()

    async def main(web):
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await failure_of(f"https://127.0.0.1:{port}/")

    assert go_text(run(main)) == text


def test_a_name_that_leads_to_metadata_is_refused_though_it_is_allowed():
    async def main():
        async def getaddrinfo(*_, **__):
            return [(2, 1, 6, "", ("169.254.169.254", 0))]

        asyncio.get_running_loop().getaddrinfo = getaddrinfo
        web = Web(AddressAllowList(["bot.example", "0.0.0.0/0"]))
        with pytest.raises(RefusedError, match="cloud metadata"):
            await web.send("GET", "http://bot.example/", limit_s=5)

    asyncio.run(main())


def test_the_clock_keeps_the_worlds_pace_only_for_real_sockets():
    entered = []

    class Outside:
        def __enter__(self):
            entered.append(True)

        def __exit__(self, *_):
            entered.append(False)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def main(_):
        web = Web(AddressAllowList(), apps={"app.example": app}, outside=Outside)
        await web.send("GET", "http://APP.example/", limit_s=5)
        assert not entered
        with closed_port() as (host, port), pytest.raises(NetError):
            await web.send("GET", f"http://{host}:{port}/", limit_s=5)

    run(main)
    assert entered == [True, False]


def test_work_after_the_answer_goes_on_until_the_end():
    seen = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
        seen.append("answered")
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    async def main(_):
        web = Web(AddressAllowList(), apps={"app.example": app})
        await web.send("GET", "http://app.example/", limit_s=5)
        assert seen == ["answered"]
        await web.close()

    run(main)
    assert seen == ["answered", "ended"]
