"""The WebSocket protocol of Voicebot and Stream applets: texts ↔ values, in both directions.

See exotel-platform C.3, C.4, C.7. Exotel's numbers are texts. Nothing here raises for what
comes from outside: what can't be read is `UnreadableMessage`, and says why.
"""

from __future__ import annotations

import binascii
from typing import Any
from urllib.parse import urlsplit

import msgspec

from switchhook.exotel.wire.query import parse_pairs

RATES = (8000, 16000, 24000)
MOST_PARAMETERS = 3
LONGEST_PARAMETERS = 256
"""Characters of all custom parameters together."""


class Style(msgspec.Struct, frozen=True):
    """How Exotel spells: `streamSid` instead of `stream_sid`, numbers instead of texts."""

    camel_keys: bool = False
    int_numbers: bool = False


PLAIN = Style()


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


class UnreadableMessage(msgspec.Struct, frozen=True):
    """A message that isn't one."""

    problem: str


# Exotel to the bot.


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

# The bot to Exotel.


class BotMedia(msgspec.Struct, frozen=True):
    """Audio of the bot's: decoded PCM; `problems` says what was wrong with the base64."""

    stream_sid: str | None
    payload: bytes
    problems: tuple[str, ...] = ()
    int_numbers: bool = False
    """Whether a number came as a number; Exotel's struct has texts (exotel-platform C.4)."""


class BotMark(msgspec.Struct, frozen=True):
    """Tell me when what I sent before has played."""

    stream_sid: str | None
    name: str


class BotClear(msgspec.Struct, frozen=True):
    """Drop what has not played."""

    stream_sid: str | None


class BotOther(msgspec.Struct, frozen=True):
    """An event that Exotel does not know from bots."""

    event: str


FromBot = BotMedia | BotMark | BotClear | BotOther | UnreadableMessage


def build_connected() -> bytes:
    """The first message."""
    return b'{"event":"connected"}'


def build_start(start: Start, style: Style = PLAIN, sequence: int = 1) -> bytes:
    """The second message, which introduces the stream."""
    return _build(
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
                "custom_parameters": _Verbatim(start.custom_parameters),
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
        sequence, sid = _key("sequence_number", style), _key("stream_sid", style)
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
    return _build(
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
    return _build(
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
    return _build({"event": "clear", "stream_sid": stream_sid}, style)


def build_stop(
    stream_sid: str,
    sequence: int,
    call_sid: str,
    account_sid: str,
    reason: str,
    style: Style = PLAIN,
) -> bytes:
    """The stream is over."""
    return _build(
        {
            "event": "stop",
            "sequence_number": sequence,
            "stream_sid": stream_sid,
            "stop": {"call_sid": call_sid, "account_sid": account_sid, "reason": reason},
        },
        style,
    )


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
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_bot_slowly(text)
    if fast.event != "media" or fast.media is None or fast.media.payload is None:
        return _read_bot_slowly(text)
    body = fast.media
    numbers = (fast.sequence_number, body.sequence_number, body.chunk, body.timestamp)
    ints = any(type(number) is int for number in numbers)
    payload, problem = _decoded(body.payload or "")
    problems = (problem,) if problem else ()
    return BotMedia(fast.stream_sid or fast.streamSid, payload, problems, ints)


def _read_bot_slowly(text: bytes) -> FromBot:
    said = _members(text)
    if isinstance(said, UnreadableMessage):
        return said
    event = said.get("event")
    if not isinstance(event, str):
        return UnreadableMessage("no event is named")
    sid = _text(said, "stream_sid")
    match event:
        case "media":
            return UnreadableMessage('media without {"media": {"payload": "…"}}')
        case "mark":
            name = _text(_below(said, "mark"), "name")
            return (
                UnreadableMessage("a mark without a name") if name is None else BotMark(sid, name)
            )
        case "clear":
            return BotClear(sid)
        case _:
            return BotOther(event[:80])


def read_exotel(text: bytes) -> FromExotel:
    """A message of Exotel's, as a bot reads it."""
    said = _members(text)
    if isinstance(said, UnreadableMessage):
        return said
    sid = _text(said, "stream_sid") or ""
    match said.get("event"):
        case "connected":
            return Connected()
        case "start":
            return _read_start(sid, _below(said, "start"))
        case "media":
            body = _below(said, "media")
            payload, problem = _decoded(_text(body, "payload") or "")
            if problem:
                return UnreadableMessage(problem)
            numbers = (
                _int(said, "sequence_number"), _int(body, "chunk"), _int(body, "timestamp"),
            )  # fmt: skip
            return Media(sid, *numbers, payload)
        case "dtmf":
            body = _below(said, "dtmf")
            return Dtmf(sid, _text(body, "digit") or "", _int(body, "duration"))
        case "mark":
            return Mark(sid, _text(_below(said, "mark"), "name") or "")
        case "clear":
            return Clear(sid)
        case "stop":
            body = _below(said, "stop")
            names = ("call_sid", "account_sid", "reason")
            call_sid, account_sid, reason = (_text(body, name) or "" for name in names)
            return Stop(sid, call_sid, account_sid, reason)
        case other:
            return UnreadableMessage(f"an event that Exotel does not send: {str(other)[:80]!r}")


def _read_start(sid: str, body: dict[str, Any]) -> Start:
    shape = _below(body, "media_format")
    custom = _below(body, "custom_parameters")
    return Start(
        stream_sid=sid,
        call_sid=_text(body, "call_sid") or "",
        account_sid=_text(body, "account_sid") or "",
        from_=_text(body, "from") or "",
        to=_text(body, "to") or "",
        custom_parameters={key: str(value) for key, value in custom.items()},
        encoding=_text(shape, "encoding") or "",
        sample_rate=_int(shape, "sample_rate"),
        bit_rate=_text(shape, "bit_rate") or "",
    )


def custom_parameters(url: str) -> tuple[dict[str, str], list[str]]:
    """What of a stream's URL reaches the bot, and what is wrong (exotel-platform C.7)."""
    problems: list[str] = []
    pairs = parse_pairs(urlsplit(url).query.encode(), [])
    own = [(key, value) for key, value in pairs if key != "sample-rate"]
    kept: dict[str, str] = {}
    for key, value in own:
        if len(kept) == MOST_PARAMETERS and key not in kept:
            problems.append(f"more than {MOST_PARAMETERS} custom parameters; {key!r} is left out")
        else:
            kept[key] = value
    length = sum(len(key) + len(value) for key, value in kept.items())
    if length > LONGEST_PARAMETERS:
        problems.append(
            f"custom parameters of {length} characters; all together may have {LONGEST_PARAMETERS}"
        )
    return kept, problems


def sample_rate(url: str) -> tuple[int, str | None]:
    """The rate a stream's URL asks for, else 8000; and what is wrong (exotel-platform G-51)."""
    for key, value in parse_pairs(urlsplit(url).query.encode(), []):
        if key == "sample-rate":
            if value.isascii() and value.isdigit() and len(value) < 6 and int(value) in RATES:
                return int(value), None
            return 8000, f"sample-rate={value[:20]} is none of 8000, 16000, 24000; 8000 is used"
        if key.lower().replace("_", "-") in ("sample-rate", "samplerate"):
            return 8000, f"{key!r} is not how the sample rate is asked for; write sample-rate"
    return 8000, None


# Helpers.


class _Verbatim(dict[str, str]):
    """A table whose keys and values are the operator's: neither style touches them."""


def _build(said: dict[str, Any], style: Style) -> bytes:
    return msgspec.json.encode(_styled(said, style))


def _styled(value: Any, style: Style) -> Any:
    if isinstance(value, _Verbatim):
        return dict(value)
    if isinstance(value, dict):
        return {_key(key, style): _styled(below, style) for key, below in value.items()}
    if isinstance(value, int):
        return value if style.int_numbers else str(value)
    return value


def _key(key: str, style: Style) -> str:
    if not style.camel_keys:
        return key
    first, *rest = key.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _decoded(text: str) -> tuple[bytes, str | None]:
    try:
        return binascii.a2b_base64(text, strict_mode=True), None
    except (binascii.Error, ValueError) as error:
        problem = f"the payload is not base64: {str(error).lower()[:80]}"
    try:
        return binascii.a2b_base64(text + "==="), problem
    except (binascii.Error, ValueError):
        return b"", problem


def _members(text: bytes) -> dict[str, Any] | UnreadableMessage:
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return UnreadableMessage(f"not JSON: {str(error)[:80]}")
    return said if isinstance(said, dict) else UnreadableMessage("JSON, but no object")


def _below(said: dict[str, Any], key: str) -> dict[str, Any]:
    found = said.get(key, said.get(_key(key, Style(camel_keys=True))))
    return found if isinstance(found, dict) else {}


def _text(said: dict[str, Any], key: str) -> str | None:
    found = said.get(key, said.get(_key(key, Style(camel_keys=True))))
    return found if isinstance(found, str) else None


def _int(said: dict[str, Any], key: str) -> int:
    found = said.get(key, said.get(_key(key, Style(camel_keys=True))))
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    digits = "".join(c for c in str(found)[:18] if c in "0123456789")
    return int(digits) if digits else 0
