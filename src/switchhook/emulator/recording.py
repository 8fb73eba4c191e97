"""Recordings: what caller and bot said, mixed as they were heard, as WAV or MP3. Pure."""

from __future__ import annotations

import io
import sys
import wave
from array import array
from typing import TYPE_CHECKING

import lameenc

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_S = 3600.0
_KBPS = 32
_FASTEST = 7  # of LAME's qualities, 2 being the best


def mix(rate: int, seconds: float, pieces: Iterable[tuple[float, bytes]]) -> bytes:
    """One track of 16-bit PCM from pieces and the seconds at which each begins.

    Where two sound at once they are added, and cut at full scale; what is beyond `seconds` is cut.
    """
    count = int(min(seconds, LONGEST_S) * rate)
    track = array("h", bytes(2 * count))
    for begin, pcm in pieces:
        at = max(0, int(begin * rate))
        piece = array("h", pcm[: len(pcm) // 2 * 2])[: max(0, count - at)]
        under = track[at : at + len(piece)]
        if any(under):
            piece = array(
                "h",
                (max(-32768, min(32767, a + b)) for a, b in zip(piece, under, strict=True)),
            )
        track[at : at + len(piece)] = piece
    if sys.byteorder == "big":
        track.byteswap()
    return track.tobytes()


def wav(pcm: bytes, rate: int) -> bytes:
    """PCM as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return file.getvalue()


def mp3(pcm: bytes, rate: int) -> bytes:
    """PCM as MP3, as Exotel keeps recordings."""
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_bit_rate(_KBPS)
    encoder.set_in_sample_rate(rate)
    encoder.set_channels(1)
    encoder.set_quality(_FASTEST)
    return bytes(encoder.encode(pcm) + encoder.flush())
