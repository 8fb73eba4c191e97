"""Setting streams up: the limit, the dynamic URL, the handshake and its retry; and their slots.

A stream that is open is a `StreamSession` (session.py).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.call.parameters import StreamParameters
from switchhook.emulator.net.go_errors import Failure, FailureKind, stream_error
from switchhook.emulator.net.results import NetError
from switchhook.emulator.net.urls import shown, without_credentials, without_query
from switchhook.emulator.sound.frame_clock import FrameClock
from switchhook.emulator.stream.dial_advice import dial_advice
from switchhook.emulator.stream.dynamic_url import told_url
from switchhook.emulator.stream.outcome import THROTTLED
from switchhook.emulator.stream.session import StreamSession
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from switchhook.emulator.call.call import Call
    from switchhook.emulator.clock import Clock
    from switchhook.emulator.net.media_link import Dial
    from switchhook.emulator.plan.flow import Stream, Voicebot

_KEPT_RECORDINGS = 200


class Streaming:
    """Sets streams up and takes them down, for every call."""

    def __init__(self, clock: Clock, dial: Dial) -> None:
        self._dial = dial
        self.frame_clock = FrameClock(clock.loop)
        self.recordings: dict[str, StreamSession] = {}

    async def converse(self, call: Call, name: str, applet: Voicebot) -> None:
        """A Voicebot applet, to the end of its stream, whose outcome `call` has then."""
        if call.gone.is_set():
            # Gone before there was a stream to name (exotel-platform B.2-1).
            call.stream_outcome = StreamParameters(status="cancelled", disconnected_by="user")
            call.trace.note("stream", applet=name, **call.stream_outcome.fields())
            return
        session = await self._open(call, name, applet.url, record=applet.record, both_ways=True)
        if session is not None:
            call.stream_outcome = await session.outcome()
        assert call.stream_outcome is not None
        call.trace.note("stream", applet=name, **call.stream_outcome.as_shown().fields())

    async def fork(self, call: Call, name: str, applet: Stream) -> None:
        """A Stream applet: start one beside the flow, or stop those that run."""
        if applet.action == "stop":
            for running in list(call.streams):
                await running.end("stop")
                call.stream_outcome = running.stream_outcome
            return
        if call.gone.is_set():
            return
        session = await self._open(call, name, applet.url, record=False, both_ways=False)
        if session is not None:
            # What a passthru says beside it (exotel-platform G-32).
            told = StreamParameters(sid=session.sid, status="in-progress", url=session.url)
            call.stream_outcome = told if call.behaviour(name).tell_running else None

    async def _open(
        self, call: Call, name: str, url: str, *, record: bool, both_ways: bool
    ) -> StreamSession | None:
        """An open stream; None where there is none, with the reason in `call.stream_outcome`."""
        behaviour = call.behaviour(name)
        sid = call.network.mint(call.chance)
        if call.fault("throttled", name) or not call.line.take():
            active, allowed = call.line.active, call.line.allowed
            call.trace.note("throttled", applet=name, active=active, allowed=allowed)
            call.stream_outcome = StreamParameters(status="failed", detailed_status=THROTTLED)
            if behaviour.throttled == "full":
                call.stream_outcome = msgspec.structs.replace(
                    call.stream_outcome, sid=sid, disconnected_by="NA"
                )
            return None
        session = StreamSession(
            call, name, sid, behaviour, record, both_ways, self.frame_clock, self._closed
        )
        work = asyncio.ensure_future(self._set_up(session, url))
        gone = asyncio.ensure_future(call.gone.wait())
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # The caller left while the stream was being set up (exotel-platform B.2-3).
                work.cancel()
                await asyncio.wait((work,))
                await session.abandon()
                call.stream_outcome = StreamParameters(
                    sid=sid, status="cancelled", disconnected_by="user"
                )
                return None
            call.stream_outcome = work.result()
        finally:
            gone.cancel()
            if call.stream_outcome is not None and session.link is None:
                call.line.free()
        return session if session.link is not None else None

    async def _set_up(self, session: StreamSession, url: str) -> StreamParameters | None:
        """Find the URL and dial it, with one more try; what failed is what is told."""
        call, behaviour = session.call, session.behaviour
        recording_url = None
        if behaviour.recording_on_failed:
            recording_url = call.network.recording_url(call.line, session.sid)
        failed = StreamParameters(
            sid=session.sid,
            status="failed",
            duration_s=0,
            recording_url=recording_url,
            disconnected_by="NA",
        )
        if url.lower().startswith(("http://", "https://")):
            found = await told_url(session, url)
            if not found.startswith(("ws://", "wss://")):
                return msgspec.structs.replace(failed, error=found)
            url = found
        over = session.prepare(url)
        if over and behaviour.parameters_over_limit == "reject":
            return msgspec.structs.replace(failed, error=f"3009 invalid stream url: {over[0]}")
        shown_url = url if behaviour.leak_credentials else without_credentials(url)
        failed = msgspec.structs.replace(failed, url=shown_url)
        session.url = shown_url
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

    async def _try(self, session: StreamSession, url: str, *, attempt: int) -> Failure | None:
        call, behaviour = session.call, session.behaviour
        dialled = without_query(url) if behaviour.strip_query else url
        session.dialled = dialled
        call.trace.note("dial", applet=session.name, url=shown(dialled), attempt=attempt)
        began = call.clock.now()
        failure = _injected(call, session.name, dialled) or await self._dial_bot(session, dialled)
        seconds = round(call.clock.now() - began, 6)
        if failure is not None:
            text = stream_error(failure)
            call.trace.note(
                "dial_failed",
                applet=session.name,
                kind=failure.kind.value,
                text=text,
                seconds=seconds,
                status=failure.status,
                advice=dial_advice(failure, shown(dialled)),
            )
            return failure
        call.trace.note("dialled_bot", applet=session.name, seconds=seconds)
        session.begin()
        return None

    async def _dial_bot(self, session: StreamSession, url: str) -> Failure | None:
        """Open the session's link, or say why there is none."""
        call, limit_s = session.call, session.behaviour.handshake_limit_s
        place = call.place(session.name, url)
        try:
            if call.network.faults.on("bot-hangs", place):
                call.trace.note("fault", fault="bot-hangs", applet=session.name)
                await asyncio.sleep(limit_s)
                return Failure(FailureKind.TIMEOUT, address_of(url), "no handshake in time")
            if slow := call.network.faults.strike("bot-slow-handshake", place, call.chance):
                call.trace.note("fault", fault="bot-slow-handshake", applet=session.name)
                await asyncio.sleep(min(slow.seconds, limit_s))
                limit_s -= slow.seconds
            session.link = await self._dial(url, session, headers=[], limit_s=limit_s)
        except NetError as error:
            return error.failure
        except SwitchhookError as error:
            call.trace.note("refused_to_dial", applet=session.name, text=str(error))
            return Failure(FailureKind.UNREACHABLE, None, str(error))
        return None

    def _closed(self, session: StreamSession) -> None:
        """A stream is over: its slot is free (exotel-platform G-35), its recording being made."""
        session.call.line.free()
        if session.call.streams and session in session.call.streams:
            session.call.streams.remove(session)
        if session.record:
            self.recordings[session.sid] = session
            while len(self.recordings) > _KEPT_RECORDINGS:
                del self.recordings[next(iter(self.recordings))]


def address_of(url: str) -> str:
    """Host and port, as an error names them."""
    host = without_credentials(url).partition("://")[2].partition("/")[0].partition("?")[0]
    return host if ":" in host else f"{host}:{443 if url.startswith('wss') else 80}"


def _injected(call: Call, name: str, url: str) -> Failure | None:
    """A failure that a fault asks for, in the place of a dial."""
    address = address_of(url)
    if call.network.faults.on("bot-dies", call.place(name, url)):
        call.trace.note("fault", fault="bot-dies", applet=name)
        return Failure(FailureKind.REFUSED, address, "injected")
    if call.fault("bot-refused", name, url) or call.fault("bot-refused-once", name, url):
        return Failure(FailureKind.REFUSED, address, "injected")
    if call.fault("bot-dns", name, url):
        return Failure(FailureKind.DNS, address, "injected")
    if call.fault("bot-tls", name, url):
        return Failure(FailureKind.TLS, address, "injected")
    if call.fault("bot-401", name, url):
        return Failure(FailureKind.BAD_HANDSHAKE, address, "HTTP status 401", 401)
    return None
