"""`Calls/connect`: what is asked for, who may be called, and every way in which it goes wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from starlette.background import BackgroundTask

from switchhook.emulator.api.call_list import call_record
from switchhook.emulator.api.refusal import (
    RefusedRequestError,
    injected,
    injected_for_now,
    why_not_called,
)
from switchhook.emulator.api.replies import reply, whole_body
from switchhook.emulator.call.faults import FaultSite
from switchhook.emulator.net.asgi import DROP, WRITE
from switchhook.emulator.plan.flow import Applet, Connect, Flow, Hangup, Stream, Voicebot
from switchhook.exotel.fields import Unusable, e164
from switchhook.exotel.wire import calls
from switchhook.exotel.wire.connect import ConnectRequest, read_connect
from switchhook.exotel.wire.request import Request as WireRequest
from switchhook.exotel.wire.request import body_pairs, is_json
from switchhook.exotel.wire.rest_error import RestError

if TYPE_CHECKING:
    import random

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.plan.plan import Caller, Fault, FaultKind
    from switchhook.exotel.wire.query import Pairs

_NO_FORM = RestError(
    400,
    "Invalid parameter From: got nothing, expected a phone number. The body is JSON, which is not"
    " read here: send a form (application/x-www-form-urlencoded or multipart/form-data)",
)


class Connecting:
    """Calls whom programs ask it to call."""

    def __init__(self, exchange: Exchange, chance: random.Random) -> None:
        self._exchange, self._chance = exchange, chance

    async def connect(self, request: Request, line: AccountLine, xml: bool) -> Response:
        """One call; a fault may refuse it, or lose the answer before or after it was placed."""
        wanted, pairs = await _wanted(request, line)
        number, flow_name, flow = self._where(line, wanted)
        to = _number("From", wanted.from_)
        site = FaultSite(account=line.sid, number=number, flow=flow_name or None)
        self._refuse(line, to, site)
        if before := self._struck("connect-before", site):
            return await _unanswered(request, before, xml)
        await asyncio.sleep(line.behaviour.originate_s)
        call = self._exchange.originate(
            line.sid,
            to,
            number,
            flow_name,
            ad_hoc=flow,
            caller=self._ringing(to, wanted),
            custom_field=wanted.custom_field,
            time_limit_s=wanted.time_limit_s,
            wanted=wanted,
        )
        if any(key == "StreamBegin" for key, _ in pairs):
            call.trace.note(
                "warning",
                text="what StreamBegin means is undocumented: here the stream begins when the first"
                " number answers",
            )
        return await self._told(request, call, site, xml)

    def _refuse(self, line: AccountLine, to: str, site: FaultSite) -> None:
        if refused := self._struck("connect-refused", site):
            raise injected_for_now(refused)
        whitelisted = line.whitelisted_s(to, self._exchange.clock.date()) > 0
        person = self._exchange.caller_of(to)
        why = why_not_called(line.account, person, to, whitelisted=whitelisted)
        if why is not None:
            raise RefusedRequestError(why)

    async def _told(self, request: Request, call: Call, site: FaultSite, xml: bool) -> Response:
        """The answer of a call that was placed, if it comes."""
        if failed := self._struck("connect-5xx-after", site, call):
            raise injected(failed)
        if after := self._struck("connect-after", site, call):
            return await _unanswered(request, after, xml)
        if late := self._struck("connect-late", site, call):
            await asyncio.sleep(late.seconds)
        record = call_record(call, self._exchange.clock.date())
        answer = reply(calls.build_call(record, xml=xml), xml)
        if self._struck("connect-twice", site, call):
            # A peer in this process has no connection for a second answer to come on.
            write = request.scope["state"].get(WRITE, lambda _: None)
            answer.background = BackgroundTask(write, _as_bytes(answer))
        return answer

    def _struck(self, what: FaultKind, site: FaultSite, call: Call | None = None) -> Fault | None:
        struck = self._exchange.faults.strike(what, site, self._chance)
        if struck is not None and call is not None:
            call.trace.note("fault", fault=what)
        return struck

    def _where(self, line: AccountLine, wanted: ConnectRequest) -> tuple[str, str, Flow | None]:
        """The ExoPhone that calls, and the flow that it leads to."""
        plan = self._exchange.plan
        number = _number("CallerId", wanted.caller_id)
        owner = plan.number.get(number)
        if owner is None or owner.account != line.sid:
            raise RefusedRequestError(
                RestError(400, f"CallerId {wanted.caller_id} is not a valid ExoPhone of yours")
            )
        if wanted.mode == "flow":
            for name, flow in plan.flow.items():
                if wanted.app_id in (name, flow.id):
                    return number, name, None
            raise RefusedRequestError(RestError(400, f"Url names no app: {wanted.app_id!r}"))
        if wanted.mode == "two_numbers":
            agent = Connect(
                numbers=(_number("To", wanted.to or ""),),
                record=wanted.record,
                answered="end",
                no_answer="end",
            )
            steps: dict[str, Applet] = {"to": agent, "end": Hangup()}
            if wanted.stream_url is None:
                return number, "", Flow(first="to", applet=steps)
            steps["fork"] = Stream(url=wanted.stream_url, next="to")
            return number, "", Flow(first="fork", applet=steps)
        bot = Voicebot(url=wanted.stream_url or "", record=wanted.record, next="end")
        return number, "", Flow(first="bot", applet={"bot": bot, "end": Hangup()})

    def _ringing(self, number: str, wanted: ConnectRequest) -> Caller:
        caller = self._exchange.caller_of(number)
        if wanted.ring_s is not None and caller.rings_s > wanted.ring_s:
            return msgspec.structs.replace(caller, answers="no-answer", rings_s=wanted.ring_s)
        return caller


async def _unanswered(request: Request, fault: Fault, xml: bool) -> Response:
    """Silence for as long as the fault says, then the connection is cut."""
    await asyncio.sleep(fault.seconds)
    request.scope["state"][DROP]()
    return reply(b"", xml)  # nobody hears it


def _as_bytes(answer: Response) -> bytes:
    """An answer as it stands on the wire."""
    lines = [b"HTTP/1.1 200 OK", *(name + b": " + value for name, value in answer.raw_headers)]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])


async def _wanted(request: Request, line: AccountLine) -> tuple[ConnectRequest, Pairs]:
    """What a request asks for, and its parameters."""
    body = await whole_body(request)
    wire = WireRequest(b"", "POST", request.headers.get("content-type"), body)
    if is_json(wire):
        raise RefusedRequestError(_NO_FORM)
    encoded = b"statuscallbackevents%5b" in body.lower()
    pairs = body_pairs(wire, [])
    refuses = line.behaviour.refuse_encoded_brackets
    wanted = read_connect(pairs, encoded_brackets=encoded and refuses)
    if isinstance(wanted, RestError):
        raise RefusedRequestError(wanted)
    return wanted, pairs


def _number(name: str, text: str) -> str:
    number = e164(text.strip(), "IN")
    if number is None or isinstance(number, Unusable):
        raise RefusedRequestError(
            RestError(400, f"Invalid parameter {name}: got {text[:30]!r}, expected a phone number")
        )
    return number
