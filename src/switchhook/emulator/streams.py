"""Streams: a Voicebot or Stream applet from its slot to the outcome that a passthru tells.

`Streaming` sets streams up (limit, dynamic URL, handshake, retry); a `StreamSession` is one while
it is open: it speaks the protocol of support article 3000108630 over a link.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from switchhook.emulator import recording, speech
from switchhook.emulator.breach import Breach, BreachWatch
from switchhook.emulator.go_errors import Failure, FailureKind, stream_error
from switchhook.emulator.metronome import Metronome
from switchhook.emulator.net import NetError
from switchhook.emulator.parameters import StreamTold, national
from switchhook.emulator.playout import Playout
from switchhook.emulator.urls import shown, without_credentials, without_query
from switchhook.errors import SwitchhookError
from switchhook.wire import media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.emulator.behaviour import Behaviour
    from switchhook.emulator.call import Call
    from switchhook.emulator.exchange import Exchange
    from switchhook.emulator.flow import Stream, Voicebot
    from switchhook.emulator.link import Dial, Link
    from switchhook.emulator.plan import Act

THROTTLED = "Streaming_call_throttled"

End = Literal["caller", "flow", "limit", "stop", "bot"]
"""Who ended a stream: the caller, the call's flow, the 60 minutes, a Stop applet, the bot."""

_CLEAN = (1000, 1001, 1005)
_GO_CLOSE = {
    1002: "protocol error",
    1003: "unsupported data",
    1006: "abnormal closure",
    1007: "invalid payload data",
    1008: "policy violation",
    1009: "message too big",
    1011: "internal server error",
    1012: "service restart",
    1013: "try again later",
}
_DTMF_MS = 160
_SILENCE_AFTER_S = 10.0


class Streaming:
    """Sets streams up and takes them down, for every call."""

    def __init__(self, exchange: Exchange, dial: Dial) -> None:
        self.exchange, self._dial = exchange, dial
        self.metronome = Metronome(exchange.clock.loop)
        self.recordings: dict[str, StreamSession] = {}

    async def converse(self, call: Call, name: str, applet: Voicebot) -> None:
        """A Voicebot applet, to the end of its stream; `call.told` has the outcome then."""
        if call.gone.is_set():
            # Seed, test 1: gone before there was a stream to name.
            call.told = StreamTold(status="cancelled", disconnected_by="user")
            call.trace.note("stream", applet=name, **call.told.fields())
            return
        session = await self._open(call, name, applet.url, record=applet.record, both_ways=True)
        if session is not None:
            call.told = await session.outcome()
        assert call.told is not None
        call.trace.note("stream", applet=name, **call.told.fields())

    async def fork(self, call: Call, name: str, applet: Stream) -> None:
        """A Stream applet: start one beside the flow, or stop those that run."""
        if applet.action == "stop":
            for running in list(call.streams):
                await running.end("stop")
                call.told = running.told
            return
        if call.gone.is_set():
            return
        session = await self._open(call, name, applet.url, record=False, both_ways=False)
        if session is not None:
            behaviour = call.behaviour(name)
            call.told = session.running_told() if behaviour.tell_running else None

    async def _open(
        self, call: Call, name: str, url: str, *, record: bool, both_ways: bool
    ) -> StreamSession | None:
        """An open stream; None where there is none, with the reason in `call.told`."""
        behaviour = call.behaviour(name)
        sid = self.exchange.mint(call.chance)
        if call.fault("throttled", name) or not call.line.take():
            call.trace.note("throttled", active=call.line.active, allowed=call.line.allowed)
            call.told = StreamTold(status="failed", detailed_status=THROTTLED)
            if behaviour.throttled == "full":
                call.told = msgspec.structs.replace(call.told, sid=sid, disconnected_by="NA")
            return None
        session = StreamSession(self, call, name, sid, behaviour, record, both_ways)
        work = asyncio.ensure_future(self._set_up(session, url))
        gone = asyncio.ensure_future(call.gone.wait())
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # Seed, test 3: the caller left while the stream was being set up.
                work.cancel()
                await asyncio.wait((work,))
                await session.abandon()
                call.told = StreamTold(sid=sid, status="cancelled", disconnected_by="user")
                return None
            call.told = work.result()
        finally:
            gone.cancel()
            if call.told is not None and session.link is None:
                call.line.free()
        return session if session.link is not None else None

    async def _set_up(self, session: StreamSession, url: str) -> StreamTold | None:
        """Find the URL and dial it, with one more try; what failed is what is told."""
        call, behaviour = session.call, session.behaviour
        recording_url = None
        if behaviour.recording_on_failed:
            recording_url = self.exchange.recording_url(call.line, session.sid)
        failed = StreamTold(
            sid=session.sid,
            status="failed",
            duration_s=0,
            recording_url=recording_url,
            disconnected_by="NA",
        )
        if url.lower().startswith(("http://", "https://")):
            found = await self._ask_url(session, url)
            if not found.startswith(("ws://", "wss://")):
                return msgspec.structs.replace(failed, error=found)
            url = found
        over = session.prepare(url)
        if over and behaviour.parameters_over_limit == "reject":
            return msgspec.structs.replace(failed, error=f"3009 invalid stream url: {over[0]}")
        told_url = url if behaviour.leak_credentials else without_credentials(url)
        failed = msgspec.structs.replace(failed, url=told_url)
        session.url = told_url
        tries = 1 + behaviour.retries
        for left in range(tries - 1, -1, -1):
            failure = await self._try(session, url, attempt=tries - left)
            if failure is None:
                return None
            if left:
                await asyncio.sleep(behaviour.retry_after_s)
        assert failure is not None
        error = stream_error(failure) + "." * behaviour.error_padding
        return msgspec.structs.replace(failed, error=error)

    async def _ask_url(self, session: StreamSession, url: str) -> str:
        """The URL that a dynamic URL tells, or an Error text (platform.md C.6)."""
        call = session.call
        prefix = "3009 failed to fetch stream url "
        try:
            reply = await call.dynamic_url(session.name, url, session.behaviour)
        except (NetError, SwitchhookError) as error:
            call.trace.note("warning", text=f"the dynamic URL gave no answer: {error}")
            kind = error.failure.kind if isinstance(error, NetError) else None
            if kind is FailureKind.TIMEOUT:
                return prefix + "context deadline exceeded"
            return prefix + (
                stream_error(error.failure).partition("conn ")[2]
                if isinstance(error, NetError)
                else "forbidden address"
            )
        if reply.status != 200:
            call.trace.note("warning", text=f"the dynamic URL answered {reply.status}, not 200")
            return f"{prefix}unexpected status {reply.status}"
        try:
            said = json.loads(reply.body)
        except ValueError:
            said = None
        found = said.get("url") if isinstance(said, dict) else None
        if isinstance(found, str) and found.startswith(("ws://", "wss://")):
            return found
        text = reply.body[:60].decode(errors="replace")
        call.trace.note(
            "warning",
            text='the dynamic URL has to answer JSON like {"url": "wss://…"}; it answered '
            f"{text!r}" + (": TwiML is not understood here" if text.lstrip()[:1] == "<" else ""),
        )
        if said is None:
            return f"{prefix}invalid character {text.lstrip()[:1]!r} looking for beginning of value"
        return f"{prefix}no url in answer"

    async def _try(self, session: StreamSession, url: str, *, attempt: int) -> Failure | None:
        call, behaviour = session.call, session.behaviour
        dialled = without_query(url) if behaviour.strip_query else url
        call.trace.note("dial", applet=session.name, url=shown(dialled), attempt=attempt)
        began = call.clock.now()
        failure = _injected(call, session.name, dialled)
        limit_s = behaviour.handshake_limit_s
        if failure is None:
            try:
                if slow := call.exchange.faults.strike(
                    "bot-slow-handshake", call.place(session.name), call.chance
                ):
                    call.trace.note("fault", fault="bot-slow-handshake", applet=session.name)
                    await asyncio.sleep(min(slow.seconds, limit_s))
                    limit_s -= slow.seconds
                session.link = await self._dial(dialled, session, headers=[], limit_s=limit_s)
            except NetError as error:
                failure = error.failure
            except SwitchhookError as error:
                call.trace.note("refused_to_dial", applet=session.name, text=str(error))
                failure = Failure(FailureKind.UNREACHABLE, None, str(error))
        seconds = round(call.clock.now() - began, 6)
        if failure is not None:
            text = stream_error(failure)
            call.trace.note("dial_failed", kind=failure.kind.value, text=text, seconds=seconds)
            return failure
        call.trace.note("dialled_bot", seconds=seconds)
        session.begin()
        return None

    def closed(self, session: StreamSession) -> None:
        """A stream is over: its slot is free (G-35), its recording is being made."""
        session.call.line.free()
        if session.call.streams and session in session.call.streams:
            session.call.streams.remove(session)
        if session.record:
            self.recordings[session.sid] = session
            while len(self.recordings) > _KEPT_RECORDINGS:
                del self.recordings[next(iter(self.recordings))]


_KEPT_RECORDINGS = 200


def _nothing() -> None:
    """What there is to undo before a stream begins."""


def _injected(call: Call, name: str, url: str) -> Failure | None:
    """A failure that a fault asks for, in the place of a dial."""
    host = without_credentials(url).partition("://")[2].partition("/")[0]
    address = host if ":" in host else f"{host}:{443 if url.startswith('wss') else 80}"
    if call.fault("bot-refused", name) or call.fault("bot-refused-once", name):
        return Failure(FailureKind.REFUSED, address, "injected")
    if call.fault("bot-dns", name):
        return Failure(FailureKind.DNS, address, "injected")
    if call.fault("bot-tls", name):
        return Failure(FailureKind.TLS, address, "injected")
    if call.fault("bot-401", name):
        return Failure(FailureKind.BAD_HANDSHAKE, address, "401")
    return None


class StreamSession:
    """One stream while it is set up, open, and after; the listener of its link."""

    def __init__(
        self,
        streaming: Streaming,
        call: Call,
        name: str,
        sid: str,
        behaviour: Behaviour,
        record: bool,
        both_ways: bool,
    ) -> None:
        self.streaming, self.call, self.name, self.sid = streaming, call, name, sid
        self.behaviour, self.record, self.both_ways = behaviour, record, both_ways
        self.link: Link | None = None
        self.url = ""
        self.rate = 8000
        self.seconds = 0.0
        self.frames_sent = 0
        self.first_audio_s: float | None = None
        self.told: StreamTold | None = None
        self._parameters: dict[str, str] = {}
        self._style = media.Style(
            camel_keys=behaviour.camel_keys, int_numbers=behaviour.int_numbers
        )
        self._over: asyncio.Future[None] = call.clock.loop.create_future()
        self._ended_by: End | None = None
        self._closed: tuple[int, str] | None = None
        self._sequence = 1
        self._chunk = 0
        self._leave_beat: Callable[[], None] = _nothing
        self._timers: list[asyncio.TimerHandle] = []
        self._mark_timer: asyncio.TimerHandle | None = None
        self._mute = False
        self._told_silent = False

    # Setting up.

    def prepare(self, url: str) -> list[str]:
        """Read what the URL asks for: sample rate and custom parameters (platform.md C.7).

        Gives what is over the limits.
        """
        self._parameters, problems = media.custom_parameters(url)
        self.rate, problem = media.sample_rate(url)
        for text in [*problems, *([problem] if problem else [])]:
            self.call.trace.note("warning", applet=self.name, text=text)
        self.playout = Playout(self.rate, keep=self.record)
        self.watch = BreachWatch(self.rate)
        return problems

    def begin(self) -> None:
        """The link is up: introduce the stream, then let frames flow."""
        assert self.link is not None
        call = self.call
        self.began = call.clock.now()
        call.streams.append(self)
        self._send("sent", media.build_connected())
        start = media.Start(
            stream_sid=self.sid,
            call_sid=call.facts.sid,
            account_sid=call.line.sid,
            from_=national(call.facts.from_),
            to=national(call.facts.exophone),
            custom_parameters=self._parameters,
            sample_rate=self.rate,
            bit_rate=f"{self.rate * 16 // 1000}kbps",
        )
        self._send("sent", media.build_start(start, self._style, self._sequence))
        self._writer = media.MediaWriter(self.sid, self._style)
        self._every = self.behaviour.frame_ms // 20
        self._beats = 0
        self._later(self.behaviour.stream_limit_s, self._end_soon, "limit")
        faults, place = call.exchange.faults, call.place(self.name)
        if crash := faults.strike("bot-crash", place, call.chance):
            call.trace.note("fault", fault="bot-crash", applet=self.name)
            self._later(crash.seconds, self._drop, 1006)
        if closes := faults.strike("bot-closes", place, call.chance):
            call.trace.note("fault", fault="bot-closes", applet=self.name, code=closes.code)
            self._later(closes.seconds, self._drop, closes.code)
        self._mute = call.fault("bot-silent", self.name)
        self._leave_beat = self.streaming.metronome.join(self._beat)

    async def abandon(self) -> None:
        """Undo a set-up that nobody waits for any more."""
        if self.link is not None:
            self.link.close(1000)

    # While it is open.

    def _beat(self, due: float) -> None:
        """20 ms have passed: what the caller says goes to the bot."""
        self._beats += 1
        if self._beats % self._every:
            return
        ms = self.behaviour.frame_ms
        self._chunk += 1
        self._sequence += 1
        elapsed = (self._chunk - 1) * ms
        payload = _payload(self.call.heard, self.began + elapsed / 1000, self.rate, ms)
        text = self._writer.media(self._sequence, self._chunk, elapsed, payload)
        self.frames_sent += 1
        if self.link is not None:
            self.link.send(text)
            if self.call.trace.media:
                self.call.trace.note_media("sent", text)
        if (
            self.both_ways
            and self.first_audio_s is None
            and not self._told_silent
            and elapsed >= _SILENCE_AFTER_S * 1000
        ):
            self._told_silent = True
            self._report(self.watch.silence(elapsed / 1000))

    def on_text(self, text: bytes) -> None:
        """A message of the bot's."""
        if self._ended_by is not None:
            return
        if self._mute:
            return
        said = media.read_bot(text)
        now = self.call.clock.now()
        if isinstance(said, media.BotMedia):
            self._take_media(said, now)
            if self.call.trace.media:
                self.call.trace.note_media("received", text)
            return
        self.call.trace.note("received", text=text[:2000].decode(errors="replace"))
        match said:
            case media.BotMark():
                self.playout.mark(now, said.name)
                self._echo_marks()
            case media.BotClear():
                _, forgotten = self.playout.clear(now)
                if self.behaviour.echo_cleared_marks:
                    for name in forgotten:
                        self._echo(name)
            case media.BotOther():
                self._report(self.watch.unknown_event(said.event))
            case media.Unreadable():
                self._report(self.watch.unreadable(said.problem))

    def _take_media(self, said: media.BotMedia, now: float) -> None:
        if self.first_audio_s is None:
            self.first_audio_s = round(now - self.began, 6)
            self.call.trace.note("first_audio", seconds=self.first_audio_s)
        if said.stream_sid is not None and said.stream_sid != self.sid:
            self._report(self.watch.unknown_stream_sid(said.stream_sid, self.sid))
        if said.problems:
            self._report(self.watch.bad_base64(said.problems[0]))
        ahead = max(0.0, self.playout.heard_until - now)
        breaches = self.watch.chunk(len(said.payload), ahead, int_numbers=said.int_numbers)
        if breaches:
            self._report(breaches)
            if self.behaviour.close_on_oversize and len(said.payload) > _LARGEST:
                self._drop(1009)
                return
        self.playout.take(now, said.payload)

    def _echo_marks(self) -> None:
        """Send back the marks whose audio has played, and wait for the next one."""
        now = self.call.clock.now()
        for name in self.playout.due(now):
            self._echo(name)
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        if self.playout.next_due is not None and self._ended_by is None:
            wait = max(0.0, self.playout.next_due - now)
            self._mark_timer = self.call.clock.loop.call_later(wait, self._echo_marks)

    def _echo(self, name: str) -> None:
        self._sequence += 1
        self._send("sent", media.build_mark(self.sid, self._sequence, name, self._style))

    def on_binary(self, size: int) -> None:
        """A frame that should have been text."""
        if self._ended_by is None:
            self._report(self.watch.binary_frame(size))

    def on_closed(self, code: int, reason: str) -> None:
        """The link is down, whoever closed it."""
        if self._ended_by is None:
            self.call.trace.note("bot_closed", code=code, reason=reason or None)
            self._closed = (code, reason)
            self._finish("bot")

    def dtmf(self, digit: str) -> None:
        """The caller pressed a key."""
        if self.both_ways and self._ended_by is None and self.link is not None:
            self._sequence += 1
            self._send(
                "sent", media.build_dtmf(self.sid, self._sequence, digit, _DTMF_MS, self._style)
            )

    def _send(self, what: str, text: bytes) -> None:
        if self.link is not None:
            self.link.send(text)
            self.call.trace.note(what, text=text.decode())

    def _report(self, breaches: list[Breach] | Breach | None) -> None:
        for breach in [breaches] if isinstance(breaches, Breach) else breaches or []:
            self.call.trace.note(
                "breach",
                applet=self.name,
                rule=breach.rule,
                said=breach.said,
                consequence=breach.consequence,
            )

    def _later(self, seconds: float, act: object, *args: object) -> None:
        self._timers.append(self.call.clock.loop.call_later(seconds, act, *args))  # type: ignore[arg-type]

    def recorded(self) -> bytes:
        """What was said by both, as PCM of the stream's rate; takes a while for long talks."""
        return b"".join(self.recorded_blocks())

    def recorded_blocks(self) -> Iterator[bytes]:
        """The same in blocks, for those who don't need it whole."""
        pieces = [(at - self.began, pcm) for at, pcm in self.playout.pieces or []]
        pieces += spoken(self.call.heard, self.began, self.rate)
        return recording.mix(self.rate, self.seconds, pieces)

    # Ending.

    async def outcome(self) -> StreamTold:
        """Wait for the end of the conversation: the bot's, the caller's, or the limit's."""
        gone = asyncio.ensure_future(self.call.gone.wait())
        try:
            await asyncio.wait((self._over, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not self._over.done():
                self._finish("caller" if self.call.ending == "caller" else "limit")
        assert self.told is not None
        return self.told

    async def end(self, by: End) -> None:
        """End it from our side."""
        self._finish(by)

    def _end_soon(self, by: End) -> None:
        self._finish(by)

    def _drop(self, code: int) -> None:
        """End it as if the bot had: a fault."""
        if self._ended_by is None:
            self._closed = (code, "")
            self._finish("bot")

    def running_told(self) -> StreamTold:
        """What a passthru says beside it (G-32)."""
        return StreamTold(sid=self.sid, status="in-progress", url=self.url)

    def _finish(self, by: End) -> None:
        if self._ended_by is not None:
            return
        self._ended_by = by
        self.seconds = self.call.clock.now() - self.began
        self._leave_beat()
        for timer in [*self._timers, *([self._mark_timer] if self._mark_timer else [])]:
            timer.cancel()
        if by != "bot" and self.link is not None:
            # G-44: `stopped` for a Stop applet and the cap, `callended` for the rest.
            reason = "stopped" if by in ("stop", "limit") else "callended"
            self._sequence += 1
            stop = media.build_stop(
                self.sid,
                self._sequence,
                self.call.facts.sid,
                self.call.line.sid,
                reason,
                self._style,
            )
            self._send("sent", stop)
        if self.link is not None:
            self.link.close(1000)
        self.told = self._outcome(by)
        self.call.trace.note(
            "media",
            frames_sent=self.frames_sent,
            heard_s=round(self.playout.spoken_s, 3),
            breaches=dict(self.watch.counts) or None,
        )
        self.streaming.closed(self)
        if not self._over.done():
            self._over.set_result(None)

    def _outcome(self, by: End) -> StreamTold:
        """The outcome matrix (platform.md B.2, G-12, G-14)."""
        exchange, line = self.streaming.exchange, self.call.line
        recorded = exchange.recording_url(line, self.sid) if self.record else None
        full = StreamTold(
            sid=self.sid,
            status="completed",
            duration_s=int(self.seconds),
            url=self.url,
            recording_url=recorded,
            disconnected_by={"bot": "bot", "caller": "user"}.get(by, "NA"),
        )
        if by == "caller" and self.both_ways and self.first_audio_s is None:
            return StreamTold(sid=self.sid, status="cancelled", disconnected_by="user")
        if by == "bot" and self._closed is not None and self._closed[0] not in _CLEAN:
            if self.behaviour.dropped_is == "completed":
                return full
            code, reason = self._closed
            words = _GO_CLOSE.get(code)
            text = f"websocket: close {code}" + (f" ({words})" if words else "")
            text += ": unexpected EOF" if code == 1006 else f": {reason}" if reason else ""
            return msgspec.structs.replace(full, status="failed", error=text)
        return full


_LARGEST = 100_000


def _payload(heard: list[tuple[float, Act]], at: float, rate: int, ms: int) -> bytes:
    """The base64 frame of what the caller says at a moment, or of silence."""
    for began, act in reversed(heard):
        if began > at:
            continue
        frames = sound(act, rate, ms)
        index = int((at - began) * 1000 + 1e-6) // ms
        return frames[index] if index < len(frames) else silent(rate, ms)
    return silent(rate, ms)


def spoken(heard: list[tuple[float, Act]], began: float, rate: int) -> list[tuple[float, bytes]]:
    """What the caller said as PCM, each with its second after `began`.

    Whoever says something new stops what they were saying, as the bot hears it too.
    """
    pieces: list[tuple[float, bytes]] = []
    until = math.inf
    for at, act in reversed(heard):
        pcm = b"".join(map(base64.b64decode, sound(act, rate, 20)))
        samples = min(len(pcm) // 2, (until - at) * rate)
        pieces.append((at - began, pcm[: 2 * int(samples)]))
        until = at
    return pieces


@lru_cache(maxsize=16)
def silent(rate: int, ms: int) -> bytes:
    """A frame of silence, in base64."""
    return speech.frames(bytes(rate * 2 * ms // 1000), rate, ms)[0]


@lru_cache(maxsize=256)
def sound(act: Act, rate: int, ms: int) -> tuple[bytes, ...]:
    """What an act sounds like, in base64 frames."""
    if act.tone_hz:
        pcm = speech.tone(act.tone_hz, act.seconds, rate)
    elif act.plays:
        pcm = speech.read_wav(Path(act.plays).read_bytes(), rate)
    else:
        # About 14 characters of speech a second.
        pcm = speech.babble(sum(act.says.encode()), max(0.5, len(act.says) / 14), rate)
    return tuple(speech.frames(pcm, rate, ms))
