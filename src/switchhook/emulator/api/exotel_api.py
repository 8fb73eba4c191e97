"""Exotel's own HTTP API, version 1: active streams, calls, recordings (exotel-platform D, E).

Published client libraries work with it when their base address is changed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from switchhook.emulator.call.faults import FaultSite
from switchhook.emulator.call.parameters import national
from switchhook.emulator.exchange.callbacks import (
    Callbacks,
    conversed_s,
    direction_of,
    recording_url_of,
    status_of,
)
from switchhook.emulator.net.asgi import DROP
from switchhook.emulator.plan.flow import Applet, Connect, Flow, Hangup, Stream, Voicebot
from switchhook.emulator.plan.plan import Caller
from switchhook.emulator.sound import recording
from switchhook.emulator.sound.voice import spoken
from switchhook.exotel.fields import Unusable, e164
from switchhook.exotel.wire import active_streams, calls
from switchhook.exotel.wire.active_streams import ActiveStreams
from switchhook.exotel.wire.call_filter import CallFilter, read_filter
from switchhook.exotel.wire.calls import CallRecord
from switchhook.exotel.wire.connect import ConnectRequest, read_connect
from switchhook.exotel.wire.query import parse_pairs
from switchhook.exotel.wire.request import Request as WireRequest
from switchhook.exotel.wire.request import body_pairs
from switchhook.exotel.wire.rest_error import RestError, build_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.asgi import ASGIApp

WINDOW_S = 60.0
_LONGEST_BODY = 64 * 1024
_ENCODED_AT_ONCE = 2
_PHONE_RATE = 8000
_PRICE = "0.500000"
_REGIONS = {
    "api.in.exotel.com": "in",
    "in.localhost": "in",
    "api.exotel.com": "sg",
    "sg.localhost": "sg",
}
"""Hosts of one region; any other stands for the account's own (exotel-platform G-54)."""

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
    routes.append(Route("/{path:path}", rest.nothing, methods=["GET", "POST", "PUT", "DELETE"]))
    return Starlette(routes=routes)


class _Rest:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._chance = exchange.chance.stream("rest")
        self._encoding = asyncio.Semaphore(_ENCODED_AT_ONCE)
        self._windows = {
            sid: Window(line.account.requests_a_minute) for sid, line in exchange.lines.items()
        }

    def wrap(
        self, handle: Callable[[Request, AccountLine, bool], Awaitable[Response]], *, xml: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        """Who asks, how often, and in which form they are answered."""

        async def handled(request: Request) -> Response:
            try:
                return await handle(request, self._let_in(request), xml)
            except RefusedError as refused:
                return _answer(build_error(refused.error, xml=xml), xml, refused.error.status)

        return handled

    async def nothing(self, request: Request) -> Response:
        """Paths are case-sensitive; what is none of ours isn't found."""
        xml = not request.url.path.endswith(".json")
        error = RestError(404, f"{request.method} {request.url.path[:200]} does not exist")
        return _answer(build_error(error, xml=xml), xml, 404)

    def _let_in(self, request: Request) -> AccountLine:
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

    async def active_streams(self, request: Request, line: AccountLine, xml: bool) -> Response:
        self._fault(line)
        value = ActiveStreams(line.active, line.allowed, line.sid)
        if line.behaviour.xml_streams:
            return _answer(active_streams.build_xml(value), True)
        return _answer(active_streams.build_json(value), False)

    # Calls.

    async def connect(self, request: Request, line: AccountLine, xml: bool) -> Response:
        body = await _body(request)
        problems: list[str] = []
        wire = WireRequest(b"", "POST", request.headers.get("content-type"), body)
        encoded = b"statuscallbackevents%5b" in body.lower()
        pairs = body_pairs(wire, problems)
        wanted = read_connect(
            pairs,
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
        if any(key == "StreamBegin" for key, _ in pairs):
            call.trace.note(
                "warning",
                text="what StreamBegin means is undocumented: here the stream begins when the first"
                " number answers",
            )
        place, strike = FaultSite(account=line.sid), self._exchange.faults.strike
        if strike("rest-drop", place, self._chance):
            # The client can't know whether the call was started: it was.
            request.scope["state"][DROP]()
        if slow := strike("rest-slow", place, self._chance):
            await asyncio.sleep(slow.seconds)
        return _answer(calls.build_call(self._record(call), xml=xml), xml)

    def _where(self, line: AccountLine, wanted: ConnectRequest) -> tuple[str, str, Flow | None]:
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
            raise RefusedError(RestError(404, "there is no such call"))
        details = request.query_params.get("details", "").lower() == "true"
        return _answer(calls.build_call(self._record(call), xml=xml, details=details), xml)

    async def list_calls(self, request: Request, line: AccountLine, xml: bool) -> Response:
        self._fault(line)
        pairs = parse_pairs(request.scope["query_string"], [])
        wanted = read_filter(pairs)
        if isinstance(wanted, RestError):
            raise RefusedError(wanted)
        mine = [call for call in self._exchange.calls.values() if call.line is line]
        mine.reverse()
        page = _page(mine, wanted)
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
        """A call as the API tells it now; what comes late is missing (exotel-platform E.4)."""
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
            direction=direction_of(call),
            created=call.created,
            updated=ended or now,
            started=call.answered or call.created,
            ended=ended if final else None,
            duration_s=lasted if final else None,
            price=_PRICE if final and call.answered else None,
            answered_by="human" if call.answered else None,
            recording_url=recording_url_of(call) if final else None,
            custom_field=call.facts.custom_field,
            talk_s=conversed_s(call) if final else None,
            leg1_status=status_of(call) if final else None,
            leg2_status=dialled.status if dialled and final else None,
            legs=tuple(
                {"Id": at, "OnCallDuration": leg.talk_s}
                for at, leg in enumerate(dialled.legs if dialled and final else (), 1)
            ),
        )

    def _fault(self, line: AccountLine) -> None:
        fault = self._exchange.faults.strike("rest", FaultSite(account=line.sid), self._chance)
        if fault is not None:
            raise RefusedError(_FAULTS.get(fault.code, RestError(fault.code, "an injected fault")))

    # Recordings.

    async def recording(self, request: Request, line: AccountLine, xml: bool) -> Response:
        """A stream's or a call's audio, once it is there (exotel-platform G-22)."""
        sid, _, kind = request.path_params["name"].rpartition(".")
        audio = _sound(self._exchange, sid)
        if audio is None or audio.line is not line or kind not in ("mp3", "wav"):
            raise RefusedError(RestError(404, "there is no such recording"))
        clock = self._exchange.clock
        if clock.now() < audio.ended + line.behaviour.recording_delay_s:
            raise RefusedError(RestError(404, "the recording is not there yet"))
        write, media_type = _AUDIO[kind]
        async with self._encoding:
            with clock.outside():
                file = await asyncio.to_thread(write, audio)
        return Response(file, media_type=media_type)


class _Sound(msgspec.Struct, frozen=True):
    """Something recorded: whose, when it ended by the clock, and its PCM in blocks."""

    line: AccountLine
    ended: float
    rate: int
    blocks: Callable[[], Iterator[bytes]]


_AUDIO: dict[str, tuple[Callable[[_Sound], bytes], str]] = {
    "mp3": (lambda sound: recording.mp3(sound.blocks(), sound.rate), "audio/mpeg"),
    "wav": (lambda sound: recording.wav(b"".join(sound.blocks()), sound.rate), "audio/wav"),
}


def _sound(exchange: Exchange, sid: str) -> _Sound | None:
    """A stream's recording by its StreamSID, a talk's or a voicemail's by its CallSid."""
    session = exchange.streaming.recordings.get(sid)
    if session is not None:
        ended = session.began + session.seconds
        return _Sound(session.call.line, ended, session.rate, session.recorded_blocks)
    call = exchange.calls.get(sid)
    if call is None or call.answered is None or call.ended is None:
        return None
    talk = call.dialled.recording_url if call.dialled is not None else None
    if talk is None and call.voicemail_url is None:
        return None
    start = exchange.clock.start
    began = (call.answered - start).total_seconds()
    ended = (call.ended - start).total_seconds()
    heard = call.heard

    def blocks() -> Iterator[bytes]:
        # Agents say nothing here; what there is to hear is the caller.
        return recording.mix(_PHONE_RATE, ended - began, spoken(heard, began, _PHONE_RATE))

    return _Sound(call.line, ended, _PHONE_RATE, blocks)


class _Page(msgspec.Struct, frozen=True):
    """Some of the calls that match, how many do, and the cursors of the neighbouring pages."""

    calls: list[Call]
    total: int
    previous: str | None
    following: str | None


def _page(newest_first: list[Call], wanted: CallFilter) -> _Page:
    """Cut a page out. The calls behind cursors need not match any more: they may have ended."""
    places = {call.facts.sid: at for at, call in enumerate(newest_first)}
    chosen = [call for call in newest_first if _matches(call, wanted)]
    for name, cursor in (("Before", wanted.before), ("After", wanted.after)):
        if cursor is not None and cursor not in places:
            text = f"Invalid parameter {name}: got {cursor[:40]!r}, expected a Sid of this account"
            raise RefusedError(RestError(400, text))
    start = 0
    if wanted.before is not None:
        start = sum(places[call.facts.sid] <= places[wanted.before] for call in chosen)
    elif wanted.after is not None:
        newer = sum(places[call.facts.sid] < places[wanted.after] for call in chosen)
        start = max(0, newer - wanted.page_size)
    page = chosen[start : start + wanted.page_size]
    more = start + len(page) < len(chosen)
    return _Page(
        page,
        len(chosen),
        page[0].facts.sid if start and page else None,
        page[-1].facts.sid if more and page else None,
    )


def _matches(call: Call, wanted: CallFilter) -> bool:
    created = call.created.replace(tzinfo=None, microsecond=0)
    return (
        (wanted.created_from is None or created >= wanted.created_from)
        and (wanted.created_to is None or created <= wanted.created_to)
        and (wanted.status is None or status_of(call) == wanted.status)
        and (wanted.direction is None or direction_of(call) == wanted.direction)
    )


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
