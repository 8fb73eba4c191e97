"""The protocol from the bot's side: what it hears, and what it says.

Names come in both styles: `stream_sid`, and `streamSid` (exotel-platform G.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from switchhook.emulator.bot.sound import SAMPLE_B, SPEAKING_RATE

if TYPE_CHECKING:
    from switchhook.emulator.net.asgi import Message, Receive, Send


class _Media(msgspec.Struct, frozen=True):
    payload: bytes


class _Mark(msgspec.Struct, frozen=True):
    name: str


class _Dtmf(msgspec.Struct, frozen=True):
    digit: str


class Heard(msgspec.Struct, frozen=True):
    event: str
    start: dict[str, Any] | None = None
    media: _Media | None = None
    mark: _Mark | None = None
    dtmf: _Dtmf | None = None
    stream_sid: str | None = None
    streamSid: str | None = None  # noqa: N815 - as it is on the wire


class _Format(msgspec.Struct, frozen=True):
    sample_rate: Annotated[int, msgspec.Meta(ge=4000, le=48_000)] = SPEAKING_RATE


class Start(msgspec.Struct, frozen=True):
    stream_sid: str
    custom_parameters: dict[str, str] = msgspec.field(default_factory=dict)
    media_format: _Format = _Format()


_heard = msgspec.json.Decoder(Heard)


def read_start(heard: Heard) -> Start:
    """Raises msgspec.ValidationError where something isn't as documented."""
    sid = heard.stream_sid or heard.streamSid
    return msgspec.convert({"stream_sid": sid} | _snake(heard.start or {}), Start, strict=False)


def _snake(value: Any) -> Any:
    """The same with the keys of the documented style; custom parameters keep theirs."""
    if not isinstance(value, dict):
        return value
    return {
        new: each if new == "custom_parameters" else _snake(each)
        for key, each in value.items()
        for new in ["".join(f"_{c.lower()}" if c.isupper() else c for c in key)]
    }


class BotConnection:
    """What is said to Exotel, numbered; numbers are texts (exotel-platform C.4)."""

    def __init__(self, send: Send, stream_sid: str, rate: int) -> None:
        self._send, self._sid, self._rate = send, stream_sid, rate
        self._sequence = self._chunks = self._sent_b = 0

    async def media(self, audio: bytes, *, stream_sid: str = "", payload: str = "") -> None:
        """Send a chunk; the other two replace what is right."""
        self._chunks += 1
        await self._message(
            "media",
            stream_sid or self._sid,
            {
                "chunk": str(self._chunks),
                "timestamp": str(self._sent_b * 1000 // (SAMPLE_B * self._rate)),
                "payload": payload or audio,
            },
        )
        self._sent_b += len(audio)

    async def mark(self, name: str) -> None:
        """Ask to be told when what was sent has been played."""
        await self._message("mark", self._sid, {"name": name})

    async def clear(self) -> None:
        """Take back what hasn't been played."""
        await self._message("clear", self._sid, None)

    async def binary(self, data: bytes) -> None:
        """Send what no bot should."""
        await self._send({"type": "websocket.send", "bytes": data})

    async def text(self, text: str) -> None:
        """Send a text frame as it is."""
        await self._send({"type": "websocket.send", "text": text})

    async def _message(self, event: str, sid: str, body: Any) -> None:
        self._sequence += 1
        message = {"event": event, "sequence_number": str(self._sequence), "stream_sid": sid}
        if body is not None:
            message[event] = body
        await self.text(msgspec.json.encode(message).decode())


async def started(receive: Receive) -> Start | None:
    """Wait for `start`, which comes after `connected`; None if the connection ends before."""
    while (message := await receive())["type"] != "websocket.disconnect":
        heard = decode(message)
        if heard.event == "start":
            return read_start(heard)
    return None


def decode(message: Message) -> Heard:
    """Raises msgspec.DecodeError for what isn't a message of Exotel's."""
    return _heard.decode(message.get("text") or message.get("bytes") or b"")
