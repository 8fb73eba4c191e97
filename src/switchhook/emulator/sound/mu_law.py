"""Whether bytes are mu-law (ITU-T G.711), which is 8 bits a sample, in place of 16-bit PCM.

Sound is smooth: a sample is near the one before it. Bytes that are smoother when they are read as
mu-law are mu-law; read as 16-bit PCM they are noise. Speech, babble and noise of either kind, at 8
to 24 kHz, are at least a third away from the bounds here.
"""

from __future__ import annotations

import sys
from array import array
from itertools import pairwise

ENOUGH_B = 4000
"""Bytes of sound by which it can be told: half a second of mu-law at 8 kHz."""
_SMOOTHER, _SMOOTH = 1.4, 1.2  # white noise has a roughness of 2, in either reading
_FEWEST = 32  # a tone of few values repeats itself in either reading, and is left alone


def _linear(code: int) -> int:
    """The sample of a code, of 14 bits and a sign, as G.711 has it."""
    code = ~code & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -size if code & 0x80 else size


_LINEAR = tuple(_linear(code) for code in range(256))


def is_mu_law(sound: bytes) -> bool:
    """Whether this is much smoother as mu-law than as 16-bit PCM; a beep can't be told."""
    if len(set(sound)) < _FEWEST:
        return False
    pcm = array("h", sound[: len(sound) // 2 * 2])
    if sys.byteorder == "big":
        pcm.byteswap()
    rough = _roughness([_LINEAR[code] for code in sound])
    return rough < _SMOOTH and _roughness(pcm) > _SMOOTHER * rough


def _roughness(samples: array[int] | list[int]) -> float:
    """How far samples are from the ones before them, of how large they are; 0 for silence."""
    power = sum(sample * sample for sample in samples)
    return sum((b - a) ** 2 for a, b in pairwise(samples)) / power if power else 0.0
