"""Recordings: what caller and bot said, mixed as they were heard, as WAV or MP3. Pure.

A track is made and encoded block by block, so that an hour of it takes little memory.
"""

from __future__ import annotations

import io
import sys
import wave
from array import array
from collections import deque
from typing import TYPE_CHECKING

import lameenc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_S = 3600.0
BLOCK_S = 10
_KBPS = 32
_FASTEST = 7  # of LAME's qualities, 2 being the best


def mix(rate: int, seconds: float, pieces: Iterable[tuple[float, bytes]]) -> Iterator[bytes]:
    """One track, in blocks, of pieces of 16-bit PCM and the seconds at which each begins.

    Where two sound at once they are added, and cut at full scale; what is before the beginning or
    beyond `seconds` is cut.
    """
    count = int(min(seconds, LONGEST_S) * rate)
    waiting = deque(sorted((round(begin * rate), pcm) for begin, pcm in pieces))
    sounding: list[tuple[int, array[int]]] = []
    for start in range(0, count, BLOCK_S * rate):
        end = min(start + BLOCK_S * rate, count)
        while waiting and waiting[0][0] < end:
            at, pcm = waiting.popleft()
            sounding.append((at, _samples(pcm)))
        block = array("h", bytes(2 * (end - start)))
        for at, samples in sounding:
            _add(block, max(0, at - start), samples[max(0, start - at) : max(0, end - at)])
        sounding = [(at, samples) for at, samples in sounding if at + len(samples) > end]
        yield _little_endian(block).tobytes()


def _add(block: array[int], at: int, samples: array[int]) -> None:
    under = block[at : at + len(samples)]
    if any(under):
        samples = array(
            "h", (max(-32768, min(32767, a + b)) for a, b in zip(samples, under, strict=True))
        )
    block[at : at + len(samples)] = samples


def _samples(pcm: bytes) -> array[int]:
    return _little_endian(array("h", pcm[: len(pcm) // 2 * 2]))


def _little_endian(samples: array[int]) -> array[int]:
    """Samples that came from, or go to, the wire's byte order."""
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def wav(pcm: bytes, rate: int) -> bytes:
    """PCM as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return file.getvalue()


def mp3(blocks: Iterable[bytes], rate: int) -> bytes:
    """Blocks of PCM as MP3, as Exotel keeps recordings."""
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_bit_rate(_KBPS)
    encoder.set_in_sample_rate(rate)
    encoder.set_channels(1)
    encoder.set_quality(_FASTEST)
    encoded = bytearray()
    for block in blocks:
        encoded += encoder.encode(block)
    encoded += encoder.flush()
    return bytes(encoded)
