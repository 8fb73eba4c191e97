"""Apps called in this process: whatever they do, it ends as it would over a socket."""

from __future__ import annotations

import asyncio
from itertools import repeat

import pytest
from flask import Flask, Response, request

from switchhook.emulator.net.asgi import DROP
from switchhook.emulator.net.go_errors import FailureKind
from switchhook.emulator.net.in_process import call_http, scope_of, wsgi
from switchhook.emulator.net.results import NetError

URL = "http://app.example:8080/a%20b/c?x=%5B1%5D"
START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]}


def body(content, more=False):
    return {"type": "http.response.body", "body": content, "more_body": more}


def call(app, method="GET", url=URL, limit_bytes=1000, **more):
    return asyncio.run(call_http(app, method, url, limit_bytes=limit_bytes, **more))


def failed(app, **more):
    with pytest.raises(NetError) as caught:
        call(app, **more)
    return caught.value.failure


def test_a_scope_says_what_a_server_would():
    scope = scope_of("http", URL, [("X-Y", "z")], method="GET")
    assert scope["path"] == "/a b/c"
    assert scope["raw_path"] == b"/a%20b/c"
    assert scope["query_string"] == b"x=%5B1%5D"
    assert scope["server"] == ("app.example", 8080)
    assert scope["headers"] == [(b"host", b"app.example:8080"), (b"x-y", b"z")]
    assert scope_of("websocket", "wss://b.example/", [])["server"] == ("b.example", 443)


def test_an_answer_comes_whole():
    async def app(scope, receive, send):
        got = await receive()
        await send(START)
        await send(body(got["body"], more=True))
        await send(body(b"!"))

    reply = call(app, "POST", body=b"hello")
    assert (reply.status, reply.reason, reply.body, reply.cut) == (200, "OK", b"hello!", False)
    assert reply.headers == (("x-a", "1"), ("x-a", "2"))


async def raises(scope, receive, send):
    raise ValueError("broken")


async def returns(scope, receive, send):
    pass


async def drops(scope, receive, send):
    scope["state"][DROP]()
    assert (await receive())["type"] == "http.request"
    assert (await receive())["type"] == "http.disconnect"


async def starts(scope, receive, send):
    await send(START)


async def breaks_off(scope, receive, send):
    await send(START)
    await send(body(b"half", more=True))
    raise OSError("lost")


async def drops_in_the_middle(scope, receive, send):
    await send(START)
    await send(body(b"half", more=True))
    scope["state"][DROP]()
    await send(body(b"other half"))


@pytest.mark.parametrize(
    "app, detail",
    [
        (raises, "ValueError: broken"),
        (returns, "no answer"),
        (drops, "no answer"),
        (starts, "half an answer"),
        (breaks_off, "OSError: lost"),
        (drops_in_the_middle, "half an answer"),
    ],
)
def test_what_is_not_whole_is_no_answer(app, detail):
    failure = failed(app)
    assert (failure.kind, failure.detail) == (FailureKind.EOF, detail)
    assert failure.address == "app.example:8080"


def test_an_endless_body_is_cut_and_its_app_ended():
    ended = []

    async def endless(scope, receive, send):
        await send(START)
        try:
            while True:
                await send(body(b"x" * 300, more=True))
        finally:
            ended.append(True)

    reply = call(endless)
    assert reply.cut
    assert len(reply.body) == 1000
    assert ended


def test_an_app_that_raises_after_its_answer_has_answered():
    async def app(scope, receive, send):
        await send(START)
        await send(body(b"ok"))
        raise ValueError("late")

    assert call(app).body == b"ok"


def test_work_after_the_answer_goes_on_where_it_is_kept():
    async def main():
        go_on, done = asyncio.Event(), asyncio.Event()

        async def app(scope, receive, send):
            await send(START)
            await send(body(b"ok"))
            await go_on.wait()
            done.set()

        beside = set()
        await call_http(app, "GET", URL, limit_bytes=10, beside=beside)
        assert len(beside) == 1
        go_on.set()
        await done.wait()
        await asyncio.wait(set(beside))
        assert not beside
        # Nobody keeps it: it ends with the call.
        go_on.clear()
        await call_http(app, "GET", URL, limit_bytes=10)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(main()) == []


def test_a_caller_who_leaves_ends_the_app():
    async def main():
        begun, ended = asyncio.Event(), asyncio.Event()

        async def app(scope, receive, send):
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        work = asyncio.ensure_future(call_http(app, "GET", URL, limit_bytes=10, beside=set()))
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        return ended.is_set()

    assert asyncio.run(main())


# WSGI.


def test_a_flask_app():
    flask = Flask(__name__)

    @flask.route("/a b/<rest>", methods=["POST"])
    def take(rest):
        assert request.host == "app.example:8080"
        return Response(f"{rest} {request.args['x']} {request.get_data(as_text=True)}", 302)

    reply = call(wsgi(flask), "POST", body=b"hi", headers=[("Content-Length", "2"), ("X-Y", "z")])
    assert (reply.status, reply.reason, reply.body) == (302, "Found", b"c [1] hi")


def test_an_endless_wsgi_body_is_cut_and_closed():
    closed = []

    class Endless:
        def __iter__(self):
            return repeat(b"x" * 300)

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Endless()

    assert call(wsgi(app)).cut
    assert closed


def test_what_is_written_comes_before_what_is_returned():
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"one ")
        return [b"", b"two"]

    assert call(wsgi(app)).body == b"one two"


def test_an_answer_without_a_body():
    def app(environ, start_response):
        start_response("204 No Content", [])
        return []

    assert (call(wsgi(app)).status, call(wsgi(app)).body) == (204, b"")


def test_a_later_head_replaces_the_first():
    def app(environ, start_response):
        start_response("200 OK", [])
        start_response("500 Oh", [], (ValueError, ValueError(), None))
        return [b"sorry"]

    assert call(wsgi(app)).status == 500


def test_a_wsgi_app_that_never_starts():
    failure = failed(wsgi(lambda environ, start_response: [b"x"]))
    assert failure.kind is FailureKind.EOF
    assert "start_response" in failure.detail
