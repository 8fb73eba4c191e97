"""A bot that dies or hangs as a whole: its running streams, the next ones, and its return."""

from __future__ import annotations

import msgspec

from switchhook.emulator.bot import make_bot
from switchhook.emulator.bot.script import BotScript
from switchhook.emulator.plan.file import read_plan
from switchhook.emulator.plan.plan import Fault
from switchhook.emulator.testing import Exotel

PLAN = """
[flow.f]
first = "bot"
[flow.f.applet.bot]
applet = "voicebot"
url = "wss://a.example/media?lang=hi"
next = "end"
[flow.f.applet.end]
applet = "hangup"
[bot.vendor-a]
url = "wss://a.example/media"
"""


def exotel_with(*faults):
    """An Exotel whose vendor-a talks for 20 seconds, under these faults."""
    exotel = Exotel()
    exotel._apps["a.example"] = make_bot(only=BotScript(after=20.0))
    exotel.flow(msgspec.structs.replace(read_plan(PLAN), fault=faults))
    return exotel


def find(placed, what):
    return [entry for entry in placed.trace if entry["what"] == what]


def test_a_stream_breaks_when_its_bot_dies_and_the_next_is_refused_until_it_is_back():
    with exotel_with(Fault(what="bot-dies", bot="vendor-a", after_s=5, for_s=30)) as exotel:
        first = exotel.call()
        first.wait()
        assert find(first, "media")[0]["seconds"] == 5
        assert find(first, "stream")[0]["Status"] == "failed"
        second = exotel.call()
        second.wait()
        assert "connection refused" in find(second, "stream")[0]["Error"]
        exotel.clock.advance(30)
        third = exotel.call()
        third.wait()
        assert find(third, "stream")[0]["Status"] == "completed"


def test_a_bot_of_another_name_or_address_lives_on():
    aimed = Fault(what="bot-dies", bot="wss://b.example/media")
    with exotel_with(aimed) as exotel:
        placed = exotel.call()
        placed.wait()
        assert find(placed, "stream")[0]["Status"] == "completed"


def test_a_fault_that_is_put_in_force_later_breaks_running_streams():
    with exotel_with() as exotel:
        placed = exotel.call()
        exotel.clock.advance(3)
        exotel.do(exotel.exchange.faults.add, Fault(what="bot-dies", bot="wss://a.example/media"))
        placed.wait()
        assert find(placed, "media")[0]["seconds"] == 3
        assert [entry["fault"] for entry in find(placed, "fault")] == ["bot-dies"]


def test_a_hanging_bot_is_silent_and_answers_no_handshake():
    with exotel_with(Fault(what="bot-hangs", bot="vendor-a", after_s=2)) as exotel:
        first = exotel.call(hangs_up_after=15.0)
        first.wait()
        assert find(first, "media")[0]["heard_s"] < 2.5
        second = exotel.call()
        second.wait()
        (stream,) = find(second, "stream")
        assert (stream["Status"], find(second, "dial_failed")[0]["kind"]) == ("failed", "timeout")
