"""What bots say: every message built is read, and nothing a bot sends raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.bot_media import (
    BotClear,
    BotMark,
    BotMedia,
    BotOther,
    build_bot_clear,
    build_bot_mark,
    build_bot_media,
    read_bot,
)
from switchhook.exotel.wire.media_json import UnreadableMessage

TEXT = st.text(max_size=30)


@given(TEXT, st.binary(max_size=700), TEXT)
def test_a_bots_messages_are_read_as_built(sid, pcm, name):
    assert read_bot(build_bot_media(sid, pcm)) == BotMedia(sid or None, pcm)
    assert read_bot(build_bot_mark(sid, name)) == BotMark(sid, name)
    assert read_bot(build_bot_clear(sid)) == BotClear(sid)


@pytest.mark.parametrize(
    "text, said",
    [
        (
            b'{"event":"media","streamSid":"x","media":{"payload":"AAAA"}}',
            BotMedia("x", b"\0" * 3, camel_key=True),
        ),
        (b'{"event":"media","media":{"payload":"AAAA"}}', BotMedia(None, b"\0" * 3)),
        (
            b'{"event":"media","sequence_number":3,"media":{"payload":"AAAA","chunk":1}}',
            BotMedia(None, b"\0" * 3, (), int_numbers=True),
        ),
        (b'{"event":"clear","streamSid":"x"}', BotClear("x", camel_key=True)),
        (b'{"event":"mark","streamSid":"x","mark":{"name":"m"}}', BotMark("x", "m", True)),
        (b'{"event":"mark","stream_sid":"x","mark":{"name":"m"}}', BotMark("x", "m")),
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


@given(st.sampled_from(["media", "mark", "clear", "start", "stop", "dtmf"]), JSON)
def test_nothing_raises_below_a_known_event(event, value):
    text = json.dumps({"event": event, event: value, "stream_sid": value}).encode()
    read_bot(text)


def test_deep_nesting_is_unreadable():
    assert isinstance(read_bot(b"[" * 100_000), UnreadableMessage)
    media = b'{"event":"media","media":{"payload":"","chunk":' + b"[" * 100_000
    assert isinstance(read_bot(media), UnreadableMessage)
