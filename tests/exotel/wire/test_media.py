"""The media protocol: every message of Exotel's is read as built, and nothing raises."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire import media
from switchhook.exotel.wire.media import (
    Clear,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaWriter,
    Start,
    Stop,
    read_exotel,
)
from switchhook.exotel.wire.media_json import Style

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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT, below, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_raises(text):
    read_exotel(text)


@given(st.sampled_from(["media", "mark", "clear", "start", "stop", "dtmf"]), JSON)
def test_nothing_raises_below_a_known_event(event, value):
    text = json.dumps({"event": event, event: value, "stream_sid": value}).encode()
    read_exotel(text)
