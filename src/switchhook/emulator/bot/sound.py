"""How the bot sounds: speech-like, the same at every call."""

from __future__ import annotations

import math
import sys
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEAKING_RATE = 8000
"""Samples a second, where `start` doesn't say."""

SAMPLE_B = 2
MULTIPLE_B = 320
_PHRASE_S = 1.6
_SYLLABLE_S = 0.2
_PEAK = 12_000
_TABLE = 256
_VOWELS = ((730.0, 1090.0), (300.0, 870.0), (530.0, 1840.0), (270.0, 2290.0))
"""First two formants in Hz of the vowels in father, boot, bet and beet (Peterson, Barney 1952)."""


def speech(rate: int, seconds: float, turn: int) -> bytes:
    """Speech-like s16le PCM, mono: syllables of changing vowels under a falling pitch.

    `turn` chooses among four phrases; a longer text repeats its own. The length is rounded to
    whole blocks of 320 B.
    """
    phrase = _phrase(rate, turn % 4)
    size = max(1, round(rate * seconds * SAMPLE_B / MULTIPLE_B)) * MULTIPLE_B
    return (phrase * -(-size // len(phrase)))[:size]


@lru_cache(maxsize=32)
def _phrase(rate: int, variant: int) -> bytes:
    pitch = 110.0 + 12.0 * variant
    syllable = int(rate * _SYLLABLE_S)
    samples = array("h")
    phase = 0.0
    for number in range(round(_PHRASE_S / _SYLLABLE_S)):
        vowel = _period(pitch, (number * 3 + variant) % len(_VOWELS))
        step = _TABLE * pitch / rate * (1.15 - 0.04 * number)
        for at in range(syllable):
            loudness = math.sin(math.pi * at / syllable)
            samples.append(int(vowel[int(phase) % _TABLE] * loudness))
            phase += step
    return _little_endian(samples)


@lru_cache(maxsize=16)
def _period(pitch: float, vowel: int) -> tuple[float, ...]:
    """One period of a voice: harmonics of the pitch, strong near the vowel's formants."""
    weights = [
        (
            number,
            sum(1 / (1 + ((number * pitch - formant) / 120) ** 2) for formant in _VOWELS[vowel]),
        )
        for number in range(1, 24)
    ]
    wave = [
        sum(weight * math.sin(math.tau * number * at / _TABLE) for number, weight in weights)
        for at in range(_TABLE)
    ]
    loudest = max(map(abs, wave))
    return tuple(_PEAK * each / loudest for each in wave)


@lru_cache(maxsize=8)
def beep(rate: int) -> bytes:
    """0.4 s of 880 Hz."""
    step = math.tau * 880 / rate
    return _little_endian(
        array("h", (int(6000 * math.sin(step * at)) for at in range(rate * 2 // 5)))
    )


def _little_endian(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def chunks(audio: bytes, size: int) -> Iterator[bytes]:
    """Pieces of one size; the last is filled up with silence."""
    for at in range(0, len(audio), size):
        yield audio[at : at + size].ljust(size, b"\0")
