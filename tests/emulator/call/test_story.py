"""A call's story: what whoever wrote the bot has to know, from a fresh trace or a kept one."""

from __future__ import annotations

import msgspec
import pytest

from switchhook.emulator.call.story import calls_in, story
from switchhook.emulator.net.urls import NO_PASSTHRU

HEAD = {
    "call": "1de0aa4c5b6f4729b8c3d2e1f0a91abo",
    "from": "+919812300045",
    "exophone": "+918047112233",
    "direction": "inbound",
    "created": "2026-11-24T14:20:10+05:30",
}
URL = "ws://127.0.0.1:8765/media"
DIAL = {"t": 0.0, "what": "dial", "applet": "bot", "url": URL, "attempt": 1}
CONNECTED = {"t": 0.0, "what": "dialled_bot", "applet": "bot", "seconds": 0.012}
FIRST = {"t": 0.3, "what": "first_audio", "applet": "bot", "seconds": 0.3}
SOUND = {"t": 0.4, "what": "first_sound", "applet": "bot", "seconds": 0.4}
SHORT = {
    "t": 0.4, "what": "breach", "applet": "bot", "rule": "under-100-ms", "said": "chunks of 320",
    "consequence": "they stutter",
}  # fmt: skip
MEDIA = {
    "t": 9.0, "what": "media", "applet": "bot", "ended_by": "bot", "seconds": 9.0, "heard_s": 4.5,
}  # fmt: skip
CLOSED = {"t": 9.0, "what": "bot_closed", "applet": "bot", "code": 1000}
STREAM = {"t": 9.0, "what": "stream", "applet": "bot", "Status": "completed"}
ENDED = {"t": 9.5, "what": "ended", "by": "flow"}


def told(*entries, explained=None):
    return [(line.label, line.text) for line in story(HEAD, entries, explained)[1:]]


def labelled(lines, label):
    return [text for at, text in lines if at == label]


def test_the_first_line_says_which_call():
    (first,) = story(HEAD, [])
    assert first.label == "14:20:10 IST"
    assert first.text.endswith("45 calls +918047112233, CallSid 1de0aa4c5b6f4729b8c3d2e1f0a91abo")
    assert "98123" not in first.text
    (outbound,) = story(HEAD | {"direction": "outbound"}, [])
    assert outbound.text.startswith("+918047112233 calls ")


def test_a_good_call_is_told_from_set_up_to_end():
    lines = told(DIAL, CONNECTED, FIRST, SOUND, CLOSED, MEDIA, STREAM, ENDED)
    assert lines == [
        ("set-up", f"{URL} connected after 12 ms"),
        ("sound", "first after 400 ms; the caller hears 4.5 s of the bot in 9.0 s"),
        ("end", "the bot hung up (close code 1000) after 9.0 s (completed)"),
        ("call", "the flow ended after 9.5 s"),
    ]


def test_breaches_are_counted_in_each_call_and_explained_once():
    media = MEDIA | {"breaches": {"under-100-ms": 412}}
    explained = set()
    entries = (DIAL, CONNECTED, FIRST, SOUND, SHORT, CLOSED, media, STREAM)
    first = labelled(told(*entries, explained=explained), "breach")
    again = labelled(told(*entries, explained=explained), "breach")
    assert first == ["under-100-ms, 412 times: chunks of 320; they stutter"]
    assert again == ["under-100-ms, 412 times (explained above)"]


@pytest.mark.parametrize(
    "entries, label, words",
    [
        ((DIAL, CONNECTED, MEDIA, STREAM), "sound", "the bot never spoke"),
        ((DIAL, CONNECTED, FIRST, MEDIA, STREAM), "sound", "silence only"),
        (
            (
                DIAL, CONNECTED, FIRST, SOUND, {"t": 9, "what": "cut_off", "seconds": 2.5},
                CLOSED, MEDIA, STREAM,
            ),
            "sound",
            "2.5 s of its own audio still to play",
        ),
        (
            (DIAL, CONNECTED, CLOSED | {"code": 1011, "reason": "boom"}, MEDIA, STREAM),
            "end",
            "1011 (internal error, “boom”)",
        ),
        (
            (DIAL, {"t": 0, "what": "dial_failed", "text": "3009 bad handshake",
                    "advice": "HTTP 404"}, STREAM | {"Status": "failed"}),
            "set-up",
            f"{URL} not connected: HTTP 404",
        ),
        (
            (DIAL, {"t": 0, "what": "dial_failed", "text": "x", "advice": "y"},
             DIAL | {"attempt": 2}, CONNECTED, MEDIA, STREAM),
            "set-up",
            "connected after 12 ms at the second try",
        ),
        (
            ({"t": 0, "what": "throttled", "applet": "bot", "active": 8, "allowed": 8},
             STREAM | {"Status": "failed"}),
            "set-up",
            "no stream was free: 8 of 8",
        ),
        ((STREAM | {"Status": "cancelled"},), "set-up", "the caller left before"),
        (
            (DIAL, CONNECTED, MEDIA | {"ended_by": "caller"}, STREAM),
            "end",
            "the caller hung up after 9.0 s",
        ),
        (({"t": 1, "what": "answer", "applet": "told", "status": 302, "seconds": 0.003},),
         "passthru", "“told”: answered 302 after 3 ms: Option B"),
        (
            ({"t": 1, "what": "passthru", "applet": "told", "url": NO_PASSTHRU, "mode": "sync"},
             {"t": 1, "what": "answer", "applet": "told", "status": 200, "seconds": 0.0}),
            "passthru",
            "“told”: no passthru is named",
        ),
        (
            (DIAL, CONNECTED, CLOSED | {"code": 1006}, MEDIA | {"seconds": 0.2}, STREAM),
            "end",
            "`streamSid` of `start`: Exotel sends `stream_sid`",
        ),
        (({"t": 1, "what": "fault", "fault": "bot-crash"},), "fault",
         "bot-crash, as the plan wants it"),
        (({"t": 1, "what": "warning", "text": "a\x1b[2Jb"},), "warning", "a\ufffd[2Jb"),
    ],
)  # fmt: skip
def test_what_went_otherwise_is_said(entries, label, words):
    lines = told(*entries)
    assert any(words in text for text in labelled(lines, label)), lines
    assert ".invalid" not in str(lines)
    assert "answered 200" not in str(lines)


def test_a_one_way_stream_is_told_when_it_has_ended_without_a_word_on_sound():
    media = MEDIA | {"one_way": True, "ended_by": "stop"}
    lines = told(DIAL, CONNECTED, media, ENDED)
    assert labelled(lines, "set-up") == [f"{URL} connected after 12 ms, one way"]
    assert labelled(lines, "end") == ["the flow stopped the stream after 9.0 s"]
    assert not labelled(lines, "sound")


def test_two_streams_of_a_call_are_told_apart():
    other = {"applet": "second"}
    lines = told(
        DIAL, CONNECTED, FIRST, SOUND, CLOSED, MEDIA, STREAM,
        DIAL | other | {"url": "ws://127.0.0.1:1/"},
        {"t": 0, "what": "dial_failed", "text": "3009 refused"} | other,
        STREAM | other | {"Status": "failed"},
    )  # fmt: skip
    first, second = labelled(lines, "set-up")
    assert "connected after" in first
    assert second == "ws://127.0.0.1:1/ not connected: 3009 refused"


def test_a_trace_that_broke_off_is_told_as_far_as_it_goes():
    lines = told(DIAL, CONNECTED, FIRST, SOUND)
    assert labelled(lines, "end") == ["the stream goes on"]


def test_a_file_may_hold_several_calls():
    lines = [HEAD, ENDED, HEAD | {"call": "b"}, DIAL, {"other": 1}]
    calls = calls_in(msgspec.json.decode(msgspec.json.encode(lines)))
    assert [(head["call"][0], len(entries)) for head, entries in calls] == [("1", 1), ("b", 1)]
    assert calls_in([ENDED]) == []
