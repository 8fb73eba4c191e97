"""What the caller says, as the bot hears it: texts, WAV files and tones, in frames.

Texts are spoken by espeak-ng where it is installed, and are speech-like sound elsewhere. Speaking
takes a few hundredths of a second, once for each text.
"""

from __future__ import annotations

import base64
import math
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.sound import speech
from switchhook.emulator.sound.speech import SoundError

if TYPE_CHECKING:
    from switchhook.emulator.plan.plan import Act, Plan

VOICE = "en-in"
"""espeak-ng's voice, where a plan names none."""

_LONGEST_TEXT = 2000
_PATIENCE_S = 20.0


class Utterance(msgspec.Struct, frozen=True):
    """Something said, and in which of espeak-ng's voices; "" for speech-like sound."""

    act: Act
    voice: str = ""

    @property
    def spoken(self) -> bool:
        """Whether it is a text that espeak-ng ought to speak."""
        return bool(self.voice and self.act.says and not self.act.plays and not self.act.tone_hz)


Heard = list[tuple[float, Utterance]]
"""What a caller said so far, each with its second of the clock."""


def voice_of(plan: Plan) -> str:
    """The voice in which a plan's callers speak."""
    return VOICE if plan.voice is None else plan.voice


def prepare(plan: Plan) -> None:
    """Speak what the plan's callers will say, before there is a call that would have to wait."""
    for caller in plan.caller.values():
        for act in caller.does:
            utterance = Utterance(act, voice_of(plan))
            if utterance.spoken:
                why_not(utterance)


def why_not(utterance: Utterance) -> str | None:
    """Why a text will not be spoken by espeak-ng, in words; None where it will, or is no text."""
    if not utterance.spoken:
        return None
    said = _spoken(utterance.act.says, utterance.voice)
    return said if isinstance(said, str) else None


@lru_cache(maxsize=64)
def _spoken(text: str, voice: str) -> bytes | str:
    """A WAV file, or in words why there is none."""
    program = shutil.which(speech.text_command("")[0])
    if program is None:
        return "espeak-ng is not installed"
    if len(text) > _LONGEST_TEXT:
        return f"a text of more than {_LONGEST_TEXT} characters is not spoken"
    try:
        done = subprocess.run(  # noqa: S603  no shell, and the text follows "--"
            [program, *speech.text_command(text, voice)[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"espeak-ng does not speak: {error}"
    try:
        if done.returncode or not speech.read_wav(done.stdout, 8000):
            said = done.stderr.decode(errors="replace").strip()[:200]
            return f"espeak-ng does not speak: {said or f'exit code {done.returncode}'}"
    except SoundError as error:
        return f"espeak-ng does not speak: {error}"
    return done.stdout


@lru_cache(maxsize=256)
def sound(utterance: Utterance, rate: int, ms: int) -> tuple[bytes, ...]:
    """What an utterance sounds like, in base64 frames. Raises SoundError or OSError."""
    act = utterance.act
    if act.tone_hz:
        pcm = speech.tone(act.tone_hz, act.seconds, rate)
    elif act.plays:
        pcm = speech.read_wav(Path(act.plays).read_bytes(), rate)
    else:
        said = _spoken(act.says, utterance.voice) if utterance.spoken else ""
        pcm = speech.read_wav(said, rate) if isinstance(said, bytes) else _babble(act.says, rate)
    return tuple(speech.frames(pcm, rate, ms))


def _babble(text: str, rate: int) -> bytes:
    """As long as the text would take: about 14 characters a second."""
    return speech.babble(sum(text.encode()), max(0.5, len(text) / 14), rate)


@lru_cache(maxsize=16)
def silent(rate: int, ms: int) -> bytes:
    """A frame of silence, in base64."""
    return speech.frames(bytes(rate * 2 * ms // 1000), rate, ms)[0]


def frame_at(heard: Heard, at: float, rate: int, ms: int) -> bytes:
    """The base64 frame of what the caller says at a moment, or of silence."""
    for began, utterance in reversed(heard):
        if began > at:
            continue
        frames = sound(utterance, rate, ms)
        index = int((at - began) * 1000 + 1e-6) // ms
        return frames[index] if index < len(frames) else silent(rate, ms)
    return silent(rate, ms)


def spoken(heard: Heard, began: float, rate: int) -> list[tuple[float, bytes]]:
    """What the caller said as PCM, each with its second after `began`.

    Whoever says something new stops what they were saying, as the bot hears it too.
    """
    pieces: list[tuple[float, bytes]] = []
    until = math.inf
    for at, utterance in reversed(heard):
        pcm = b"".join(map(base64.b64decode, sound(utterance, rate, 20)))
        samples = min(len(pcm) // 2, (until - at) * rate)
        pieces.append((at - began, pcm[: 2 * int(samples)]))
        until = at
    return pieces
