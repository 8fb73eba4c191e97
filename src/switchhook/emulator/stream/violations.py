"""Rules of the media protocol that a bot broke, and what a caller hears of it.

The rules are Exotel's (exotel-platform C.4, C.5); what is sent is played as well as it can be.
Each rule is reported when it is first broken, and counted after that.
"""

from __future__ import annotations

import msgspec

LEAST = 3200
MOST = 100_000
MULTIPLE = 320
BURST_S = 5.0
"""Audio queued beyond this is a burst, which goes with hang-ups (exotel-platform F.1-28)."""


class Violation(msgspec.Struct, frozen=True):
    """A rule, what was sent instead, and the consequence for the caller, in words."""

    rule: str
    said: str
    consequence: str


class ViolationWatch:
    """One stream's rules; `counts` has how often each was broken."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self.counts: dict[str, int] = {}

    def chunk(self, size: int, ahead_s: float, *, int_numbers: bool = False) -> list[Violation]:
        """Look at a chunk of `size` bytes that came `ahead_s` before its turn to play."""
        if size % MULTIPLE == 0 and LEAST <= size <= MOST and ahead_s <= BURST_S:
            return self._numbers() if int_numbers else []
        found = [
            self._note(
                "odd-length",
                size % 2 == 1,
                f"a chunk of {size} bytes, half a sample over",
                "from here on the samples are torn apart: loud noise",
            ),
            self._note(
                "not-a-multiple-of-320",
                size % MULTIPLE != 0,
                f"a chunk of {size} bytes, {size % MULTIPLE} over",
                "the last packet is short, and a gap of 20 ms follows",
            ),
            self._note(
                "under-3200-bytes",
                size < LEAST,
                f"a chunk of {size} bytes",
                "small chunks stutter when the network wavers; the last of an utterance may be one",
            ),
            self._note(
                "over-100000-bytes",
                size > MOST,
                f"a chunk of {size} bytes",
                "Exotel may time out while reading it, and the stream ends",
            ),
            self._note(
                "burst",
                ahead_s > BURST_S,
                f"{ahead_s:.1f} s of audio wait to be played",
                "the caller cannot interrupt the bot, and streams like this end after seconds;"
                " send about as fast as it plays",
            ),
        ]
        return [breach for breach in found if breach is not None]

    def bad_base64(self, problem: str) -> list[Violation]:
        """A payload that can't be decoded whole."""
        return self._one("wrong-base64", problem, "the audio is cut short, or noise")

    def unknown_stream_sid(self, said: str, ours: str) -> list[Violation]:
        """Another stream's identifier."""
        return self._one(
            "unknown-stream-sid",
            f"stream_sid {said[:40]!r}, while this stream is {ours!r}",
            "Exotel seems to play it all the same; do not rely on it",
        )

    def binary_frame(self, size: int) -> list[Violation]:
        """A frame that is not text."""
        return self._one(
            "binary-frame",
            f"a binary frame of {size} bytes",
            "nothing of it is heard: audio travels as base64 in JSON text",
        )

    def unreadable(self, problem: str) -> list[Violation]:
        """A message that can't be read."""
        return self._one("unreadable", problem, "nothing of it is heard")

    def unknown_event(self, name: str) -> list[Violation]:
        """An event that Exotel does not take from bots."""
        return self._one(
            "unknown-event",
            f"event {name!r}",
            "it is passed over; to hang up or hand over, close the WebSocket",
        )

    def silence(self, seconds: float) -> list[Violation]:
        """The bot has said nothing so far."""
        return self._one(
            "no-audio",
            f"nothing in the first {seconds:.0f} s",
            "the caller hears silence and hangs up",
        )

    def _numbers(self) -> list[Violation]:
        return self._one(
            "numbers-as-numbers",
            "a sequence number, chunk or timestamp that is a JSON number",
            "the real reader expects texts and may drop the message",
        )

    def _one(self, rule: str, said: str, consequence: str) -> list[Violation]:
        found = self._note(rule, True, said, consequence)
        return [] if found is None else [found]

    def _note(self, rule: str, broken: bool, said: str, consequence: str) -> Violation | None:
        if not broken:
            return None
        self.counts[rule] = self.counts.get(rule, 0) + 1
        return Violation(rule, said, consequence) if self.counts[rule] == 1 else None
