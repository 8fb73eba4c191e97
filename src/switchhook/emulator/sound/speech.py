"""What a caller says: tones, WAV files, text, or speech-like sound. 16-bit mono PCM, little-endian.

Pure, and the same bytes for the same arguments.
"""

from __future__ import annotations

import binascii
import io
import math
import random
import sys
import wave
from array import array
from itertools import accumulate, pairwise

from switchhook.errors import SwitchhookError

LOUD = 9000
"""Amplitude of what is said, of 32,767."""

_SYLLABLE_S = (0.09, 0.22)
_PAUSE_S = (0.02, 0.09)
_PITCH_HZ = (110.0, 180.0)
_EDGE_S = 0.015


class SoundError(SwitchhookError):
    """A sound that can't be played."""


def tone(hz: float, seconds: float, rate: int) -> bytes:
    """A sine."""
    step = 2 * math.pi * hz / rate
    return _bytes(array("h", (int(LOUD * math.sin(step * n)) for n in range(int(seconds * rate)))))


def babble(seed: int, seconds: float, rate: int) -> bytes:
    """Speech-like sound: syllables of a few harmonics with pauses between, by seed."""
    chance = random.Random(seed)  # noqa: S311  a voice, not a secret
    samples = array("h")
    wanted = int(seconds * rate)
    while len(samples) < wanted:
        samples.extend(_syllable(chance, rate))
        samples.extend(array("h", bytes(2 * int(chance.uniform(*_PAUSE_S) * rate))))
    return _bytes(samples[:wanted])


def _syllable(chance: random.Random, rate: int) -> array[int]:
    pitch, count = chance.uniform(*_PITCH_HZ), int(chance.uniform(*_SYLLABLE_S) * rate)
    weights = [chance.uniform(0.2, 1.0) / harmonic for harmonic in range(1, 6)]
    total = sum(weights)
    period = max(1, int(rate / pitch))
    # One period, then again and again: a hundred times cheaper than a sine for each sample.
    wave_ = [
        sum(w * math.sin(2 * math.pi * (k + 1) * n / period) for k, w in enumerate(weights))
        * LOUD
        / total
        for n in range(period)
    ]
    edge = max(1, int(_EDGE_S * rate))
    return array(
        "h", (int(wave_[n % period] * min(1.0, n / edge, (count - n) / edge)) for n in range(count))
    )


def read_wav(data: bytes, rate: int) -> bytes:
    """A WAV file of PCM samples, mixed to mono and resampled. Raises SoundError for others."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, own = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise SoundError(f"not a WAV file of PCM samples: {error}") from None
    if not own or not channels:
        raise SoundError("a WAV file without a sample rate or channels")
    samples = _mono(_wide(raw, width), channels)
    return _bytes(samples if own == rate else _resampled(samples, own, rate))


def _wide(raw: bytes, width: int) -> array[int]:
    """Samples of 1 to 4 bytes as 16-bit ones."""
    if width == 1:
        return array("h", ((byte - 128) << 8 for byte in raw))
    if width == 2:
        samples = array("h", raw[: len(raw) // 2 * 2])
        if sys.byteorder == "big":
            samples.byteswap()
        return samples
    # The two highest bytes of each.
    pairs = bytearray(len(raw) // width * 2)
    pairs[0::2], pairs[1::2] = raw[width - 2 :: width], raw[width - 1 :: width]
    return _wide(bytes(pairs), 2)


def _mono(samples: array[int], channels: int) -> array[int]:
    if channels == 1:
        return samples
    lanes = [samples[lane::channels] for lane in range(channels)]
    return array("h", (sum(frame) // channels for frame in zip(*lanes, strict=False)))


def _resampled(samples: array[int], own: int, rate: int) -> array[int]:
    count = len(samples) * rate // own
    if own > rate:
        return _averaged(samples, own, rate, count)
    last = len(samples) - 1
    found = array("h", bytes(2 * count))
    for n in range(count):
        at, rest = divmod(n * own, rate)
        here = samples[at]
        found[n] = here + (samples[min(at + 1, last)] - here) * rest // rate
    return found


def _averaged(samples: array[int], own: int, rate: int, count: int) -> array[int]:
    """Fewer samples, each the mean of those it stands for: picking some would fold hiss in."""
    before = [0, *accumulate(samples)]  # what is summed up before each sample

    def summed(place: int) -> int:
        at, rest = divmod(place, rate)
        return before[at] * rate + (samples[at] * rest if rest else 0)

    sums = [summed(n * own) for n in range(count + 1)]
    return array("h", ((b - a) // own for a, b in pairwise(sums)))


def text_command(text: str, voice: str = "en-in") -> list[str]:
    """The command that speaks a text as WAV on its standard output."""
    return ["espeak-ng", "-v", voice, "--stdout", "--", text]


def frames(pcm: bytes, rate: int, ms: int = 20) -> list[bytes]:
    """PCM in frames of `ms`, each in base64; the last is filled up with silence."""
    size = rate * 2 * ms // 1000
    return [
        binascii.b2a_base64(pcm[at : at + size].ljust(size, b"\0"), newline=False)
        for at in range(0, len(pcm), size)
    ]


def _bytes(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
