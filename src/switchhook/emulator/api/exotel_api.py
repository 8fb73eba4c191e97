"""Exotel's own HTTP API, version 1: active streams, calls, recordings (exotel-platform D, E).

Published client libraries work with it when their base address is changed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from switchhook.emulator.api.admission import Admission
from switchhook.emulator.api.call_list import call_record, page_of
from switchhook.emulator.api.recordings import FORMATS, sound_of
from switchhook.emulator.api.refusal import REFUSALS, RefusedRequestError
from switchhook.emulator.call.faults import FaultSite
from switchhook.emulator.exchange.callbacks import Callbacks
from switchhook.emulator.net.asgi import DROP
from switchhook.emulator.plan.flow import Applet, Connect, Flow, Hangup, Stream, Voicebot
from switchhook.emulator.plan.plan import Caller
from switchhook.exotel.fields import Unusable, e164
from switchhook.exotel.wire import active_streams, calls
from switchhook.exotel.wire.active_streams import ActiveStreams
from switchhook.exotel.wire.call_filter import read_filter
from switchhook.exotel.wire.calls import CallRecord
from switchhook.exotel.wire.connect import ConnectRequest, read_connect
from switchhook.exotel.wire.query import parse_pairs
from switchhook.exotel.wire.request import Request as WireRequest
from switchhook.exotel.wire.request import body_pairs, is_json
from switchhook.exotel.wire.rest_error import RestError, build_error, build_later_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.asgi import ASGIApp
    from switchhook.exotel.wire.query import Pairs

_LONGEST_BODY = 64 * 1024
_ENCODED_AT_ONCE = 2
_LATER = ("/v2/", "/v3/")
_JSON_ONLY = (*_LATER, "/v2_beta/")
"""Later versions of the API, of which nothing is served here, speak JSON and nothing else."""


_NO_FORM = RestError(
    400,
    "Invalid parameter From: got nothing, expected a phone number. The body is JSON, which is not"
    " read here: send a form (application/x-www-form-urlencoded or multipart/form-data)",
)


def make_rest(exchange: Exchange) -> ASGIApp:
    """The API over an exchange; it also sends the callbacks that calls ask for."""
    exchange.watchers.append(Callbacks(exchange))
    rest = _Rest(exchange)
    account = "/v1/Accounts/{account}"
    streams, connect = f"{account}/ActiveStreams", f"{account}/Calls/connect"
    both: list[tuple[str, Callable[[Request, AccountLine, bool], Awaitable[Response]], str]] = [
        (streams, rest.active_streams, "GET"),
        (connect, rest.connect, "POST"),
        (f"{account}/Calls", rest.list_calls, "GET"),
        (f"{account}/Calls/{{sid}}", rest.call, "GET"),
    ]
    routes = [
        Route(path + suffix, rest.wrap(handle, xml=not suffix), methods=[method])
        for path, handle, method in both
        for suffix in (".json", "")
    ]
    routes.append(Route("/exotelrecordings/{account}/{name}", rest.wrap(rest.recording, xml=True)))
    every = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    routes.append(Route("/{path:path}", rest.nothing, methods=every))
    return Starlette(routes=routes)


class _Rest:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._chance = exchange.chance.stream("rest")
        self._encoding = asyncio.Semaphore(_ENCODED_AT_ONCE)
        self._admission = Admission(exchange)

    def wrap(
        self, handle: Callable[[Request, AccountLine, bool], Awaitable[Response]], *, xml: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        """Who asks, how often, and in which form they are answered."""

        async def handled(request: Request) -> Response:
            try:
                line = self._admission.let_in(request)
                reply = await handle(request, line, xml)
            except RefusedRequestError as refused:
                return _answer(build_error(refused.error, xml=xml), xml, refused.error.status)
            await self._lose(request, line)
            return reply

        return handled

    async def _lose(self, request: Request, line: AccountLine) -> None:
        """Drop or delay an answer where a fault says so, whatever was asked for.

        Only the answer: the client can't know whether a call was started, and it was.
        """
        place, strike = FaultSite(account=line.sid), self._exchange.faults.strike
        if strike("rest-drop", place, self._chance):
            request.scope["state"][DROP]()
        if slow := strike("rest-slow", place, self._chance):
            await asyncio.sleep(slow.seconds)

    async def nothing(self, request: Request) -> Response:
        """Paths are case-sensitive; what is none of ours isn't found."""
        path = request.url.path
        xml = not path.endswith(".json") and not path.startswith(_JSON_ONLY)
        error = RestError(404, f"{request.method} {path[:200]} does not exist")
        if path.startswith(_LATER):
            request_id = self._exchange.mint(self._chance)
            return _answer(build_later_error(error, request.method, request_id), False, 404)
        return _answer(build_error(error, xml=xml), xml, 404)

    # Streams.

    async def active_streams(self, request: Request, line: AccountLine, xml: bool) -> Response:
        self._fault(line)
        value = ActiveStreams(line.active, line.allowed, line.sid)
        if line.behaviour.xml_streams:
            return _answer(active_streams.build_xml(value), True)
        return _answer(active_streams.build_json(value), False)

    # Calls.

    async def connect(self, request: Request, line: AccountLine, xml: bool) -> Response:
        wanted, pairs = await _wanted(request, line)
        self._fault(line)
        number, flow_name, flow = self._where(line, wanted)
        to = _number("From", wanted.from_)
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
        return _answer(calls.build_call(self._record(call), xml=xml), xml)

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

    async def call(self, request: Request, line: AccountLine, xml: bool) -> Response:
        self._fault(line)
        call = self._exchange.calls.get(request.path_params["sid"])
        if call is None or call.line is not line:
            raise RefusedRequestError(RestError(404, "there is no such call"))
        details = request.query_params.get("details", "").lower() == "true"
        return _answer(calls.build_call(self._record(call), xml=xml, details=details), xml)

    async def list_calls(self, request: Request, line: AccountLine, xml: bool) -> Response:
        self._fault(line)
        pairs = parse_pairs(request.scope["query_string"], [])
        wanted = read_filter(pairs)
        if isinstance(wanted, RestError):
            raise RefusedRequestError(wanted)
        mine = [call for call in self._exchange.calls.values() if call.line is line]
        mine.reverse()
        page = page_of(mine, wanted)
        base = f"/v1/Accounts/{line.sid}/Calls" + ("" if xml else ".json")
        kept = [pair for pair in pairs if pair[0] not in ("Before", "After", "PageSize")]

        def link(*cursor: tuple[str, str]) -> str:
            size = ("PageSize", str(wanted.page_size))
            return f"{base}?{urlencode([*kept, size, *cursor])}"

        return _answer(
            calls.build_page(
                [self._record(call) for call in page.calls],
                total=page.total,
                page_size=wanted.page_size,
                first=link(),
                previous=link(("After", page.previous)) if page.previous else None,
                following=link(("Before", page.following)) if page.following else None,
                xml=xml,
            ),
            xml,
        )

    def _record(self, call: Call) -> CallRecord:
        return call_record(call, self._exchange.clock.date())

    def _fault(self, line: AccountLine) -> None:
        fault = self._exchange.faults.strike("rest", FaultSite(account=line.sid), self._chance)
        if fault is not None:
            raise RefusedRequestError(
                REFUSALS.get(fault.code, RestError(fault.code, "an injected fault"))
            )

    # Recordings.

    async def recording(self, request: Request, line: AccountLine, xml: bool) -> Response:
        """A stream's or a call's audio, once it is there (exotel-platform G-22)."""
        self._fault(line)
        sid, _, kind = request.path_params["name"].rpartition(".")
        audio = sound_of(self._exchange, sid)
        if audio is None or audio.line is not line or kind not in ("mp3", "wav"):
            raise RefusedRequestError(RestError(404, "there is no such recording"))
        clock = self._exchange.clock
        if clock.now() < audio.ended + line.behaviour.recording_delay_s:
            raise RefusedRequestError(RestError(404, "the recording is not there yet"))
        write, media_type = FORMATS[kind]
        async with self._encoding:
            with clock.outside():
                file = await asyncio.to_thread(write, audio)
        return Response(file, media_type=media_type)


async def _wanted(request: Request, line: AccountLine) -> tuple[ConnectRequest, Pairs]:
    """What a request asks for, and its parameters."""
    body = await _body(request)
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


def _answer(body: bytes, xml: bool, status: int = 200) -> Response:
    kind = "application/xml" if xml else "application/json"
    return Response(body, status_code=status, media_type=kind)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_BODY:
            raise RefusedRequestError(RestError(400, "the body is longer than 64 KB"))
    return bytes(body)
