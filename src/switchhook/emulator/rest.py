"""Exotel's own HTTP API, version 1: active streams, calls, recordings (platform.md D, E).

Published client libraries work with it when their base address is changed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections import deque
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from switchhook.emulator import recording
from switchhook.emulator.callbacks import Callbacks, status_of
from switchhook.emulator.faults import Place
from switchhook.emulator.flow import Connect, Flow, Hangup, Voicebot
from switchhook.emulator.in_process import DROP
from switchhook.emulator.parameters import national
from switchhook.emulator.plan import Caller
from switchhook.interpret import Unusable, e164
from switchhook.wire import active_streams, calls
from switchhook.wire.active_streams import ActiveStreams
from switchhook.wire.calls import CallRecord, ConnectRequest, RestError
from switchhook.wire.query import parse_pairs
from switchhook.wire.request import Request as WireRequest
from switchhook.wire.request import body_pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from switchhook.emulator.call import Call
    from switchhook.emulator.exchange import Exchange, Line
    from switchhook.emulator.serving import ASGIApp

WINDOW_S = 60.0
_LONGEST_BODY = 64 * 1024
_REGIONS = {
    "api.in.exotel.com": "in",
    "in.localhost": "in",
    "api.exotel.com": "sg",
    "sg.localhost": "sg",
}
"""Hosts that stand for one region (G-54); any other host stands for the account's own."""

_FAULTS = {
    401: RestError(401, "Authentication failed: check the API key and token"),
    402: RestError(402, "Insufficient balance in your account"),
    403: RestError(403, "Your account is not KYC compliant", 340030),
    404: RestError(404, "The requested resource was not found"),
    409: RestError(409, "Conflict"),
    429: RestError(429, "Too many requests"),
    500: RestError(500, "The call could not be originated"),
    503: RestError(503, "Service unavailable", 35008),
    504: RestError(504, "The call could not be originated in time"),
}


class RefusedError(Exception):
    """A request that is answered with a RestException."""

    def __init__(self, error: RestError) -> None:
        self.error = error
        super().__init__(error.message)


class Window:
    """How many requests came in the last minute, and whether one more may."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Count a request at `now`, unless it is one too many."""
        while self._times and self._times[0] <= now - WINDOW_S:
            self._times.popleft()
        if len(self._times) >= self._most:
            return False
        self._times.append(now)
        return True


def make_rest(exchange: Exchange) -> ASGIApp:
    """The API over an exchange; it also sends the callbacks that calls ask for."""
    exchange.watchers.append(Callbacks(exchange))
    rest = _Rest(exchange)
    account = "/v1/Accounts/{account}"
    streams, connect = f"{account}/ActiveStreams", f"{account}/Calls/connect"
    both: list[tuple[str, Callable[[Request, Line, bool], Awaitable[Response]], str]] = [
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
    routes.append(Route("/{path:path}", rest.nothing, methods=["GET", "POST", "PUT", "DELETE"]))
    return Starlette(routes=routes)


class _Rest:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._chance = exchange.chance.stream("rest")
        self._windows = {
            sid: Window(line.account.requests_a_minute) for sid, line in exchange.lines.items()
        }

    def wrap(
        self, handle: Callable[[Request, Line, bool], Awaitable[Response]], *, xml: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        """Who asks, how often, and in which form they are answered."""

        async def handled(request: Request) -> Response:
            try:
                return await handle(request, self._let_in(request), xml)
            except RefusedError as refused:
                return _answer(calls.build_error(refused.error, xml=xml), xml, refused.error.status)

        return handled

    async def nothing(self, request: Request) -> Response:
        """Paths are case-sensitive; what is none of ours isn't found."""
        xml = not request.url.path.endswith(".json")
        error = RestError(404, f"{request.method} {request.url.path[:200]} does not exist")
        return _answer(calls.build_error(error, xml=xml), xml, 404)

    def _let_in(self, request: Request) -> Line:
        sid = request.path_params["account"]
        line = self._exchange.lines.get(sid)
        user, _, password = _credentials(request).partition(":")
        if line is None or not (
            _same(password, line.account.token)
            and (_same(user, line.account.key) or _same(user, sid))
        ):
            raise RefusedError(_FAULTS[401])
        host = request.headers.get("host", "").partition(":")[0].lower()
        if _REGIONS.get(host, line.account.region) != line.account.region:
            raise RefusedError(RestError(404, f"account {sid} is not in this region"))
        if not self._windows[sid].take(self._exchange.clock.now()):
            most = line.account.requests_a_minute
            raise RefusedError(RestError(429, f"Too many requests: {most} a minute are allowed"))
        return line

    # Streams.

    async def active_streams(self, request: Request, line: Line, xml: bool) -> Response:
        self._fault(line)
        value = ActiveStreams(line.active, line.allowed, line.sid)
        if line.behaviour.xml_streams:
            return _answer(active_streams.build_xml(value), True)
        return _answer(active_streams.build_json(value), False)

    # Calls.

    async def connect(self, request: Request, line: Line, xml: bool) -> Response:
        body = await _body(request)
        problems: list[str] = []
        wire = WireRequest(b"", "POST", request.headers.get("content-type"), body)
        encoded = b"StatusCallbackEvents%5B" in body
        wanted = calls.read_connect(
            body_pairs(wire, problems),
            encoded_brackets=encoded and line.behaviour.refuse_encoded_brackets,
        )
        if isinstance(wanted, RestError):
            raise RefusedError(wanted)
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
        place, strike = Place(account=line.sid), self._exchange.faults.strike
        if strike("rest-drop", place, self._chance):
            # The client can't know whether the call was started: it was.
            request.scope["state"][DROP]()
        if slow := strike("rest-slow", place, self._chance):
            await asyncio.sleep(slow.seconds)
        return _answer(calls.build_call(self._record(call), xml=xml), xml)

    def _where(self, line: Line, wanted: ConnectRequest) -> tuple[str, str, Flow | None]:
        """The ExoPhone that calls, and the flow that it leads to."""
        plan = self._exchange.plan
        number = _number("CallerId", wanted.caller_id)
        owner = plan.number.get(number)
        if owner is None or owner.account != line.sid:
            raise RefusedError(
                RestError(400, f"CallerId {wanted.caller_id} is not a valid ExoPhone of yours")
            )
        if wanted.mode == "flow":
            for name, flow in plan.flow.items():
                if wanted.app_id in (name, flow.id):
                    return number, name, None
            raise RefusedError(RestError(400, f"Url names no app: {wanted.app_id!r}"))
        if wanted.mode == "two_numbers":
            agent = Connect(
                numbers=(_number("To", wanted.to or ""),),
                record=wanted.record,
                answered="end",
                no_answer="end",
            )
            return number, "", Flow(first="to", applet={"to": agent, "end": Hangup()})
        bot = Voicebot(url=wanted.stream_url or "", record=wanted.record, next="end")
        return number, "", Flow(first="bot", applet={"bot": bot, "end": Hangup()})

    def _ringing(self, number: str, wanted: ConnectRequest) -> Caller:
        caller = self._exchange.caller_of(number)
        if wanted.ring_s is not None and caller.rings_s > wanted.ring_s:
            return msgspec.structs.replace(caller, answers="no-answer", rings_s=wanted.ring_s)
        return caller

    async def call(self, request: Request, line: Line, xml: bool) -> Response:
        self._fault(line)
        call = self._exchange.calls.get(request.path_params["sid"])
        if call is None or call.line is not line:
            raise RefusedError(RestError(404, "there is no such call"))
        details = request.query_params.get("details", "").lower() == "true"
        return _answer(calls.build_call(self._record(call), xml=xml, details=details), xml)

    async def list_calls(self, request: Request, line: Line, xml: bool) -> Response:
        self._fault(line)
        wanted = calls.read_filter(parse_pairs(request.scope["query_string"], []))
        if isinstance(wanted, RestError):
            raise RefusedError(wanted)
        records = [
            self._record(call) for call in self._exchange.calls.values() if call.line is line
        ]
        records.reverse()
        chosen = [record for record in records if _matches(record, wanted)]
        page, previous, following = _page(chosen, wanted)
        base = f"/v1/Accounts/{line.sid}/Calls" + ("" if xml else ".json")
        size = wanted.page_size
        return _answer(
            calls.build_page(
                page,
                total=len(chosen),
                page_size=size,
                first=f"{base}?PageSize={size}",
                previous=f"{base}?PageSize={size}&After={previous}" if previous else None,
                following=f"{base}?PageSize={size}&Before={following}" if following else None,
                xml=xml,
            ),
            xml,
        )

    def _record(self, call: Call) -> CallRecord:
        """A call as the API tells it now; what is told late is missing until then (E.4)."""
        now = self._exchange.clock.date()
        ended = call.ended
        delay = call.line.behaviour.details_delay_s
        final = ended is not None and (now - ended).total_seconds() >= delay
        lasted = int((ended - (call.answered or call.created)).total_seconds()) if ended else None
        dialled = call.dialled
        return CallRecord(
            sid=call.facts.sid,
            account_sid=call.line.sid,
            from_=national(call.facts.from_),
            to=(call.wanted.to if call.wanted else national(call.facts.exophone)),
            phone_number_sid=national(call.facts.exophone),
            status=status_of(call),
            direction="outbound-api" if call.facts.outbound else "inbound",
            created=call.created,
            updated=ended or now,
            started=call.answered or call.created,
            ended=ended if final else None,
            duration_s=lasted if final else None,
            price="0.500000" if final else None,
            answered_by="human" if call.answered else None,
            recording_url=dialled.recording_url if dialled and final else None,
            custom_field=call.facts.custom_field,
            talk_s=lasted if final else None,
            leg1_status=status_of(call) if final else None,
            leg2_status=dialled.status if dialled and final else None,
            legs=tuple(
                {"Id": at, "OnCallDuration": leg.talk_s}
                for at, leg in enumerate(dialled.legs if dialled and final else (), 1)
            ),
        )

    def _fault(self, line: Line) -> None:
        fault = self._exchange.faults.strike("rest", Place(account=line.sid), self._chance)
        if fault is not None:
            raise RefusedError(_FAULTS.get(fault.code, RestError(fault.code, "an injected fault")))

    # Recordings.

    async def recording(self, request: Request, line: Line, xml: bool) -> Response:
        """A stream's audio, once it is there (G-22)."""
        sid, _, kind = request.path_params["name"].rpartition(".")
        session = self._exchange.streaming.recordings.get(sid)
        clock = self._exchange.clock
        if session is None or session.call.line is not line or kind not in ("mp3", "wav"):
            raise RefusedError(RestError(404, "there is no such recording"))
        age = clock.now() - (session.began + session.seconds)
        if age < line.behaviour.recording_delay_s:
            raise RefusedError(RestError(404, "the recording is not there yet"))
        write = recording.mp3 if kind == "mp3" else recording.wav
        with clock.outside():
            audio = await asyncio.to_thread(lambda: write(session.recorded(), session.rate))
        return Response(audio, media_type="audio/mpeg" if kind == "mp3" else "audio/wav")


def _matches(record: CallRecord, wanted: calls.CallFilter) -> bool:
    created = record.created.replace(tzinfo=None, microsecond=0)
    return (
        (wanted.created_from is None or created >= wanted.created_from)
        and (wanted.created_to is None or created <= wanted.created_to)
        and (wanted.status is None or record.status == wanted.status)
        and (wanted.direction is None or record.direction == wanted.direction)
    )


def _page(
    records: list[CallRecord], wanted: calls.CallFilter
) -> tuple[list[CallRecord], str | None, str | None]:
    """The records of a page, newest first, and the cursors of its neighbours."""
    sids = [record.sid for record in records]
    start = 0
    if wanted.before in sids:
        start = sids.index(wanted.before) + 1
    elif wanted.after in sids:
        start = max(0, sids.index(wanted.after) - wanted.page_size)
    page = records[start : start + wanted.page_size]
    more = start + len(page) < len(records)
    return page, page[0].sid if start and page else None, page[-1].sid if more and page else None


def _credentials(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same(said: str, right: str) -> bool:
    return bool(right) and secrets.compare_digest(said.encode(), right.encode())


def _number(name: str, text: str) -> str:
    number = e164(text.strip(), "IN")
    if number is None or isinstance(number, Unusable):
        raise RefusedError(
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
            raise RefusedError(RestError(400, "the body is longer than 64 KB"))
    return bytes(body)
