"""Exotel's own HTTP API, version 1: active streams, calls, recordings (exotel-platform D, E).

Published client libraries work with it when their base address is changed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from switchhook.emulator.api.admission import Admission
from switchhook.emulator.api.call_list import call_record, page_of
from switchhook.emulator.api.connecting import Connecting
from switchhook.emulator.api.number_info import NumberInfo
from switchhook.emulator.api.recordings import FORMATS, sound_of
from switchhook.emulator.api.refusal import RefusedRequestError, injected, injected_for_now
from switchhook.emulator.api.replies import reply
from switchhook.emulator.call.faults import FaultSite
from switchhook.emulator.exchange.callbacks import Callbacks
from switchhook.emulator.net.asgi import DROP
from switchhook.exotel.wire import active_streams, calls
from switchhook.exotel.wire.active_streams import ActiveStreams
from switchhook.exotel.wire.call_filter import read_filter
from switchhook.exotel.wire.calls import CallRecord
from switchhook.exotel.wire.query import parse_pairs
from switchhook.exotel.wire.rest_error import RestError, build_error, build_later_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.asgi import ASGIApp
    from switchhook.emulator.plan.plan import FaultKind

_ENCODED_AT_ONCE = 2
_LATER = ("/v2/", "/v3/")
_JSON_ONLY = (*_LATER, "/v2_beta/")
"""Later versions of the API, of which nothing is served here, speak JSON and nothing else."""


def make_rest(exchange: Exchange) -> ASGIApp:
    """The API over an exchange; it also sends the callbacks that calls ask for."""
    exchange.watchers.append(Callbacks(exchange))
    rest = _Rest(exchange)
    account = "/v1/Accounts/{account}"
    streams, connect = f"{account}/ActiveStreams", f"{account}/Calls/connect"
    both: list[tuple[str, Callable[[Request, AccountLine, bool], Awaitable[Response]], str]] = [
        (streams, rest.active_streams, "GET"),
        (connect, rest.connecting.connect, "POST"),
        (f"{account}/Calls", rest.list_calls, "GET"),
        (f"{account}/Calls/{{sid}}", rest.call, "GET"),
        (f"{account}/CustomerWhitelist/{{number}}", rest.numbers.whitelist, "GET"),
        (f"{account}/Numbers/{{number}}", rest.numbers.metadata, "GET"),
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
        self.connecting = Connecting(exchange, self._chance)
        self.numbers = NumberInfo(exchange)

    def wrap(
        self, handle: Callable[[Request, AccountLine, bool], Awaitable[Response]], *, xml: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        """Who asks, how often, and in which form they are answered."""

        async def handled(request: Request) -> Response:
            left: dict[str, str] = {}
            try:
                line = self._admission.let_in(request)
                left = self._admission.headers(line)
                self._fault(line, "rest")
                answer = await handle(request, line, xml)
            except RefusedRequestError as refused:
                error, headers = refused.error, left | refused.headers
                return reply(build_error(error, xml=xml), xml, error.status, headers)
            answer.headers.update(left)
            await self._lose(request, line)
            return answer

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
            return reply(build_later_error(error, request.method, request_id), False, 404)
        return reply(build_error(error, xml=xml), xml, 404)

    # Streams.

    async def active_streams(self, request: Request, line: AccountLine, xml: bool) -> Response:
        value = ActiveStreams(line.active, line.allowed, line.sid)
        if line.behaviour.xml_streams:
            return reply(active_streams.build_xml(value), True)
        return reply(active_streams.build_json(value), False)

    # Calls.

    async def call(self, request: Request, line: AccountLine, xml: bool) -> Response:
        self._fault(line, "details-refused")
        call = self._exchange.calls.get(request.path_params["sid"])
        if call is None or call.line is not line:
            raise RefusedRequestError(RestError(404, "there is no such call"))
        details = request.query_params.get("details", "").lower() == "true"
        return reply(calls.build_call(self._record(call), xml=xml, details=details), xml)

    async def list_calls(self, request: Request, line: AccountLine, xml: bool) -> Response:
        self._fault(line, "lists-refused")
        pairs = parse_pairs(request.scope["query_string"], [])
        wanted = read_filter(pairs)
        if isinstance(wanted, RestError):
            raise RefusedRequestError(wanted)
        mine = [call for call in self._exchange.calls.values() if call.line is line]
        mine.reverse()
        page = page_of(mine, wanted, self._rows)
        base = f"/v1/Accounts/{line.sid}/Calls" + ("" if xml else ".json")
        kept = [pair for pair in pairs if pair[0] not in ("Before", "After", "PageSize")]

        def link(*cursor: tuple[str, str]) -> str:
            size = ("PageSize", str(wanted.page_size))
            return f"{base}?{urlencode([*kept, size, *cursor])}"

        return reply(
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

    def _rows(self, call: Call) -> int:
        """How often a call that matches is in a list: lists lag, omit and repeat."""
        behaviour, strike = call.line.behaviour, self._exchange.faults.strike
        age = self._exchange.clock.date() - call.created
        if age.total_seconds() < behaviour.lists_lag_s:
            return 0
        if call.ended is None and not behaviour.lists_ongoing:
            return 0
        if strike("lists-omit", call.place(), self._chance):
            return 0
        return 2 if strike("lists-repeat", call.place(), self._chance) else 1

    def _fault(self, line: AccountLine, what: FaultKind) -> None:
        fault = self._exchange.faults.strike(what, FaultSite(account=line.sid), self._chance)
        if fault is not None:
            raise injected(fault) if what == "rest" else injected_for_now(fault)

    # Recordings.

    async def recording(self, request: Request, line: AccountLine, xml: bool) -> Response:
        """A stream's or a call's audio, once it is there (exotel-platform G-22)."""
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
