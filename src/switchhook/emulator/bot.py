"""The built-in bot: it answers a Voicebot applet with speech-like sounds, or misbehaves on demand.

It is a bare ASGI app for a WebSocket, run by `serving` or called in-process. It knows no time but
the event loop's and no chance at all: the same call gets the same bytes.

It says something at once, and again whenever the caller has spoken and is silent; it stops when
the caller speaks over it (`clear`), beeps for each DTMF digit, and sends a `mark` after whatever
it says. Audio is what platform.md C.5 asks for: 16-bit little-endian PCM at the stream's rate, in
chunks of 200 ms (3,200 B at 8 kHz), at 0.9 of the time they play.

What it does is chosen by the path, then by the query, then by the custom parameters of `start`:

| Path | Stands for | What it does |
| --- | --- | --- |
| `/bot` | – | says three things, then closes with 1000 |
| `/bot/talk` | `then=wait` | speaks until the caller hangs up |
| `/bot/silent` | `say=0&then=wait` | accepts and never speaks |
| `/bot/crash` | `then=crash&after=2` | ends without a close frame (1006) |
| `/bot/error` | `code=1011&after=2` | closes with 1011 |
| `/bot/policy` | `code=1008&after=2` | closes with 1008 |
| `/bot/refuse` | `reject=401` | answers the handshake with 401 |
| `/bot/late` | `handshake=12` | accepts after 12 s, when Exotel has given up |
| `/bot/flaky` | `fail-first=1` | refuses the first handshake, accepts the second |

| Parameter | Value | What it is |
| --- | --- | --- |
| `say` | 0 to 10000 | how many things it says; without: 3, or no end with `after` or `then=wait` |
| `length` | 0.2 to 60 s | how long each of them is; without: 1.6 |
| `patience` | 0 to 3600 s | how long it waits for the caller's word before it goes on; without: 4 |
| `after` | 0 to 86400 s | from `start`: ends its talk then, whatever it is about |
| `then` | `close`, `crash`, `wait` | at the end: close, end without a close frame, keep silent |
| `code` | 1000 to 1003, 1007 to 1014, 3000 to 4999 | the code that it closes with; without: 1000 |
| `reject` | 400 to 599 | answers the handshake with this HTTP status |
| `fail-first` | 0 to 100 | refuses so many (503 or `reject`), takes the next, and so on |
| `key` | any text | what `fail-first` counts by; without: path and query |
| `handshake` | 0 to 3600 s | how long it takes to answer the handshake |
| `breach` | see below | breaks one rule for bots, the others not |
| `sample-rate` | any | passed over: Exotel says the rate in `start` |

`say=0` never ends by itself. `reject`, `fail-first`, `key`, `handshake` can't be said in `start`.

| `breach` | In everything it says |
| --- | --- |
| `oversize` | chunks of 100,480 B, over the most of 100,000 |
| `tiny` | chunks of 320 B, under the least of 3,200 |
| `ragged` | chunks of 3,300 B, not a multiple of 320 |
| `odd` | chunks of 3,201 B: half a sample over |
| `burst` | 30 s of audio at once (the first thing; what follows is paced) |
| `bad-base64` | one chunk's payload isn't base64 |
| `wrong-stream-sid` | one chunk names a stream that isn't |
| `binary` | one chunk comes a second time, as a binary frame |
| `garbage` | one text frame isn't JSON |

An unknown name or value is refused with HTTP 400, or 1008 where it came in `start`; the text names
it. A message that can't be read is answered with 1007.
"""

from __future__ import annotations

import asyncio
import math
import sys
from array import array
from contextlib import suppress
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from switchhook.wire.query import parse_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from switchhook.emulator.serving import ASGIApp, Message, Receive, Scope, Send

Breach = Literal[
    "oversize",
    "tiny",
    "ragged",
    "odd",
    "burst",
    "bad-base64",
    "wrong-stream-sid",
    "binary",
    "garbage",
]

_Count = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
_Wait = Annotated[float, msgspec.Meta(ge=0, le=3600)]

_SENDABLE = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}  # RFC 6455, 7.4


class BotScript(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"
):
    """What the bot does in one connection; each field is a parameter of the module's table."""

    say: _Count | None = None
    length: Annotated[float, msgspec.Meta(ge=0.2, le=60)] = 1.6
    patience: _Wait = 4.0
    after: _Seconds | None = None
    then: Literal["close", "crash", "wait"] = "close"
    code: int = 1000

    reject: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    fail_first: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    key: str = ""
    handshake: _Wait = 0.0

    breach: Breach | None = None

    def __post_init__(self) -> None:
        if self.code not in _SENDABLE:
            raise ValueError(f"code: {self.code} can't be sent in a close frame (RFC 6455, 7.4)")

    @property
    def turns(self) -> int | None:
        """How many things it says; None for as many as there is time for."""
        if self.say is None and self.after is None and self.then != "wait":
            return 3
        return self.say

    @property
    def at_handshake(self) -> tuple[object, ...]:
        """What is decided before `start` comes, in the order of `_AT_HANDSHAKE`."""
        return self.reject, self.fail_first, self.key, self.handshake


class Refusal(msgspec.Struct, frozen=True):
    """Why a connection isn't taken, and the HTTP status that says so."""

    status: int
    text: str


NAMED: dict[str, dict[str, str]] = {
    "talk": {"then": "wait"},
    "silent": {"say": "0", "then": "wait"},
    "crash": {"then": "crash", "after": "2"},
    "error": {"code": "1011", "after": "2"},
    "policy": {"code": "1008", "after": "2"},
    "refuse": {"reject": "401"},
    "late": {"handshake": "12"},
    "flaky": {"fail-first": "1"},
}
"""The scripts that have a path of their own, `/bot/NAME`, in the words of a query."""

_PARAMETERS = tuple(field.encode_name for field in msgspec.structs.fields(BotScript))
_AT_HANDSHAKE = ("reject", "fail-first", "key", "handshake")
_EXOTELS_OWN = {"sample-rate"}


def read_script(
    path: str, parameters: Mapping[str, str], default: BotScript | None = None
) -> BotScript | Refusal:
    """What a bot dialled at this path, with these parameters, is to do.

    >>> read_script("/bot", {"say": "1", "code": "4400"}).code
    4400
    """
    root, _, name = path.strip("/").partition("/")
    if root not in {"", "bot"} or (name and name not in NAMED):
        known = ", ".join(["/bot", *(f"/bot/{each}" for each in NAMED)])
        return Refusal(404, f"no bot at {path}; there are {known}")
    said = {key: value for key, value in parameters.items() if key not in _EXOTELS_OWN}
    for key in said:
        if key not in _PARAMETERS:
            return Refusal(400, f"{key}: unknown; a bot knows {', '.join(_PARAMETERS)}")
    try:
        return msgspec.convert(
            msgspec.to_builtins(default or BotScript()) | NAMED.get(name, {}) | said,
            BotScript,
            strict=False,
        )
    except msgspec.ValidationError as error:
        return Refusal(400, str(error))


# Sound.

SPEAKING_RATE = 8000
"""Samples a second, where `start` doesn't say."""

_SAMPLE_B = 2
_CHUNK_S = 0.2
_PACE = 0.9
_MULTIPLE_B = 320
_LEAST_B = 3200
_BREACH_CHUNK_B: dict[str | None, int] = {
    "oversize": 100_480,
    "tiny": 320,
    "ragged": 3300,
    "odd": 3201,
}
_BURST_S = 30.0
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
    size = max(1, round(rate * seconds * _SAMPLE_B / _MULTIPLE_B)) * _MULTIPLE_B
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
def _beep(rate: int) -> bytes:
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


class Ear:
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
        samples = array("h", payload[: len(payload) // _SAMPLE_B * _SAMPLE_B])
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


# Messages. Names in both styles: `stream_sid`, and `streamSid` (platform.md G.4).


class _Media(msgspec.Struct, frozen=True):
    payload: bytes


class _Mark(msgspec.Struct, frozen=True):
    name: str


class _Dtmf(msgspec.Struct, frozen=True):
    digit: str


class _Heard(msgspec.Struct, frozen=True):
    event: str
    start: dict[str, Any] | None = None
    media: _Media | None = None
    mark: _Mark | None = None
    dtmf: _Dtmf | None = None
    stream_sid: str | None = None
    streamSid: str | None = None  # noqa: N815 - as it is on the wire


class _Format(msgspec.Struct, frozen=True):
    sample_rate: Annotated[int, msgspec.Meta(ge=4000, le=48_000)] = SPEAKING_RATE


class _Start(msgspec.Struct, frozen=True):
    stream_sid: str
    custom_parameters: dict[str, str] = msgspec.field(default_factory=dict)
    media_format: _Format = _Format()


_heard = msgspec.json.Decoder(_Heard)


def _read_start(heard: _Heard) -> _Start:
    """Raises msgspec.ValidationError where something isn't as documented."""
    sid = heard.stream_sid or heard.streamSid
    return msgspec.convert({"stream_sid": sid} | _snake(heard.start or {}), _Start, strict=False)


def _snake(value: Any) -> Any:
    """The same with the keys of the documented style; custom parameters keep theirs."""
    if not isinstance(value, dict):
        return value
    return {
        new: each if new == "custom_parameters" else _snake(each)
        for key, each in value.items()
        for new in ["".join(f"_{c.lower()}" if c.isupper() else c for c in key)]
    }


class _Line:
    """What is said to Exotel, numbered; numbers are texts (platform.md C.4)."""

    def __init__(self, send: Send, stream_sid: str, rate: int) -> None:
        self._send, self._sid, self._rate = send, stream_sid, rate
        self._sequence = self._chunks = self._sent_b = 0

    async def media(self, audio: bytes, *, stream_sid: str = "", payload: str = "") -> None:
        """Send a chunk; the other two replace what is right."""
        self._chunks += 1
        await self._message(
            "media",
            stream_sid or self._sid,
            {
                "chunk": str(self._chunks),
                "timestamp": str(self._sent_b * 1000 // (_SAMPLE_B * self._rate)),
                "payload": payload or audio,
            },
        )
        self._sent_b += len(audio)

    async def mark(self, name: str) -> None:
        """Ask to be told when what was sent has been played."""
        await self._message("mark", self._sid, {"name": name})

    async def clear(self) -> None:
        """Take back what hasn't been played."""
        await self._message("clear", self._sid, None)

    async def binary(self, data: bytes) -> None:
        """Send what no bot should."""
        await self._send({"type": "websocket.send", "bytes": data})

    async def text(self, text: str) -> None:
        """Send a text frame as it is."""
        await self._send({"type": "websocket.send", "text": text})

    async def _message(self, event: str, sid: str, body: Any) -> None:
        self._sequence += 1
        message = {"event": event, "sequence_number": str(self._sequence), "stream_sid": sid}
        if body is not None:
            message[event] = body
        await self.text(msgspec.json.encode(message).decode())


Ending = Literal["talked", "stopped", "gone"]


class _Conversation:
    """One stream, from `start` on."""

    def __init__(self, script: BotScript, start: _Start, line: _Line) -> None:
        self._script = script
        self._line = line
        self._rate = start.media_format.sample_rate
        self._ear = Ear(self._rate)
        # What has happened since the bot began to say its last thing.
        self._interrupted = self._answered = self._played = False
        self._mark = ""
        self._changed = asyncio.Event()

    async def hold(self, receive: Receive) -> Ending:
        """Talk and listen until the talk is over, Exotel sends `stop`, or is gone.

        Raises msgspec.DecodeError for a message that can't be read.
        """
        talking = asyncio.ensure_future(self._talk())
        listening = asyncio.ensure_future(self._listen(receive))
        both = {talking, listening}
        try:
            await asyncio.wait(
                both, timeout=self._script.after, return_when=asyncio.FIRST_COMPLETED
            )
            if talking.done():
                talking.result()
            if self._script.then == "wait" and not listening.done():
                await _stop(talking)
                await asyncio.wait({listening})
            return listening.result() if listening.done() else "talked"
        finally:
            for task in both:
                await _stop(task)

    async def _listen(self, receive: Receive) -> Literal["stopped", "gone"]:
        while (message := await receive())["type"] != "websocket.disconnect":
            heard = _decode(message)
            if heard.media is not None:
                change = self._ear.hear(heard.media.payload)
                if change is None:
                    continue  # as after nearly every frame: no need to wake the talk
                self._interrupted |= change == "began"
                self._answered |= change == "finished"
            elif heard.mark is not None:
                self._played |= heard.mark.name == self._mark
            elif heard.dtmf is not None and self._script.turns != 0:
                await self._line.media(_beep(self._rate))
                await self._line.mark(f"dtmf-{heard.dtmf.digit}")
            elif heard.event == "stop":
                return "stopped"
            self._changed.set()
        return "gone"

    async def _talk(self) -> None:
        turns = self._script.turns
        if turns == 0:
            await asyncio.Event().wait()
        for turn in count():
            await self._say(turn)
            if turn + 1 == turns:
                return
            await self._until(lambda: self._answered, self._script.patience)
            if self._ear.speaking:
                await self._until(lambda: self._answered)

    async def _say(self, turn: int) -> None:
        """Say one thing and wait until it has been heard, or stop when the caller speaks."""
        self._interrupted = self._answered = self._played = False
        self._mark = f"said-{turn + 1}"
        burst = self._script.breach == "burst" and turn == 0
        size = self._chunk_size()
        least = size / (_SAMPLE_B * self._rate)
        audio = speech(self._rate, _BURST_S if burst else max(self._script.length, least), turn)
        next_at = asyncio.get_running_loop().time()
        for number, chunk in enumerate(chunks(audio, size)):
            await self._send(chunk, self._script.breach if number == 0 else None)
            if burst:
                continue
            next_at += _PACE * len(chunk) / (_SAMPLE_B * self._rate)
            rest = next_at - asyncio.get_running_loop().time()
            if await self._until(lambda: self._interrupted, rest):
                await self._line.clear()
                return
        await self._line.mark(self._mark)
        # No mark comes back from those who don't know it; its audio is over by then all the same.
        longest = len(audio) / (_SAMPLE_B * self._rate) + 1.0
        await self._until(lambda: self._interrupted or self._played, longest)
        if self._interrupted and not self._played:
            await self._line.clear()

    def _chunk_size(self) -> int:
        if self._script.breach in _BREACH_CHUNK_B:
            return _BREACH_CHUNK_B[self._script.breach]
        multiples = round(self._rate * _CHUNK_S * _SAMPLE_B / _MULTIPLE_B)
        return max(_LEAST_B, multiples * _MULTIPLE_B)

    async def _send(self, chunk: bytes, breach: Breach | None) -> None:
        """Send a chunk; with a breach, in a wrong message or with one beside it."""
        if breach == "bad-base64":
            await self._line.media(chunk, payload="*not base64*")
        elif breach == "wrong-stream-sid":
            await self._line.media(chunk, stream_sid="0" * 32)
        else:
            await self._line.media(chunk)
        if breach == "binary":
            await self._line.binary(chunk)
        elif breach == "garbage":
            await self._line.text("this is not JSON {")

    async def _until(self, happened: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until it has happened, or for so long; whether it has."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not happened():
                    self._changed.clear()
                    await self._changed.wait()
        return happened()


async def _stop(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio doesn't report it as forgotten


# The app.

_HELP = (__doc__ or "").encode()
_KEYS_KEPT = 10_000
_STOP_S = 5.0
_LONGEST_REASON_B = 123  # RFC 6455, 5.5: a control frame has 125 bytes, two of them the code


class _Door:
    """Remembers whom `fail-first` has refused, and how often."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}

    def refuses(self, script: BotScript, address: str) -> int | None:
        """The status to answer a handshake with; None to let it in."""
        if not script.fail_first:
            return script.reject
        key = script.key or address
        refused = self._refused.pop(key, 0)
        if refused == script.fail_first:
            return None
        self._refused[key] = refused + 1
        if len(self._refused) > _KEYS_KEPT:
            del self._refused[next(iter(self._refused))]
        return script.reject or 503


def make_bot(default: BotScript | None = None) -> ASGIApp:
    """The bot of the module's tables; `default` is what `/bot` does without parameters.

    Whoever calls it in-process plays the server's part of ASGI: after `websocket.accept`, an app
    that returns without `websocket.close` has ended without a close frame, which is 1006. What
    is sent to a caller who has gone may raise OSError or be dropped.
    """
    door = _Door()

    async def bot(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _help(send)
        elif scope["type"] == "websocket":
            await receive()  # websocket.connect
            with suppress(OSError):  # ASGI: the caller has gone
                await _take(_Caller(scope, receive, send, default), door)
        else:
            raise ValueError(f"the bot serves no {scope['type']}")

    return bot


class _Caller:
    """One connection: what it asked for, and the ways to end it."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, default: BotScript | None
    ) -> None:
        self._scope, self._default = scope, default
        self.receive, self.send = receive, send
        self._query = dict(parse_pairs(scope["query_string"], []))

    @property
    def address(self) -> str:
        """Path and query."""
        return f"{self._scope['path']}?{self._scope['query_string'].decode('latin-1')}"

    def script(self, custom: Mapping[str, str] | None = None) -> BotScript | Refusal:
        """What it asked for, so far."""
        return read_script(self._scope["path"], self._query | dict(custom or {}), self._default)

    async def refuse(self, status: int, text: str) -> None:
        """Answer the handshake with a status; 403 where the server can't do better."""
        if "websocket.http.response" not in (self._scope.get("extensions") or {}):
            await self.send({"type": "websocket.close"})
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        if status == 401:  # RFC 9110, 15.5.2: it has to say how
            headers.append((b"www-authenticate", b'Basic realm="bot"'))
        await self.send(
            {"type": "websocket.http.response.start", "status": status, "headers": headers}
        )
        await self.send({"type": "websocket.http.response.body", "body": f"{text}\n".encode()})

    async def close(self, code: int, reason: str = "") -> None:
        """Close the stream."""
        short = reason.encode()[:_LONGEST_REASON_B].decode(errors="ignore")
        await self.send({"type": "websocket.close", "code": code, "reason": short})

    async def gone_within(self, seconds: float) -> bool:
        """Let time pass; True as soon as the connection has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "websocket.disconnect":
                    pass
                return True
        return False


async def _take(caller: _Caller, door: _Door) -> None:
    """Answer the handshake, and hold the conversation."""
    script = caller.script()
    if isinstance(script, Refusal):
        await caller.refuse(script.status, script.text)
        return
    if script.handshake and await caller.gone_within(script.handshake):
        return
    status = door.refuses(script, caller.address)
    if status is not None:
        await caller.refuse(status, "refused, as asked for")
        return
    await caller.send({"type": "websocket.accept"})
    try:
        await _serve(caller, script)
    except msgspec.DecodeError as error:
        await caller.close(1007, str(error))


async def _serve(caller: _Caller, script: BotScript) -> None:
    start = await _started(caller.receive)
    if start is None:
        return
    final = caller.script(start.custom_parameters)
    if isinstance(final, Refusal):
        await caller.close(1008, final.text)
    elif final.at_handshake != script.at_handshake:
        late = ", ".join(name for name in _AT_HANDSHAKE if name in start.custom_parameters)
        await caller.close(1008, f"{late}: too late in start; say it in the URL")
    else:
        line = _Line(caller.send, start.stream_sid, start.media_format.sample_rate)
        ending = await _Conversation(final, start, line).hold(caller.receive)
        if ending == "talked" and final.then == "close":
            await caller.close(final.code)
        elif ending == "stopped" and not await caller.gone_within(_STOP_S):
            await caller.close(1000)


async def _started(receive: Receive) -> _Start | None:
    """Wait for `start`, which comes after `connected`; None if the connection ends before."""
    while (message := await receive())["type"] != "websocket.disconnect":
        heard = _decode(message)
        if heard.event == "start":
            return _read_start(heard)
    return None


def _decode(message: Message) -> _Heard:
    """Raises msgspec.DecodeError for what isn't a message of Exotel's."""
    return _heard.decode(message.get("text") or message.get("bytes") or b"")


async def _help(send: Send) -> None:
    """Tell somebody with a browser what this is."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_HELP)).encode()),
        (b"upgrade", b"websocket"),
        (b"connection", b"upgrade"),
    ]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": _HELP})
