"""One stream, from its first message to the outcome that a passthru tells.

It speaks Exotel's protocol (exotel-platform C.3, C.4) over a link; `setup.py` sets it up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from switchhook.emulator.call.parameters import StreamParameters, national
from switchhook.emulator.sound import recording
from switchhook.emulator.sound.playout import Playout, is_silent
from switchhook.emulator.sound.voice import frame_at, spoken
from switchhook.emulator.stream.bot_life import BotLife
from switchhook.emulator.stream.outcome import stream_outcome
from switchhook.emulator.stream.sender import MessageSender
from switchhook.emulator.stream.violations import Violation, ViolationWatch
from switchhook.exotel.wire import bot_media, media
from switchhook.exotel.wire.media_json import Style, UnreadableMessage
from switchhook.exotel.wire.stream_url import custom_parameters, sample_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.net.media_link import MediaLink
    from switchhook.emulator.plan.behaviour import Behaviour
    from switchhook.emulator.sound.frame_clock import FrameClock
    from switchhook.emulator.stream.outcome import End

_SILENCE_AFTER_S = 10.0
_LARGEST = 100_000
_CUT_OFF_S = 0.2  # less is a syllable's end, and mostly silence


def _nothing() -> None:
    """What there is to undo before a stream begins."""


class StreamSession:
    """One stream while it is set up, open, and after; the listener of its link."""

    def __init__(
        self,
        call: Call,
        name: str,
        sid: str,
        behaviour: Behaviour,
        record: bool,
        both_ways: bool,
        frame_clock: FrameClock,
        closed: Callable[[StreamSession], None],
    ) -> None:
        self.call, self.name, self.sid = call, name, sid
        self._frame_clock, self._tell_closed = frame_clock, closed
        self.behaviour, self.record, self.both_ways = behaviour, record, both_ways
        self.link: MediaLink | None = None
        self.url = ""
        self.dialled = ""
        """The bot's address as it was dialled, credentials included."""
        self.rate = 8000
        self.seconds = 0.0
        self.frames_sent = 0
        self.first_audio_s: float | None = None
        self.first_sound_s: float | None = None
        """When the caller first heard something that was no silence."""
        self.stream_outcome: StreamParameters | None = None
        self._parameters: dict[str, str] = {}
        self._over: asyncio.Future[None] = call.clock.loop.create_future()
        self._ended_by: End | None = None
        self._closed: tuple[int, str] | None = None
        self._leave_beat: Callable[[], None] = _nothing
        self._bot_life: BotLife | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._mark_timer: asyncio.TimerHandle | None = None
        self._mute = False
        self._silence_noted = False

    # Setting up.

    def prepare(self, url: str) -> list[str]:
        """Read what the URL asks for: sample rate and custom parameters (exotel-platform C.7).

        Gives what is over the limits.
        """
        self._parameters, problems = custom_parameters(url)
        self.rate, problem = sample_rate(url)
        for text in [*problems, *([problem] if problem else [])]:
            self.call.trace.note("warning", applet=self.name, text=text)
        self.playout = Playout(self.rate, keep=self.record)
        self.watch = ViolationWatch(self.rate)
        return problems

    def begin(self) -> None:
        """The link is up: introduce the stream, then let frames flow."""
        assert self.link is not None
        call = self.call
        self.began = call.clock.now()
        call.streams.append(self)
        style = Style(camel_keys=self.behaviour.camel_keys, int_numbers=self.behaviour.int_numbers)
        self._sender = MessageSender(self.link, call.trace, self.sid, style)
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
        self._sender.start(start)
        self._every = self.behaviour.frame_ms // 20
        self._beats = 0
        self._later(self.behaviour.stream_limit_s, self._finish, "limit")
        faults, place = call.network.faults, call.place(self.name, self.dialled)
        if crash := faults.strike("bot-crash", place, call.chance):
            call.trace.note("fault", fault="bot-crash", applet=self.name)
            self._later(crash.seconds, self._drop, 1006)
        if closes := faults.strike("bot-closes", place, call.chance):
            call.trace.note("fault", fault="bot-closes", applet=self.name, code=closes.code)
            self._later(closes.seconds, self._drop, closes.code)
        self._mute = call.fault("bot-silent", self.name, self.dialled)
        self._bot_life = BotLife(call, self.name, self.dialled, lambda: self._drop(1006))
        self._leave_beat = self._frame_clock.join(self._beat)

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
        elapsed = self.frames_sent * ms
        payload = frame_at(self.call.heard, self.began + elapsed / 1000, self.rate, ms)
        self.frames_sent += 1
        self._sender.frame(self.frames_sent, elapsed, payload)
        if (
            self.both_ways
            and self.first_sound_s is None
            and not self._silence_noted
            and elapsed >= _SILENCE_AFTER_S * 1000
        ):
            self._silence_noted = True
            sent = self.first_audio_s is not None
            self._report(self.watch.silence(elapsed / 1000, sent=sent))

    def on_text(self, text: bytes) -> None:
        """A message of the bot's."""
        if self._ended_by is not None or self._mute:
            return
        if self._bot_life is not None and self._bot_life.hangs:
            return
        said = bot_media.read_bot(text)
        now = self.call.clock.now()
        if isinstance(said, bot_media.BotMedia):
            if self._is_right("media", said):
                self._take_media(said, now)
            if self.call.trace.media:
                self.call.trace.note_media("received", text)
            return
        self.call.trace.note("received", text=text[:2000].decode(errors="replace"))
        match said:
            case bot_media.BotMark() | bot_media.BotClear() if not self._is_right(
                "mark" if isinstance(said, bot_media.BotMark) else "clear", said
            ):
                pass
            case bot_media.BotMark():
                self.playout.mark(now, said.name)
                self._echo_marks()
            case bot_media.BotClear():
                _, forgotten = self.playout.clear(now)
                if self.behaviour.echo_cleared_marks:
                    for name in forgotten:
                        self._sender.mark(name)
            case bot_media.BotOther():
                self._report(self.watch.unknown_event(said.event))
            case UnreadableMessage():
                self._report(self.watch.unreadable(said.problem))

    def _is_right(
        self, event: str, said: bot_media.BotMedia | bot_media.BotMark | bot_media.BotClear
    ) -> bool:
        """Whether there is something to do for a bot's message; what is wrong is told."""
        if not self.both_ways:
            self._report(self.watch.one_way(event))
            return False
        self._report(self.watch.stream_sid(event, said.stream_sid, self.sid))
        if said.camel_key and said.stream_sid is not None and not self.behaviour.camel_keys:
            self._report(self.watch.other_spelling(event))
        return True

    def _take_media(self, said: bot_media.BotMedia, now: float) -> None:
        if self.first_audio_s is None:
            self.first_audio_s = round(now - self.began, 6)
            self.call.trace.note("first_audio", applet=self.name, seconds=self.first_audio_s)
            self._report(self.watch.raw(said.payload))
        if said.problems:
            self._report(self.watch.bad_base64(said.problems[0]))
        self._report(self.watch.sound(said.payload))
        ahead = self.playout.heard_until - now
        if self.first_sound_s is None and not is_silent(said.payload):
            self.first_sound_s = round(max(ahead, 0.0) + now - self.began, 6)
            self.call.trace.note("first_sound", applet=self.name, seconds=self.first_sound_s)
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
            self._sender.mark(name)
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None
        if self.playout.next_due is not None and self._ended_by is None:
            wait = max(0.0, self.playout.next_due - now)
            self._mark_timer = self.call.clock.loop.call_later(wait, self._echo_marks)

    def on_binary(self, size: int) -> None:
        """A frame that should have been text."""
        if self._ended_by is None:
            self._report(self.watch.binary_frame(size))

    def on_closed(self, code: int, reason: str) -> None:
        """The link is down, whoever closed it."""
        if self._ended_by is None:
            note = self.call.trace.note
            note("bot_closed", applet=self.name, code=code, reason=reason or None)
            self._closed = (code, reason)
            self._finish("bot")

    def dtmf(self, digit: str) -> None:
        """The caller pressed a key."""
        if self.both_ways and self._ended_by is None:
            self._sender.dtmf(digit)

    def _report(self, breaches: list[Violation] | Violation | None) -> None:
        for breach in [breaches] if isinstance(breaches, Violation) else breaches or []:
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

    async def outcome(self) -> StreamParameters:
        """Wait for the end of the conversation: the bot's, the caller's, or the limit's."""
        gone = asyncio.ensure_future(self.call.gone.wait())
        try:
            await asyncio.wait((self._over, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not self._over.done():
                self._finish("caller" if self.call.ending == "caller" else "limit")
        assert self.stream_outcome is not None
        return self.stream_outcome

    async def end(self, by: End) -> None:
        """End it from our side."""
        self._finish(by)

    def _drop(self, code: int) -> None:
        """End it as if the bot had: a fault."""
        if self._ended_by is None:
            self._closed = (code, "")
            self._finish("bot")

    def _finish(self, by: End) -> None:
        if self._ended_by is not None:
            return
        self._ended_by = by
        now = self.call.clock.now()
        self.seconds = now - self.began
        self._leave_beat()
        if self._bot_life is not None:
            self._bot_life.leave()
        for timer in [*self._timers, *([self._mark_timer] if self._mark_timer else [])]:
            timer.cancel()
        call = self.call
        if by != "bot":
            # `stopped` for a Stop applet and the cap, else `callended` (exotel-platform G-44).
            reason = "stopped" if by in ("stop", "limit") else "callended"
            self._sender.stop(call.facts.sid, call.line.sid, reason)
        if self.link is not None:
            self.link.close(1000)
        self.stream_outcome = stream_outcome(
            by,
            self._closed,
            self.behaviour,
            sid=self.sid,
            url=self.url,
            seconds=self.seconds,
            recording_url=call.network.recording_url(call.line, self.sid) if self.record else None,
            unanswered=self.both_ways and self.first_audio_s is None,
        )
        _note_media(self, now, by)
        self._tell_closed(self)
        if not self._over.done():
            self._over.set_result(None)


def _note_media(session: StreamSession, now: float, by: End) -> None:
    """What went over a stream that ended now, and how much of it was heard."""
    note, unheard_s = session.call.trace.note, round(session.playout.unheard_s(now), 3)
    if by == "bot" and unheard_s > _CUT_OFF_S:
        note("cut_off", applet=session.name, seconds=unheard_s)
    note(
        "media",
        applet=session.name,
        ended_by=by,
        one_way=not session.both_ways or None,
        seconds=round(session.seconds, 3),
        frames_sent=session.frames_sent,
        heard_s=round(session.playout.heard_s(now), 3),
        unheard_s=unheard_s or None,
        breaches=dict(session.watch.counts) or None,
    )
