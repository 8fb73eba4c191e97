"""How the bot notices that the caller speaks."""

from __future__ import annotations

import sys
from array import array
from typing import Literal

from switchhook.emulator.bot.sound import SAMPLE_B


class VoiceActivity:
    """Notices when the caller begins to speak and when they have finished."""

    LOUD = 500
    """Mean deviation of samples from which a frame counts as speech; line noise stays below."""

    BEGIN_S = 0.06
    END_S = 0.6
    _EVERY = 8  # samples; enough to tell speech from silence, and an eighth of the work

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._loud_s = self._quiet_s = 0.0
        self.speaking = False

    def hear(self, payload: bytes) -> Literal["began", "finished"] | None:
        """Take one frame of s16le PCM; say what changed with it."""
        samples = array("h", payload[: len(payload) // SAMPLE_B * SAMPLE_B])
        if not samples:
            return None
        if sys.byteorder == "big":
            samples.byteswap()
        some = samples[:: self._EVERY]
        seconds = len(samples) / self._rate
        if sum(map(abs, some)) >= self.LOUD * len(some):
            self._loud_s, self._quiet_s = self._loud_s + seconds, 0.0
        else:
            self._loud_s, self._quiet_s = 0.0, self._quiet_s + seconds
        if not self.speaking and self._loud_s >= self.BEGIN_S:
            self.speaking = True
            return "began"
        if self.speaking and self._quiet_s >= self.END_S:
            self.speaking = False
            return "finished"
        return None
