"""The messages of a stream: numbered without a gap, and noted as they were sent."""

from __future__ import annotations

import asyncio
import base64
import json

from switchhook.emulator.call.trace import Trace
from switchhook.emulator.clock import VIRTUAL_START, Clock
from switchhook.emulator.stream.sender import MessageSender
from switchhook.exotel.wire import media

PAYLOAD = base64.b64encode(bytes(320))


class Link:
    backlog = 0

    def __init__(self):
        self.sent = []

    def send(self, text):
        self.sent.append(json.loads(text))

    def close(self, code=1000, reason=""):
        raise AssertionError("a sender leaves that to others")


def sent(*, keep_media):
    with asyncio.Runner() as runner:
        clock = Clock(runner.get_loop(), VIRTUAL_START)
        trace = Trace(clock, {}, media=keep_media, watch=lambda *_: None)
        link = Link()
        sender = MessageSender(link, trace, "s1", media.Style())
        sender.start(
            media.Start(
                stream_sid="s1",
                call_sid="c1",
                account_sid="acme",
                from_="09811100001",
                to="08047112233",
                custom_parameters={},
                sample_rate=8000,
                bit_rate="128kbps",
            )
        )
        sender.frame(1, 0, PAYLOAD)
        sender.mark("hello")
        sender.dtmf("5")
        sender.frame(2, 20, PAYLOAD)
        sender.stop("c1", "acme", "callended")
        return link.sent, trace


def test_messages_are_numbered_without_a_gap():
    messages, _ = sent(keep_media=True)
    events = [message["event"] for message in messages]
    assert events == ["connected", "start", "media", "mark", "dtmf", "media", "stop"]
    numbers = [int(message["sequence_number"]) for message in messages[1:]]
    assert numbers == [1, 2, 3, 4, 5, 6]
    chunks = [int(m["media"]["chunk"]) for m in messages if m["event"] == "media"]
    assert chunks == [1, 2]


def test_the_trace_has_what_was_sent_and_media_where_they_are_kept():
    messages, trace = sent(keep_media=True)
    assert [json.loads(entry["text"]) for entry in trace.find("sent")] == messages
    _, trace = sent(keep_media=False)
    assert [json.loads(entry["text"])["event"] for entry in trace.find("sent")] == [
        "connected",
        "start",
        "mark",
        "dtmf",
        "stop",
    ]
