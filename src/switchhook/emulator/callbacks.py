"""What Exotel tells without being asked: status callbacks of calls, and heartbeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.emulator.exchange import Watcher
from switchhook.emulator.parameters import national
from switchhook.emulator.urls import shown
from switchhook.errors import SwitchhookError
from switchhook.wire import status_callback
from switchhook.wire.calls import ist_text
from switchhook.wire.status_callback import Heartbeat, StatusCallback, build_heartbeat

if TYPE_CHECKING:
    from switchhook.emulator.call import Call
    from switchhook.emulator.exchange import Exchange

LIMIT_S = 15.0
"""How long a callback's server may take (platform.md E.3)."""


def status_of(call: Call) -> str:
    """How the API says a call stands (E.2)."""
    if call.ended is None:
        return "in-progress" if call.answered else "queued"
    return call.ending if call.ending in ("busy", "no-answer", "failed") else "completed"


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

    A flow's streams are told of by their passthrus only (E.4).
    """
    if call.dialled is not None and call.dialled.recording_url is not None:
        return call.dialled.recording_url
    asked = call.wanted is not None and call.wanted.mode == "voice_ai" and call.wanted.record
    return call.told.recording_url if asked and call.told is not None else None


class Callbacks(Watcher):
    """Sends each call's status callbacks."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def on_answer(self, call: Call) -> None:
        """`answered`, where it was asked for."""
        if call.wanted is not None and "answered" in call.wanted.status_events:
            self._send(call, "answered")

    def on_end(self, call: Call) -> None:
        """`terminal`, unless other events were asked for and this one was not."""
        if call.wanted is not None and "terminal" in (call.wanted.status_events or ("terminal",)):
            self._send(call, "terminal")

    def _send(self, call: Call, event: str) -> None:
        wanted = call.wanted
        if wanted is not None and wanted.status_callback:
            self._exchange.spawn(self._deliver(call, event, wanted.status_callback))

    async def _deliver(self, call: Call, event: str, url: str) -> None:
        wanted = call.wanted
        assert wanted is not None
        if call.fault("callback-lost", "status callback"):
            return
        said = described(call, event if wanted.status_events else None)
        # The detailed form is for two numbers, or where it was asked for (E.3).
        full = call.line.behaviour.status_callback == "full" or bool(wanted.status_events)
        build = status_callback.build_full if full else status_callback.build_minimal
        content_type, body = build(said, json=wanted.status_json)
        call.trace.note("callback", event=event, url=shown(url), body=body.decode())
        try:
            reply = await self._exchange.web.send(
                "POST", url, headers=[("Content-Type", content_type)], body=body, limit_s=LIMIT_S
            )
        except SwitchhookError as error:
            call.trace.note("callback_failed", text=str(error))
        else:
            call.trace.note("callback_answer", status=reply.status)


def described(call: Call, event: str | None) -> StatusCallback:
    """What a callback says of a call."""
    wanted = call.wanted
    return StatusCallback(
        call_sid=call.facts.sid,
        status=status_of(call),
        date_updated=ist_text(call.clock.date()),
        event_type=event,
        date_created=ist_text(call.created),
        from_=national(call.facts.from_),
        to=wanted.to if wanted is not None else None,
        phone_number_sid=national(call.facts.exophone),
        start_time=ist_text(call.answered or call.created),
        end_time=ist_text(call.ended),
        conversation_duration=str(conversed_s(call)),
        direction="outbound-api",
        custom_field=call.facts.custom_field,
        recording_url=recording_url_of(call) if call.ended is not None else None,
        legs=_legs(call),
    )


def _legs(call: Call) -> tuple[dict[str, str], ...]:
    """The first number's leg, and the second's where it was dialled."""
    first = _leg(on_call_s(call), status_of(call), answered=call.answered is not None)
    if call.dialled is None:
        return (first,)
    status = call.dialled.status
    return (first, _leg(conversed_s(call), status, answered=status == "completed"))


def _leg(seconds: int, status: str, *, answered: bool) -> dict[str, str]:
    by = "Human" if answered else "NA"
    return {"OnCallDuration": str(seconds), "Status": status, "AnsweredBy": by}


async def heartbeat(exchange: Exchange, account: str, status_type: str) -> int | None:
    """Tell an account's own monitor how its numbers are; the answer's status, None for none."""
    url = exchange.plan.account[account].heartbeat_url
    if url is None:
        return None
    numbers = tuple(n for n, at in exchange.plan.number.items() if at.account == account)
    hit = () if status_type == "OK" else numbers
    said = Heartbeat(
        timestamp=exchange.clock.date().isoformat(),
        status_type=status_type,
        incoming_affected=hit,
        outgoing_affected=hit,
    )
    try:
        reply = await exchange.web.send(
            "POST",
            url,
            headers=[("Content-Type", "application/json")],
            body=build_heartbeat(said),
            limit_s=LIMIT_S,
        )
    except SwitchhookError:
        return None
    return reply.status
