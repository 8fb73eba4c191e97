"""What a bot says to Exotel on the WebSocket of Voicebot and Stream applets: texts ↔ values.

See exotel-platform C.3, C.4. Nothing here raises for what comes from outside: what can't be read is
`UnreadableMessage`, and says why. What Exotel says is in `media`.
"""

from __future__ import annotations

import binascii
from typing import Any

import msgspec

from switchhook.exotel.wire.media_json import (
    UnreadableMessage,
    decode_payload,
    object_in,
    parse_message,
    text_in,
)


class BotMedia(msgspec.Struct, frozen=True):
    """Audio of the bot's: decoded PCM; `problems` says what was wrong with the base64."""

    stream_sid: str | None
    payload: bytes
    problems: tuple[str, ...] = ()
    int_numbers: bool = False
    """Whether a number came as a number; Exotel's struct has texts (exotel-platform C.4)."""
    camel_key: bool = False
    """Whether the identifier stands under `streamSid`."""


class BotMark(msgspec.Struct, frozen=True):
    """Tell me when what I sent before has played."""

    stream_sid: str | None
    name: str
    camel_key: bool = False


class BotClear(msgspec.Struct, frozen=True):
    """Drop what has not played."""

    stream_sid: str | None
    camel_key: bool = False


class BotOther(msgspec.Struct, frozen=True):
    """An event that Exotel does not know from bots."""

    event: str


FromBot = BotMedia | BotMark | BotClear | BotOther | UnreadableMessage


def build_bot_media(stream_sid: str, payload: bytes) -> bytes:
    """Audio of a bot's; `payload` is PCM."""
    text = binascii.b2a_base64(payload, newline=False)
    head = b'{"event":"media","stream_sid":' + msgspec.json.encode(stream_sid)
    return head + b',"media":{"payload":"' + text + b'"}}'


def build_bot_mark(stream_sid: str, name: str) -> bytes:
    """A bot's mark."""
    return msgspec.json.encode({"event": "mark", "stream_sid": stream_sid, "mark": {"name": name}})


def build_bot_clear(stream_sid: str) -> bytes:
    """A bot's clear."""
    return msgspec.json.encode({"event": "clear", "stream_sid": stream_sid})


class _FastBody(msgspec.Struct):
    payload: str | None = None
    sequence_number: Any = None
    chunk: Any = None
    timestamp: Any = None


class _FastMedia(msgspec.Struct):
    """The usual message of a bot's, decoded in one step."""

    event: str
    stream_sid: str | None = None
    streamSid: str | None = None  # noqa: N815  Twilio's spelling, which bots use too
    sequence_number: Any = None
    media: _FastBody | None = None


_FAST = msgspec.json.Decoder(_FastMedia)


def read_bot(text: bytes) -> FromBot:
    """A message of the bot's; both key styles, numbers as texts or numbers."""
    try:
        fast = _FAST.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_bot_slowly(text)
    if fast.event != "media" or fast.media is None or fast.media.payload is None:
        return _read_bot_slowly(text)
    body = fast.media
    numbers = (fast.sequence_number, body.sequence_number, body.chunk, body.timestamp)
    ints = any(type(number) is int for number in numbers)
    payload, problem = decode_payload(body.payload or "")
    problems = (problem,) if problem else ()
    camel_key = not fast.stream_sid and fast.streamSid is not None
    return BotMedia(fast.stream_sid or fast.streamSid, payload, problems, ints, camel_key)


def _read_bot_slowly(text: bytes) -> FromBot:
    said = parse_message(text)
    if isinstance(said, UnreadableMessage):
        return said
    event = said.get("event")
    if not isinstance(event, str):
        return UnreadableMessage("no event is named")
    sid, camel_key = text_in(said, "stream_sid"), "stream_sid" not in said and "streamSid" in said
    match event:
        case "media":
            return UnreadableMessage('media without {"media": {"payload": "…"}}')
        case "mark":
            name = text_in(object_in(said, "mark"), "name")
            return (
                UnreadableMessage("a mark without a name")
                if name is None
                else BotMark(sid, name, camel_key)
            )
        case "clear":
            return BotClear(sid, camel_key)
        case _:
            return BotOther(event[:80])
