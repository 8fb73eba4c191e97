"""A media connection to bots in this process that behave, and bots that don't."""

from __future__ import annotations

import asyncio

import pytest

from emulator.net.listening import Heard, failed, run_watched
from switchhook.emulator.net import app_link as link_module
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.go_errors import FailureKind, go_text
from switchhook.emulator.net.media_link import LONGEST_MESSAGE
from switchhook.emulator.net.results import NetError


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
        link = await dialler(AddressAllowList(), apps={"bot.example": app})(
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


async def returns(scope, receive, send):
    pass


async def raises_first(scope, receive, send):
    raise ValueError("broken")


@pytest.mark.parametrize(
    "app, detail", [(returns, "without accepting"), (raises_first, "ValueError: broken")]
)
def test_an_app_that_never_accepts(app, detail):
    with pytest.raises(NetError) as caught:
        in_process(app)
    assert caught.value.failure.kind is FailureKind.EOF
    assert detail in caught.value.failure.detail


def test_an_app_that_hangs_in_the_handshake_is_ended():
    ended = []

    async def hangs(scope, receive, send):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    apps = {"bot.example": hangs}
    failure = run_watched(lambda: failed("ws://bot.example/", 0.05, apps=apps))
    assert go_text(failure) == "context deadline exceeded"
    assert ended


def test_an_apps_message_too_long_closes_with_1009():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": b"12"})
        await send({"type": "websocket.send", "text": "x" * (LONGEST_MESSAGE + 1)})

    heard = in_process(app, talk=False)
    assert (heard.sizes, heard.texts) == ([2], [])
    assert heard.closes == [(1009, "message too big")]


def test_an_app_that_reads_nothing_is_cut_off(monkeypatch):
    monkeypatch.setattr(link_module, "LONGEST_BACKLOG", 100)

    async def main():
        async def app(scope, receive, send):
            await send({"type": "websocket.accept"})
            await asyncio.Event().wait()

        heard = Heard()
        dial = dialler(AddressAllowList(), apps={"bot.example": app})
        link = await dial("ws://bot.example/", heard, headers=[], limit_s=5)
        link.send(b"x" * 60)
        assert (link.backlog, heard.closes) == (60, [])
        link.send(b"x" * 60)
        return heard.closes

    ((code, reason),) = run_watched(main)
    assert code == 1006
    assert "reads nothing" in reason
