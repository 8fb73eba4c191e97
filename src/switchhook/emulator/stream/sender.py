"""What Exotel says to a bot over a stream, numbered in order (exotel-platform C.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.net.urls import shown_parameters
from switchhook.exotel.wire import media
from switchhook.exotel.wire.media_json import Style

if TYPE_CHECKING:
    from switchhook.emulator.call.trace import Trace
    from switchhook.emulator.net.media_link import MediaLink

_DTMF_MS = 160


class MessageSender:
    """Numbers and sends the messages of one stream, and notes them in the call's trace."""

    def __init__(self, link: MediaLink, trace: Trace, sid: str, style: Style) -> None:
        self._link, self._trace, self._sid, self._style = link, trace, sid, style
        self._writer = media.MediaWriter(sid, style)
        self._sequence = 1

    def start(self, start: media.Start) -> None:
        """Introduce the stream."""
        self._send(media.build_connected())
        self._link.send(media.build_start(start, self._style, self._sequence))
        kept = msgspec.structs.replace(
            start, custom_parameters=shown_parameters(start.custom_parameters)
        )
        text = media.build_start(kept, self._style, self._sequence)
        self._trace.note("sent", text=text.decode())

    def frame(self, chunk: int, elapsed_ms: int, payload: bytes) -> None:
        """What the caller says: the `chunk`-th frame, from 1; `payload` is base64."""
        self._sequence += 1
        text = self._writer.media(self._sequence, chunk, elapsed_ms, payload)
        self._link.send(text)
        if self._trace.media:
            self._trace.note_media("sent", text)

    def mark(self, name: str) -> None:
        """Send a mark of the bot's back."""
        self._sequence += 1
        self._send(media.build_mark(self._sid, self._sequence, name, self._style))

    def dtmf(self, digit: str) -> None:
        """Tell of a key that the caller pressed."""
        self._sequence += 1
        self._send(media.build_dtmf(self._sid, self._sequence, digit, _DTMF_MS, self._style))

    def stop(self, call_sid: str, account_sid: str, reason: str) -> None:
        """Say that the stream is over; `reason` is Exotel's word for why."""
        self._sequence += 1
        stop = media.build_stop(
            self._sid, self._sequence, call_sid, account_sid, reason, self._style
        )
        self._send(stop)

    def _send(self, text: bytes) -> None:
        self._link.send(text)
        self._trace.note("sent", text=text.decode())
