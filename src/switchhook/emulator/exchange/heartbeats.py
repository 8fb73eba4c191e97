"""Heartbeats: Exotel tells an account's own monitor how its numbers are (exotel-platform E.7)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from switchhook.emulator.net.urls import shown
from switchhook.emulator.net.webhook import Post, Posted, post
from switchhook.emulator.plan.plan import HeartbeatPlan
from switchhook.exotel.wire.status_callback import Heartbeat, build_heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from datetime import datetime

    from switchhook.emulator.call.trace import Entry
    from switchhook.emulator.clock import Clock
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.http_client import Web
    from switchhook.emulator.plan.plan import Plan

LARGEST = 10_000_000
"""Bytes of a heartbeat; one that is larger says PAYLOAD_TOO_LARGE and nothing else."""

_KEPT = 1000


def built(beat: HeartbeatPlan, numbers: Iterable[str], at: datetime) -> bytes:
    """The body of a heartbeat of an account with these numbers."""
    hit = () if beat.status_type in ("OK", "PAYLOAD_TOO_LARGE") else tuple(numbers)
    incoming, outgoing = beat.incoming_affected, beat.outgoing_affected
    body = build_heartbeat(
        Heartbeat(
            timestamp=at.isoformat(timespec="seconds"),
            status_type=beat.status_type,
            incoming_affected=hit if incoming is None else incoming,
            outgoing_affected=hit if outgoing is None else outgoing,
            data=beat.data,
        )
    )
    if len(body) > LARGEST:
        return built(HeartbeatPlan(status_type="PAYLOAD_TOO_LARGE"), (), at)
    return body


class Heartbeats:
    """Sends an exchange's heartbeats: those of its plan by themselves, others when told."""

    def __init__(
        self,
        plan: Plan,
        lines: Mapping[str, AccountLine],
        clock: Clock,
        web: Web,
        linger: Callable[[Coroutine[None, None, None]], None],
        tell: Callable[[Entry], None],
    ) -> None:
        self._plan, self._lines, self._clock, self._web = plan, lines, clock, web
        self._linger, self._tell = linger, tell
        self.sent: deque[Entry] = deque(maxlen=_KEPT)
        """Every attempt, the newest last."""

    def start(self) -> None:
        """Let those come that the plan names."""
        for beat in self._plan.heartbeat:
            self._linger(self._repeat(beat))

    async def send(self, sid: str, beat: HeartbeatPlan) -> Posted | None:
        """Tell an account's monitor, and how it answered at first; None where it has none.

        A heartbeat that isn't taken is sent again later.
        """
        line = self._lines[sid]
        url, behaviour = line.account.heartbeat_url, line.behaviour
        if url is None:
            return None
        numbers = [n for n, at in self._plan.number.items() if at.account == sid]
        body = built(beat, numbers, self._clock.date())
        letter = Post(url, "application/json", body, behaviour.callback_limit_s)
        result = await self._attempt(sid, beat, letter, 1)
        if not result.taken and not result.refused:
            self._linger(self._again(sid, beat, letter, behaviour.heartbeat_retry_after_s))
        return result

    async def _attempt(self, sid: str, beat: HeartbeatPlan, letter: Post, attempt: int) -> Posted:
        at = self._clock.date()
        result = await post(self._web, letter)
        entry: Entry = {
            "at": at.isoformat(),
            "account": sid,
            "status_type": beat.status_type,
            "url": shown(letter.url),
            "attempt": attempt,
            "status": result.status,
            "problem": result.problem or None,
        }
        self.sent.append(entry)
        self._tell(entry)
        return result

    async def _again(
        self, sid: str, beat: HeartbeatPlan, letter: Post, retry_after_s: tuple[float, ...]
    ) -> None:
        for attempt, wait_s in enumerate(retry_after_s, 2):
            await asyncio.sleep(wait_s)
            if (await self._attempt(sid, beat, letter, attempt)).taken:
                return

    async def _repeat(self, beat: HeartbeatPlan) -> None:
        await asyncio.sleep(beat.after_s)
        while True:
            for sid in [beat.account] if beat.account else list(self._lines):
                await self.send(sid, beat)
            if beat.every_s is None:
                return
            await asyncio.sleep(beat.every_s)
