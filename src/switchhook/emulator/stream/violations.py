"""Rules of the media protocol that a bot broke, and what a caller hears of it.

The rules are Exotel's (exotel-platform C.4, C.5); what is sent is played as well as it can be.
Each rule is reported when it is first broken, and counted after that.
"""

from __future__ import annotations

import msgspec

from switchhook.emulator.sound.mu_law import ENOUGH_B, is_mu_law
from switchhook.emulator.sound.playout import is_silent

LEAST_MS = 100
"""Exotel's page says "3.2k [100 ms]", which is true at 16 kHz only; a caller hears milliseconds."""
MOST = 100_000
MULTIPLE = 320
BURST_S = 5.0
"""Audio queued beyond this is a burst, which goes with hang-ups (exotel-platform F.1-28)."""
_TRIES = 2  # looks at ENOUGH_B each, as the first may be a consonant
PAUSE_S = 0.25
"""Silence after which a chunk begins another utterance; the last chunk of one may be short."""

UNHEARD = frozenset(
    {
        *("odd-length", "wrong-base64", "not-raw-pcm", "mu-law", "binary-frame", "unreadable"),
        *("one-way-stream", "no-audio", "silence-only"),
    }
)
"""Rules after whose breach a caller hears noise or nothing; the others harm less, or less often."""

_FILES = {b"RIFF": "WAV", b"ID3": "MP3", b"\xff\xfb": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC"}


class Violation(msgspec.Struct, frozen=True):
    """A rule, what was sent instead, and the consequence for the caller, in words."""

    rule: str
    said: str
    consequence: str


class ViolationWatch:
    """One stream's rules; `counts` has how often each was broken."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._least = sample_rate * 2 * LEAST_MS // 1000
        self._short = 0
        self._sound = bytearray()
        self._judged = 0
        self.counts: dict[str, int] = {}

    def chunk(self, size: int, ahead_s: float, *, int_numbers: bool = False) -> list[Violation]:
        """Look at a chunk of `size` bytes that came `ahead_s` before its turn to play.

        Less than 0 is for how long nothing has played by then.
        """
        # A short chunk breaks the rule only once more of the same utterance follows it.
        short, self._short = self._short if ahead_s > -PAUSE_S else 0, 0
        if size < self._least:
            self._short = size
        if not short and size % MULTIPLE == 0 and size <= MOST and ahead_s <= BURST_S:
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
                f"under-{LEAST_MS}-ms",
                bool(short),
                f"chunks of {self._long(short)}, with more to follow",
                "small chunks stutter when the network wavers: collect"
                f" {self._least:,} bytes before you send",
            ),
            *self._too_much(size, ahead_s),
        ]
        return [breach for breach in found if breach is not None]

    def _too_much(self, size: int, ahead_s: float) -> list[Violation | None]:
        return [
            self._note(
                "over-100000-bytes",
                size > MOST,
                f"a chunk of {self._long(size)}",
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

    def _long(self, size: int) -> str:
        ms = size * 500 / self._rate
        long = f"{ms:,.1f}".removesuffix(".0")
        return f"{size:,} bytes ({long} ms at {self._rate // 1000} kHz)"

    def raw(self, payload: bytes) -> list[Violation]:
        """Look at the beginning of the first chunk: bare samples, or a file."""
        kind = next((kind for head, kind in _FILES.items() if payload.startswith(head)), None)
        if kind is None:
            return []
        return self._one(
            "not-raw-pcm",
            f"audio that begins like a {kind} file",
            "its head is heard as a crack, and all that is no 16-bit PCM as noise: send bare"
            f" samples, 16-bit little-endian, mono, {self._rate} a second",
        )

    def sound(self, payload: bytes) -> list[Violation]:
        """Look at the beginning of what is no silence: 16-bit PCM, or mu-law in its place."""
        if self._judged == _TRIES or is_silent(payload):
            return []
        self._sound += payload[:ENOUGH_B]
        if len(self._sound) < ENOUGH_B:
            return []
        sound, self._sound = bytes(self._sound[:ENOUGH_B]), bytearray()
        self._judged += 1
        if not is_mu_law(sound):
            return []
        self._judged = _TRIES
        return self._one(
            "mu-law",
            "audio that is mu-law by its sound, as Twilio has it",
            "the caller hears loud noise: Exotel plays and sends 16-bit PCM, little-endian, mono,"
            f" {self._rate} a second; convert what you send, and do not decode what you get",
        )

    def bad_base64(self, problem: str) -> list[Violation]:
        """A payload that can't be decoded whole."""
        return self._one("wrong-base64", problem, "the audio is cut short, or noise")

    def stream_sid(self, event: str, said: str | None, ours: str) -> list[Violation]:
        """Look at the identifier that came with an event; it has to be this stream's."""
        if said == ours:
            return []
        if said is None:
            return self._one(
                "missing-stream-sid",
                f"{event} without stream_sid",
                "Exotel's page asks for it in every message; what it does without is not said."
                " It came in `start`, spelt so, and not streamSid as Twilio spells it",
            )
        return self._one(
            "unknown-stream-sid",
            f"{event} with stream_sid {said[:40]!r}, while this stream is {ours!r}",
            "Exotel seems to take it all the same; do not rely on it",
        )

    def other_spelling(self, event: str) -> list[Violation]:
        """The identifier under Twilio's key; both are in use at Exotel (exotel-platform C.4)."""
        return self._one(
            "stream-sid-spelling",
            f"{event} with streamSid, as Twilio spells it",
            "Exotel's page has stream_sid, in what it sends too; it seems to take either, as bots"
            " send both: write and read stream_sid",
        )

    def one_way(self, event: str) -> list[Violation]:
        """Something on a stream that only listens."""
        return self._one(
            "one-way-stream",
            f"{event} on a stream of a Stream applet, which goes from Exotel to the bot only",
            "nothing of it is heard or answered: a bot that speaks needs a Voicebot applet",
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

    def silence(self, seconds: float, *, sent: bool) -> list[Violation]:
        """Nothing to hear so far: the bot has `sent` silence, or nothing at all."""
        if sent:
            return self._one(
                "silence-only",
                f"only silence in the first {seconds:.0f} s",
                "the caller hears nothing and hangs up: are the samples 16-bit PCM, and is what"
                " speaks them running?",
            )
        return self._one(
            "no-audio",
            f"nothing in the first {seconds:.0f} s",
            "the caller hears silence and hangs up: speak first, or play a sound while you think",
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
