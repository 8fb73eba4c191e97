"""What was recorded of streams, talks and voicemails, and the files it is fetched as."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.sound import recording
from switchhook.emulator.sound.voice import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine

_PHONE_RATE = 8000


class RecordedSound(msgspec.Struct, frozen=True):
    """Something recorded: whose, when it ended by the clock, and its PCM in blocks."""

    line: AccountLine
    ended: float
    rate: int
    blocks: Callable[[], Iterator[bytes]]


FORMATS: dict[str, tuple[Callable[[RecordedSound], bytes], str]] = {
    "mp3": (lambda sound: recording.mp3(sound.blocks(), sound.rate), "audio/mpeg"),
    "wav": (lambda sound: recording.wav(b"".join(sound.blocks()), sound.rate), "audio/wav"),
}
"""By the ending of a file's name: what writes it, and its media type."""


def sound_of(exchange: Exchange, sid: str) -> RecordedSound | None:
    """A stream's recording by its StreamSID, a talk's or a voicemail's by its CallSid."""
    session = exchange.streaming.recordings.get(sid)
    if session is not None:
        ended = session.began + session.seconds
        return RecordedSound(session.call.line, ended, session.rate, session.recorded_blocks)
    call = exchange.calls.get(sid)
    if call is None or call.answered is None or call.ended is None:
        return None
    talk = call.dialled.recording_url if call.dialled is not None else None
    if talk is None and call.voicemail_url is None:
        return None
    start = exchange.clock.start
    began = (call.answered - start).total_seconds()
    ended = (call.ended - start).total_seconds()
    heard = call.heard

    def blocks() -> Iterator[bytes]:
        # Agents say nothing here; what there is to hear is the caller.
        return recording.mix(_PHONE_RATE, ended - began, spoken(heard, began, _PHONE_RATE))

    return RecordedSound(call.line, ended, _PHONE_RATE, blocks)
