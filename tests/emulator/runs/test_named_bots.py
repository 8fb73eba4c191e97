"""Bots of a plan that the emulator plays itself: who dials them meets what is aimed at them."""

from __future__ import annotations

import asyncio
import base64
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from patience import PATIENCE_S
from switchhook.emulator.plan.file import read_plan
from switchhook.emulator.plan.plan import Fault
from switchhook.emulator.runs.named_bots import NamedBots
from switchhook.emulator.runs.server import running_emulator
from switchhook.errors import ConfigError

PLAN = """
[account.acme]
[number.08047112233]
account = "acme"
flow = "f"
[flow.f]
first = "bot"
[flow.f.applet.bot]
applet = "voicebot"
url = "ws://us:pass@127.0.0.1:{port}/media?lang=hi"
next = "end"
[flow.f.applet.end]
applet = "hangup"
[bot.vendor-a]
url = "ws://127.0.0.1:{port}/media"
plays = "/bot?say=1&length=0.3"
auth = "us:pass"
[bot.vendor-b]
url = "ws://127.0.0.1:{port}/other"
plays = "/bot/silent"
[bot.vendor-c]
url = "wss://c.example/media"
plays = "/bot"
"""


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def run(port, act):
    async def main():
        async with running_emulator(read_plan(PLAN.format(port=port))) as running:
            return await asyncio.wait_for(act(running.exchange), PATIENCE_S)

    return asyncio.run(main())


def dialled(port, path="/media", auth="us:pass"):
    word = base64.b64encode(auth.encode()).decode()
    headers = {"Authorization": f"Basic {word}"}
    url = f"ws://127.0.0.1:{port}{path}"
    return connect(url, additional_headers=headers, proxy=None)


def test_our_calls_reach_it_with_credentials_and_parameters_of_somebody_elses(port):
    async def act(exchange):
        call = exchange.ring("08047112233")
        await call.over.wait()
        return call.stream_outcome

    outcome = run(port, act)
    assert (outcome.status, outcome.disconnected_by) == ("completed", "bot")


def test_others_reach_it_by_its_path_and_credentials(port):
    async def act(exchange):
        async with dialled(port), dialled(port, "/other", "nobody:x"):
            pass
        for path, auth, status in (("/media", "us:wrong", 401), ("/none", "us:pass", 403)):
            with pytest.raises(InvalidStatus) as refused:
                async with dialled(port, path, auth):
                    pass
            assert refused.value.response.status_code == status

    run(port, act)


def test_whoever_dials_a_dead_bot_is_dropped_and_a_returned_one_answers(port, caplog):
    async def act(exchange):
        number = exchange.faults.add(Fault(what="bot-dies", bot="vendor-a"))
        with pytest.raises((InvalidMessage, ConnectionClosed, OSError, EOFError)):
            async with dialled(port):
                pass
        async with dialled(port, "/other"):
            pass
        assert not caplog.records, "nobody is told of a crash"
        exchange.faults.remove(number)
        async with dialled(port):
            pass

    run(port, act)


def test_a_hanging_bot_does_not_answer_and_a_slow_one_answers_late(port, caplog):
    async def act(exchange):
        number = exchange.faults.add(Fault(what="bot-hangs", bot="vendor-a"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), dialled(port):
                pass
        exchange.faults.remove(number)
        exchange.faults.add(Fault(what="bot-slow-handshake", bot="vendor-a", seconds=0.3))
        began = asyncio.get_running_loop().time()
        async with dialled(port):
            assert asyncio.get_running_loop().time() - began >= 0.3
        assert not caplog.records

    run(port, act)


def test_a_program_is_told_where_they_are(port):
    async def main():
        async with running_emulator(read_plan(PLAN.format(port=port))) as running:
            return running.wiring()["bots"]

    assert asyncio.run(main()) == {
        "vendor-a": f"ws://127.0.0.1:{port}/media",
        "vendor-b": f"ws://127.0.0.1:{port}/other",
        "vendor-c": "wss://c.example/media",
    }


def test_one_elsewhere_is_played_in_this_process_only(port):
    assert NamedBots(read_plan(PLAN.format(port=port))).hosts == {
        f"127.0.0.1:{port}": "127.0.0.1",
        "c.example": "",
    }


def test_a_port_that_is_taken_is_told(port):
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ConfigError, match="no bot can be played at"),
    ):
        run(port, None)
