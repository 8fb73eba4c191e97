"""Mu-law is told from 16-bit PCM by its sound, and nothing else is taken for it."""

from __future__ import annotations

import random
from array import array

import pytest

from switchhook.emulator.bot.sound import speech
from switchhook.emulator.sound.mu_law import ENOUGH_B, is_mu_law
from switchhook.emulator.sound.speech import babble, tone


def encoded(pcm):
    """As G.711 says it, from its table of segments: 16-bit samples in native order to codes."""
    codes = bytearray()
    for sample in array("h", pcm):
        size = min(abs(sample), 32635) + 0x84
        segment = size.bit_length() - 8
        code = segment << 4 | (size >> segment + 3 & 0x0F) | (0x80 if sample < 0 else 0)
        codes.append(~code & 0xFF)
    return bytes(codes)


def noise(seed):
    chance = random.Random(seed)
    return array("h", (chance.randrange(-9000, 9000) for _ in range(16_000))).tobytes()


def windows(sound):
    return [sound[at : at + ENOUGH_B] for at in range(0, len(sound) - ENOUGH_B + 1, ENOUGH_B)]


VOICES = [
    *(speech(rate, 2, turn) for rate in (8000, 16_000, 24_000) for turn in range(4)),
    *(babble(seed, 2, 8000) for seed in range(4)),
]


def test_the_codes_of_g_711():
    """Silence, the loudest, and the steps between, by its table 2a."""
    assert encoded(array("h", [0, 32124, -32124, 8, -8]).tobytes()).hex() == "ff8000fe7e"


@pytest.mark.parametrize("pcm", VOICES)
def test_a_voice_is_told(pcm):
    assert any(is_mu_law(each) for each in windows(encoded(pcm))[:2])
    assert not any(is_mu_law(each) for each in windows(pcm))


@pytest.mark.parametrize(
    "pcm",
    [*(tone(hz, 1, 8000) for hz in (100, 440, 1000, 2000, 3000, 3900)), noise(1), bytes(8000)],
)
def test_tones_noise_and_silence_of_pcm_are_not_mu_law(pcm):
    assert not any(is_mu_law(each) for each in windows(pcm))


@pytest.mark.parametrize("sound", [b"", b"\0", encoded(bytes(8000)), encoded(noise(2))])
def test_what_can_not_be_told_is_not_said(sound):
    assert not is_mu_law(sound)
