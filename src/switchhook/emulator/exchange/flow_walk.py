"""A call walks its flow, applet by applet, as Exotel would walk it.

Once the caller is gone, what is left of the flow passes at once, and only its passthrus still
happen (exotel-platform B.2-1, B.2-3).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from switchhook.emulator.exchange.agents import connect
from switchhook.emulator.exchange.requests import Requests
from switchhook.emulator.plan import flow as applets
from switchhook.emulator.plan.flow import Applet, kind_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.watcher import Watcher
    from switchhook.emulator.net.results import Reply
    from switchhook.emulator.stream.setup import Streaming


class FlowWalk:
    """One call on its way through its flow; `watcher` is told how far it has come."""

    def __init__(self, call: Call, streaming: Streaming, watcher: Watcher) -> None:
        self.call, self._streaming, self._watcher = call, streaming, watcher
        self._requests = Requests(call)
        self._select: str | None = None
        self._passthrus_since_gone = 0
        self._beside: set[asyncio.Future[Reply | None]] = set()
        self._timers: list[asyncio.TimerHandle] = []

    async def run(self) -> None:
        """From the first ring to the end, whatever happens on the way."""
        try:
            if self.call.facts.outbound and not await self._ring_caller():
                return
            self.call.answered = self.call.clock.date()
            self.call.trace.note("answered")
            self._watcher.on_answer(self.call)
            limit = self.call.facts.time_limit_s or self.call.behaviour().call_limit_s
            self._later(limit, lambda: self.call.leave("limit"))
            self._later(self.call.caller.patience_s, lambda: self.call.leave("caller"))
            with self.call.acting(None):
                await self._walk()
            await self._finish_beside()
        finally:
            for timer in self._timers:
                timer.cancel()
            self.call.leave("flow", quietly=True)
            self.call.ended = self.call.clock.date()
            self.call.trace.note("ended", by=self.call.ending)
            self._watcher.on_end(self.call)
            self.call.over.set()

    async def _ring_caller(self) -> bool:
        self.call.trace.note("ringing", number=self.call.facts.from_)
        self._watcher.on_ring(self.call)
        await self.call.spend(self.call.caller.rings_s)
        met = self.call.caller.answers
        if met != "yes" and met != "voicemail":
            self.call.leave(met)
        return not self.call.gone.is_set()

    # Walking.

    async def _walk(self) -> None:
        name: str | None = self.call.flow.first
        while name is not None:
            applet = self.call.flow.applet[name]
            self.call.trace.note("applet", name=name, kind=kind_of(applet))
            if isinstance(applet, applets.Hangup):
                return
            if self._is_pointless(applet):
                self.call.trace.note("stopped", why="nobody is on the line any more")
                return
            with self.call.acting(name):
                name = await self._do(name, applet)
        if not self.call.gone.is_set():
            self.call.trace.note(
                "warning",
                text="nothing follows this output: the caller hears silence until they hang up",
            )
            await self.call.gone.wait()

    def _is_pointless(self, applet: Applet) -> bool:
        """Without a caller, a flow is walked as far as its passthrus reach, and no stream again."""
        after_passthru = self._passthrus_since_gone > 0
        streams = isinstance(applet, applets.Voicebot | applets.Stream)
        people = isinstance(applet, applets.Connect | applets.Voicemail)
        return self.call.gone.is_set() and (people or (after_passthru and streams))

    async def _do(self, name: str, applet: Applet) -> str | None:
        match applet:
            case applets.Greeting():
                await self.call.spend(applet.seconds)
                return applet.next
            case applets.Gather():
                await self._gather(applet)
                return applet.next
            case applets.Menu():
                return await self._choose(applet)
            case applets.Voicebot():
                await self._streaming.converse(self.call, name, applet)
                return applet.next
            case applets.Stream():
                await self._streaming.fork(self.call, name, applet)
                return applet.next
            case applets.Passthru(mode="async"):
                self._spawn(self._requests.passthru(name, applet))
                return applet.next
            case applets.Passthru():
                return await self._passthru_sync(name, applet)
            case applets.SwitchCase():
                return self._switch(applet)
            case applets.Connect():
                dialled = self.call.dialled = await connect(self.call, applet)
                return applet.answered if dialled.status == "completed" else applet.no_answer
            case applets.Voicemail():
                await self._voicemail(applet)
                return applet.next
            case applets.Hangup():
                raise AssertionError(applet)

    async def _key(self, wait_s: float) -> str | None:
        """The next key, or None when it doesn't come in time or at all."""
        if self.call.gone.is_set():
            return None
        pressed = asyncio.ensure_future(self.call.keys.get())
        gone = asyncio.ensure_future(self.call.gone.wait())
        try:
            await asyncio.wait((pressed, gone), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            return pressed.result() if pressed.done() else None
        finally:
            pressed.cancel()
            gone.cancel()

    async def _gather(self, applet: applets.Gather) -> None:
        digits = ""
        wait_s = applet.prompt_s + applet.wait_s  # one may type into the prompt
        while len(digits) < applet.most_digits:
            key = await self._key(wait_s)
            if key is None or key == applet.finish_on:
                break
            digits, wait_s = digits + key, applet.wait_s
        if digits:
            self.call.digits = digits
        self.call.trace.note("gathered", digits=digits)

    async def _choose(self, applet: applets.Menu) -> str | None:
        key = await self._key(applet.prompt_s + applet.wait_s)
        if key is not None:
            self.call.digits = key
        chosen = applet.keys.get(key or "", applet.otherwise)
        self.call.trace.note("chosen", key=key, next=chosen)
        return chosen

    # Passthru.

    async def _passthru_sync(self, name: str, applet: applets.Passthru) -> str | None:
        reply = await self._requests.passthru(name, applet)
        option = "a" if reply is not None and reply.status == 200 else "b"
        chosen = applet.a if option == "a" else applet.b
        self.call.trace.note(
            "option",
            applet=name,
            option=option.upper(),
            next=chosen,
            unheard=self.call.gone.is_set(),
        )
        if self.call.gone.is_set():
            self._passthrus_since_gone += 1
        follows = self.call.flow.applet.get(chosen or "")
        self._select = None
        if isinstance(follows, applets.SwitchCase) and reply is not None:
            self._select = self._read_select(reply)
        return chosen

    def _read_select(self, reply: Reply) -> str | None:
        try:
            said = json.loads(reply.body)
        except ValueError:
            said = None
        if isinstance(said, dict) and isinstance(said.get("select"), str):
            return str(said["select"])
        self.call.trace.note(
            "warning",
            text='SwitchCase follows, but the body of the answer is no JSON object with "select":'
            f" {reply.body[:80].decode(errors='replace')!r}",
        )
        return None

    def _switch(self, applet: applets.SwitchCase) -> str | None:
        chosen = applet.cases.get(self._select or "", applet.otherwise)
        self.call.trace.note("switched", select=self._select, next=chosen)
        return chosen

    async def _voicemail(self, applet: applets.Voicemail) -> None:
        self.call.trace.note("voicemail")
        await self.call.spend(applet.seconds)
        self.call.voicemail_url = self.call.recording_url()

    # Beside the walk.

    def _later(self, seconds: float, act: object) -> None:
        self._timers.append(self.call.clock.loop.call_later(seconds, act))  # type: ignore[arg-type]

    def _spawn(self, work: Coroutine[None, None, Reply | None]) -> None:
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _finish_beside(self) -> None:
        """Let async passthrus end, close forked streams, send what was held back."""
        for stream in list(self.call.streams):
            await stream.end("caller" if self.call.ending == "caller" else "flow")
        while self._beside:
            await asyncio.wait(self._beside)
        await self._requests.release_held()
