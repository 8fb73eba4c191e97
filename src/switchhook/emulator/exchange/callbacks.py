"""What Exotel tells of calls without being asked: status callbacks (exotel-platform E.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.call.parameters import national
from switchhook.emulator.exchange.watcher import Watcher
from switchhook.emulator.net.urls import shown
from switchhook.emulator.net.webhook import Post, post
from switchhook.exotel.wire import status_callback
from switchhook.exotel.wire.ist_time import ist_text
from switchhook.exotel.wire.status_callback import StatusCallback

if TYPE_CHECKING:
    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.exchange import Exchange


def status_of(call: Call) -> str:
    """How the API says a call stands (exotel-platform E.2)."""
    if call.ended is None:
        return "in-progress" if call.answered else "queued"
    if call.ending == "declined":
        return "busy"  # no word of Exotel's says who of the two hung up: its leg does
    return call.ending if call.ending in ("busy", "no-answer", "failed") else "completed"


def leg_status_of(call: Call) -> str:
    """How the leg of the first number stands: as the call, unless they pressed it away."""
    return "canceled" if call.ending == "declined" else status_of(call)


def direction_of(call: Call) -> str:
    """How the API names a call's way; passthrus have other words (exotel-platform E.2)."""
    return "outbound-api" if call.facts.outbound else "inbound"


def conversed_s(call: Call) -> int:
    """Whole seconds that two talked: with the second number where one was dialled."""
    if call.dialled is not None:
        return sum(leg.talk_s for leg in call.dialled.legs)
    return on_call_s(call)


def on_call_s(call: Call) -> int:
    """Whole seconds for which the first number has been, or was, on the line."""
    if call.answered is None:
        return 0
    return int(((call.ended or call.clock.date()) - call.answered).total_seconds())


def recording_url_of(call: Call) -> str | None:
    """Where the call's own recording will be; None where it has none.

    A flow's streams are told of by their passthrus only (exotel-platform E.4).
    """
    if call.dialled is not None and call.dialled.recording_url is not None:
        return call.dialled.recording_url
    asked = call.wanted is not None and call.wanted.mode == "voice_ai" and call.wanted.record
    return call.stream_outcome.recording_url if asked and call.stream_outcome is not None else None


class CallbackRequest(msgspec.Struct, frozen=True):
    """Who is to be told of a call, of which events, and in which form."""

    url: str
    events: tuple[str, ...]
    json: bool


def wanted_of(call: Call) -> CallbackRequest | None:
    """What the request asked for that made the call; for other calls, what the account says."""
    asked, account = call.wanted, call.line.account
    if asked is not None:
        url, events, json = asked.status_callback, asked.status_events, asked.status_json
    else:
        url = account.status_callback_url
        events, json = account.status_callback_events, account.status_callback_json
    return CallbackRequest(url, events, json) if url else None


class Callbacks(Watcher):
    """Sends each call's status callbacks."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def on_ring(self, call: Call) -> None:
        """`ringing`, where it was asked for."""
        self._if_asked(call, "ringing")

    def on_answer(self, call: Call) -> None:
        """`answered`, where it was asked for."""
        self._if_asked(call, "answered")

    def _if_asked(self, call: Call, event: str) -> None:
        wanted = wanted_of(call)
        if wanted is not None and event in wanted.events:
            self._exchange.spawn(self._tell(call, event, wanted))

    def on_end(self, call: Call) -> None:
        """`terminal`, unless other events were asked for and this one was not."""
        wanted = wanted_of(call)
        if wanted is not None and "terminal" in (wanted.events or ("terminal",)):
            self._exchange.spawn(self._tell(call, "terminal", wanted))

    async def _tell(self, call: Call, event: str, wanted: CallbackRequest) -> None:
        """Send one; what fails is sent again later, which nobody has to wait for."""
        if call.fault("callback-lost", "status callback"):
            return
        behaviour = call.line.behaviour
        said = described(call, event if wanted.events else None)
        # The detailed form is for two numbers, or where it was asked for (exotel-platform E.3).
        full = behaviour.status_callback == "full" or bool(wanted.events)
        build = status_callback.build_full if full else status_callback.build_minimal
        content_type, body = build(said, json=wanted.json)
        strike = self._exchange.faults.strike
        if late := strike("callback-late", call.place(), call.chance):
            call.trace.note("fault", fault="callback-late", event=event, seconds=late.seconds)
            await asyncio.sleep(late.seconds)
        letter = Post(wanted.url, content_type, body, behaviour.callback_limit_s)
        await self._attempt(call, event, letter, behaviour.callback_retry_after_s)
        if call.fault("callback-twice", "status callback"):
            await self._attempt(call, event, letter, ())

    async def _attempt(
        self, call: Call, event: str, letter: Post, retry_after_s: tuple[float, ...]
    ) -> None:
        note = call.trace.note
        body = letter.body.decode()
        note("callback", event=event, url=shown(letter.url), body=body)
        result = await post(self._exchange.web, letter)
        if result.status is not None:
            note("callback_answer", event=event, status=result.status)
        else:
            note("callback_failed", event=event, text=result.problem)
        if result.taken or result.refused:
            return
        if retry_after_s:
            self._exchange.linger(self._again(call, event, letter, retry_after_s))
        else:
            note("warning", text=f"the status callback {event!r} was never taken: no 2xx came")

    async def _again(
        self, call: Call, event: str, letter: Post, retry_after_s: tuple[float, ...]
    ) -> None:
        await asyncio.sleep(retry_after_s[0])
        await self._attempt(call, event, letter, retry_after_s[1:])


def described(call: Call, event: str | None) -> StatusCallback:
    """What a callback says of a call."""
    exophone = national(call.facts.exophone)
    return StatusCallback(
        call_sid=call.facts.sid,
        status="ringing" if event == "ringing" else status_of(call),
        date_updated=ist_text(call.clock.date()),
        event_type=event,
        date_created=ist_text(call.created),
        from_=national(call.facts.from_),
        to=call.wanted.to if call.wanted is not None else exophone,
        phone_number_sid=exophone,
        start_time=ist_text(call.answered or call.created),
        end_time=ist_text(call.ended),
        conversation_duration=str(conversed_s(call)),
        direction=direction_of(call),
        custom_field=call.facts.custom_field,
        recording_url=recording_url_of(call) if call.ended is not None else None,
        legs=_legs(call),
    )


def _legs(call: Call) -> tuple[dict[str, str], ...]:
    """The first number's leg, and the second's where it was dialled."""
    by = {"human": "Human", "machine": "Machine", None: "NA"}[call.answered_by]
    first = _leg(on_call_s(call), leg_status_of(call), by)
    if call.dialled is None:
        return (first,)
    status = call.dialled.status
    return (first, _leg(conversed_s(call), status, "Human" if status == "completed" else "NA"))


def _leg(seconds: int, status: str, by: str) -> dict[str, str]:
    return {"OnCallDuration": str(seconds), "Status": status, "AnsweredBy": by}
