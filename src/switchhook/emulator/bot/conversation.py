"""What the bot says when, and when it stops."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from switchhook.emulator.bot.protocol import decode
from switchhook.emulator.bot.sound import MULTIPLE_B, SAMPLE_B, beep, chunks, speech
from switchhook.emulator.bot.voice_activity import VoiceActivity

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.emulator.bot.protocol import BotConnection, Start
    from switchhook.emulator.bot.script import BotScript, Violation
    from switchhook.emulator.net.asgi import Receive

_CHUNK_S = 0.2
_PACE = 0.9
_LEAST_B = 3200
_BREACH_CHUNK_B: dict[str | None, int] = {
    "oversize": 100_480,
    "tiny": 320,
    "ragged": 3300,
    "odd": 3201,
}
_BURST_S = 30.0

Ending = Literal["talked", "stopped", "gone"]


class Conversation:
    """One stream, from `start` on."""

    def __init__(self, script: BotScript, start: Start, line: BotConnection) -> None:
        self._script = script
        self._line = line
        self._rate = start.media_format.sample_rate
        self._ear = VoiceActivity(self._rate)
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
            heard = decode(message)
            if heard.media is not None:
                change = self._ear.hear(heard.media.payload)
                if change is None:
                    continue  # as after nearly every frame: no need to wake the talk
                self._interrupted |= change == "began"
                self._answered |= change == "finished"
            elif heard.mark is not None:
                self._played |= heard.mark.name == self._mark
            elif heard.dtmf is not None and self._script.turns != 0:
                await self._line.media(beep(self._rate))
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
        least = size / (SAMPLE_B * self._rate)
        audio = speech(self._rate, _BURST_S if burst else max(self._script.length, least), turn)
        next_at = asyncio.get_running_loop().time()
        for number, chunk in enumerate(chunks(audio, size)):
            await self._send(chunk, self._script.breach if number == 0 else None)
            if burst:
                continue
            next_at += _PACE * len(chunk) / (SAMPLE_B * self._rate)
            rest = next_at - asyncio.get_running_loop().time()
            if await self._until(lambda: self._interrupted, rest):
                await self._line.clear()
                return
        await self._line.mark(self._mark)
        # No mark comes back from those who don't know it; its audio is over by then all the same.
        longest = len(audio) / (SAMPLE_B * self._rate) + 1.0
        await self._until(lambda: self._interrupted or self._played, longest)
        if self._interrupted and not self._played:
            await self._line.clear()

    def _chunk_size(self) -> int:
        if self._script.breach in _BREACH_CHUNK_B:
            return _BREACH_CHUNK_B[self._script.breach]
        multiples = round(self._rate * _CHUNK_S * SAMPLE_B / MULTIPLE_B)
        return max(_LEAST_B, multiples * MULTIPLE_B)

    async def _send(self, chunk: bytes, breach: Violation | None) -> None:
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
