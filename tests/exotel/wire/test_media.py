"""The media protocol: every message built is read, and nothing a bot sends raises."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire import media
from switchhook.exotel.wire.media import (
    BotClear,
    BotMark,
    BotMedia,
    BotOther,
    Clear,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaWriter,
    Start,
    Stop,
    Style,
    UnreadableMessage,
    custom_parameters,
    read_bot,
    read_exotel,
    sample_rate,
)

SID = "ab" * 14 + "1a15"
STYLES = st.builds(Style, camel_keys=st.booleans(), int_numbers=st.booleans())
TEXT = st.text(max_size=30)
NUMBER = st.integers(0, 10**9)


@given(STYLES, TEXT, TEXT, NUMBER, st.dictionaries(TEXT, TEXT, max_size=3))
def test_what_is_built_is_read(style, one, two, number, custom):
    start = Start(
        stream_sid=SID, call_sid=one, account_sid=two, from_=one, to=two, custom_parameters=custom
    )
    assert read_exotel(media.build_start(start, style)) == start
    assert read_exotel(media.build_dtmf(SID, 2, "5", number, style)) == Dtmf(SID, "5", number)
    assert read_exotel(media.build_mark(SID, 3, one, style)) == Mark(SID, one)
    assert read_exotel(media.build_clear(SID, style)) == Clear(SID)
    assert read_exotel(media.build_stop(SID, 4, one, two, "stopped", style)) == Stop(
        SID, one, two, "stopped"
    )
    assert read_exotel(media.build_connected()) == Connected()


@given(STYLES, NUMBER, NUMBER, NUMBER, st.binary(max_size=700))
def test_media_is_read_as_written(style, sequence, chunk, timestamp, pcm):
    text = MediaWriter(SID, style).media(sequence, chunk, timestamp, base64.b64encode(pcm))
    assert read_exotel(text) == Media(SID, sequence, chunk, timestamp, pcm)
    kind = int if style.int_numbers else str
    assert isinstance(json.loads(text)["media"]["chunk"], kind)


def test_the_documented_spelling():
    assert (
        MediaWriter(SID).media(2, 1, 0, b"AAAA")
        == (
            f'{{"event":"media","stream_sid":"{SID}","sequence_number":"2",'
            '"media":{"chunk":"1","timestamp":"0","payload":"AAAA"}}'
        ).encode()
    )
    start = media.build_start(
        Start(stream_sid=SID, call_sid="c", account_sid="a", from_="0981", to="0804"),
        Style(camel_keys=True),
    )
    assert json.loads(start)["start"]["mediaFormat"] == {
        "encoding": "base64", "sampleRate": "8000", "bitRate": "128kbps"
    }  # fmt: skip


@given(TEXT, st.binary(max_size=700), TEXT)
def test_a_bots_messages_are_read_as_built(sid, pcm, name):
    assert read_bot(media.build_bot_media(sid, pcm)) == BotMedia(sid or None, pcm)
    assert read_bot(media.build_bot_mark(sid, name)) == BotMark(sid, name)
    assert read_bot(media.build_bot_clear(sid)) == BotClear(sid)


@pytest.mark.parametrize(
    "text, said",
    [
        (b'{"event":"media","streamSid":"x","media":{"payload":"AAAA"}}', BotMedia("x", b"\0" * 3)),
        (b'{"event":"media","media":{"payload":"AAAA"}}', BotMedia(None, b"\0" * 3)),
        (
            b'{"event":"media","sequence_number":3,"media":{"payload":"AAAA","chunk":1}}',
            BotMedia(None, b"\0" * 3, (), int_numbers=True),
        ),
        (b'{"event":"clear","streamSid":"x"}', BotClear("x")),
        (b'{"event":"mark","mark":{}}', UnreadableMessage("a mark without a name")),
        (b'{"event":"media"}', UnreadableMessage('media without {"media": {"payload": "\u2026"}}')),
        (b'{"event":"hangup"}', BotOther("hangup")),
        (b'{"type":"media"}', UnreadableMessage("no event is named")),
        (b"[1]", UnreadableMessage("JSON, but no object")),
    ],
)
def test_what_bots_in_the_wild_send(text, said):
    assert read_bot(text) == said


@pytest.mark.parametrize("payload", ["AAA", "A-_A", "AA AA", "\u00e9"])
def test_wrong_base64_is_told_and_played_as_far_as_it_goes(payload):
    said = read_bot(json.dumps({"event": "media", "media": {"payload": payload}}).encode())
    assert isinstance(said, BotMedia)
    assert said.problems


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT, below, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_raises(text):
    read_bot(text)
    read_exotel(text)


@given(st.sampled_from(["media", "mark", "clear", "start", "stop", "dtmf"]), JSON)
def test_nothing_raises_below_a_known_event(event, value):
    text = json.dumps({"event": event, event: value, "stream_sid": value}).encode()
    read_bot(text)
    read_exotel(text)


def test_deep_nesting_is_unreadable():
    assert isinstance(read_bot(b"[" * 100_000), UnreadableMessage)


@pytest.mark.parametrize(
    "url, kept, problem",
    [
        ("wss://b/m", {}, ""),
        ("wss://b/m?a=1&b=2&c=3&sample-rate=16000", {"a": "1", "b": "2", "c": "3"}, ""),
        ("wss://b/m?abc", {"abc": ""}, ""),
        ("wss://b/m?a=1&b=2&c=3&d=4", {"a": "1", "b": "2", "c": "3"}, "'d' is left out"),
        ("wss://b/m?a=" + "x" * 256, {"a": "x" * 256}, "257 characters"),
    ],
)
def test_custom_parameters_and_their_limits(url, kept, problem):
    found, problems = custom_parameters(url)
    assert found == kept
    assert (problem in problems[0]) if problem else not problems


@pytest.mark.parametrize(
    "query, rate, warned",
    [
        ("", 8000, False),
        ("?sample-rate=16000", 16000, False),
        ("?x=1&sample-rate=24000", 24000, False),
        ("?sample-rate=44100", 8000, True),
        ("?sample-rate=fast", 8000, True),
        ("?sample_rate=16000", 8000, True),
        ("?sampleRate=16000", 8000, True),
    ],
)
def test_the_sample_rate_of_a_url(query, rate, warned):
    found, problem = sample_rate(f"wss://b/m{query}")
    assert (found, problem is not None) == (rate, warned)
