"""What Exotel says on the WebSocket of Voicebot and Stream applets: texts ↔ values.

See exotel-platform C.3, C.4. Nothing here raises for what comes from outside: what can't be read is
`UnreadableMessage`, and says why. What the bot says is in `bot_media`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from switchhook.exotel.wire.media_json import (
    PLAIN,
    Style,
    UnreadableMessage,
    Verbatim,
    build_message,
    decode_payload,
    int_in,
    object_in,
    parse_message,
    spelt,
    text_in,
)


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What `start` says. Numbers of telephones as Exotel writes them; the rate in Hz."""

    stream_sid: str
    call_sid: str
    account_sid: str
    from_: str
    to: str
    custom_parameters: dict[str, str] = {}
    encoding: str = "base64"
    sample_rate: int = 8000
    bit_rate: str = "128kbps"


class Connected(msgspec.Struct, frozen=True):
    """The first message."""


class Media(msgspec.Struct, frozen=True):
    """A frame of the caller's audio: PCM bytes, and milliseconds from the stream's start."""

    stream_sid: str
    sequence: int
    chunk: int
    timestamp_ms: int
    payload: bytes


class Dtmf(msgspec.Struct, frozen=True):
    """A key that the caller pressed."""

    stream_sid: str
    digit: str
    duration_ms: int


class Mark(msgspec.Struct, frozen=True):
    """The audio before the bot's mark of that name has played."""

    stream_sid: str
    name: str


class Clear(msgspec.Struct, frozen=True):
    """Named by the pages as coming from Exotel too, with no meaning told."""

    stream_sid: str


class Stop(msgspec.Struct, frozen=True):
    """The stream is over: reason `stopped` or `callended`."""

    stream_sid: str
    call_sid: str
    account_sid: str
    reason: str


FromExotel = Connected | Start | Media | Dtmf | Mark | Clear | Stop | UnreadableMessage


def build_connected() -> bytes:
    """The first message."""
    return b'{"event":"connected"}'


def build_start(start: Start, style: Style = PLAIN, sequence: int = 1) -> bytes:
    """The second message, which introduces the stream."""
    return build_message(
        {
            "event": "start",
            "sequence_number": sequence,
            "stream_sid": start.stream_sid,
            "start": {
                "stream_sid": start.stream_sid,
                "call_sid": start.call_sid,
                "account_sid": start.account_sid,
                "from": start.from_,
                "to": start.to,
                "custom_parameters": Verbatim(start.custom_parameters),
                "media_format": {
                    "encoding": start.encoding,
                    "sample_rate": start.sample_rate,
                    "bit_rate": start.bit_rate,
                },
            },
        },
        style,
    )


class MediaWriter:
    """Builds one stream's `media`: 25,000 a second are written, so only what changes is made."""

    def __init__(self, stream_sid: str, style: Style = PLAIN) -> None:
        quote = "" if style.int_numbers else '"'
        sequence, sid = spelt("sequence_number", style), spelt("stream_sid", style)
        self._head = f'{{"event":"media","{sid}":"{stream_sid}","{sequence}":{quote}'
        self._chunk = f'{quote},"media":{{"chunk":{quote}'
        self._timestamp = f'{quote},"timestamp":{quote}'
        self._payload = f'{quote},"payload":"'

    def media(self, sequence: int, chunk: int, timestamp_ms: int, payload: bytes) -> bytes:
        """One message; `payload` is base64 already."""
        head = (
            f"{self._head}{sequence}{self._chunk}{chunk}{self._timestamp}{timestamp_ms}"
            f"{self._payload}"
        )
        return head.encode() + payload + b'"}}'


def build_dtmf(
    stream_sid: str, sequence: int, digit: str, duration_ms: int, style: Style = PLAIN
) -> bytes:
    """A key was pressed."""
    return build_message(
        {
            "event": "dtmf",
            "sequence_number": sequence,
            "stream_sid": stream_sid,
            "dtmf": {"duration": duration_ms, "digit": digit},
        },
        style,
    )


def build_mark(stream_sid: str, sequence: int, name: str, style: Style = PLAIN) -> bytes:
    """A mark of the bot's has played."""
    return build_message(
        {
            "event": "mark",
            "sequence_number": sequence,
            "stream_sid": stream_sid,
            "mark": {"name": name},
        },
        style,
    )


def build_clear(stream_sid: str, style: Style = PLAIN) -> bytes:
    """Exotel's own `clear`."""
    return build_message({"event": "clear", "stream_sid": stream_sid}, style)


def build_stop(
    stream_sid: str,
    sequence: int,
    call_sid: str,
    account_sid: str,
    reason: str,
    style: Style = PLAIN,
) -> bytes:
    """The stream is over."""
    return build_message(
        {
            "event": "stop",
            "sequence_number": sequence,
            "stream_sid": stream_sid,
            "stop": {"call_sid": call_sid, "account_sid": account_sid, "reason": reason},
        },
        style,
    )


def read_exotel(text: bytes) -> FromExotel:
    """A message of Exotel's, as a bot reads it."""
    said = parse_message(text)
    if isinstance(said, UnreadableMessage):
        return said
    sid = text_in(said, "stream_sid") or ""
    match said.get("event"):
        case "connected":
            return Connected()
        case "start":
            return _read_start(sid, object_in(said, "start"))
        case "media":
            body = object_in(said, "media")
            payload, problem = decode_payload(text_in(body, "payload") or "")
            if problem:
                return UnreadableMessage(problem)
            numbers = (
                int_in(said, "sequence_number"), int_in(body, "chunk"), int_in(body, "timestamp"),
            )  # fmt: skip
            return Media(sid, *numbers, payload)
        case "dtmf":
            body = object_in(said, "dtmf")
            return Dtmf(sid, text_in(body, "digit") or "", int_in(body, "duration"))
        case "mark":
            return Mark(sid, text_in(object_in(said, "mark"), "name") or "")
        case "clear":
            return Clear(sid)
        case "stop":
            body = object_in(said, "stop")
            names = ("call_sid", "account_sid", "reason")
            call_sid, account_sid, reason = (text_in(body, name) or "" for name in names)
            return Stop(sid, call_sid, account_sid, reason)
        case other:
            return UnreadableMessage(f"an event that Exotel does not send: {str(other)[:80]!r}")


def _read_start(sid: str, body: dict[str, Any]) -> Start:
    shape = object_in(body, "media_format")
    custom = object_in(body, "custom_parameters")
    return Start(
        stream_sid=sid,
        call_sid=text_in(body, "call_sid") or "",
        account_sid=text_in(body, "account_sid") or "",
        from_=text_in(body, "from") or "",
        to=text_in(body, "to") or "",
        custom_parameters={key: str(value) for key, value in custom.items()},
        encoding=text_in(shape, "encoding") or "",
        sample_rate=int_in(shape, "sample_rate"),
        bit_rate=text_in(shape, "bit_rate") or "",
    )
