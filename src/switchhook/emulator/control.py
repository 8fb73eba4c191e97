"""The control API: place calls, act for callers, inject faults, lower limits, read traces.

JSON over HTTP below `/control`, with the key that is printed at start as a bearer token. Whatever
address is given here passes the same gate as every other.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from switchhook.emulator.behaviour import Behaviour
from switchhook.emulator.exchange import UnknownNumberError
from switchhook.emulator.plan import Caller, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from switchhook.emulator.call import Call
    from switchhook.emulator.exchange import Exchange
    from switchhook.emulator.serving import ASGIApp

_LONGEST_BODY = 64 * 1024


class _Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call to place: to an ExoPhone of the plan."""

    number: str
    caller: Caller | None = None


class _Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be changed of an account while it is in use."""

    streams: int | None = None
    behaviour: dict[str, Any] | None = None


class _Press(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    digits: str


class _ProblemError(Exception):
    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def make_control(exchange: Exchange, key: str) -> ASGIApp:
    """The API over an exchange, open to those who have the key."""
    control = _Control(exchange, key)
    routes = [
        Route("/calls", control.wrap(control.place), methods=["POST"]),
        Route("/calls", control.wrap(control.calls), methods=["GET"]),
        Route("/calls/{sid}", control.wrap(control.call), methods=["GET"]),
        Route("/calls/{sid}/trace", control.wrap(control.trace), methods=["GET"]),
        Route("/calls/{sid}/hangup", control.wrap(control.hang_up), methods=["POST"]),
        Route("/calls/{sid}/press", control.wrap(control.press), methods=["POST"]),
        Route("/faults", control.wrap(control.add_fault), methods=["POST"]),
        Route("/faults", control.wrap(control.faults), methods=["GET"]),
        Route("/faults/{number:int}", control.wrap(control.remove_fault), methods=["DELETE"]),
        Route("/accounts", control.wrap(control.accounts), methods=["GET"]),
        Route("/accounts/{sid}", control.wrap(control.change), methods=["PATCH"]),
    ]
    return Starlette(routes=[Mount("/control", routes=routes)])


class _Control:
    def __init__(self, exchange: Exchange, key: str) -> None:
        self._exchange, self._key = exchange, key

    def wrap(
        self, handle: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Ask for the key, and say what is wrong with a request."""

        async def handled(request: Request) -> Response:
            said = request.headers.get("authorization", "")
            scheme, _, token = said.partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(
                token.encode(), self._key.encode()
            ):
                return _problem(401, "the control key is missing or wrong: Authorization: Bearer …")
            try:
                return await handle(request)
            except _ProblemError as error:
                return _problem(error.status, str(error))
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                return _problem(400, str(error))
            except UnknownNumberError as error:
                return _problem(404, str(error))

        return handled

    # Calls.

    async def place(self, request: Request) -> Response:
        wanted = msgspec.json.decode(await _body(request), type=_Place)
        call = self._exchange.ring(wanted.number, wanted.caller)
        return JSONResponse(_described(call), status_code=201)

    async def calls(self, request: Request) -> Response:
        return JSONResponse([_described(call) for call in self._exchange.calls.values()][-1000:])

    async def call(self, request: Request) -> Response:
        return JSONResponse(_described(self._found(request)))

    async def trace(self, request: Request) -> Response:
        return Response(self._found(request).trace.lines(), media_type="application/x-ndjson")

    async def hang_up(self, request: Request) -> Response:
        self._found(request).leave("caller")
        return Response(status_code=204)

    async def press(self, request: Request) -> Response:
        wanted = msgspec.json.decode(await _body(request), type=_Press)
        if not wanted.digits or any(digit not in "0123456789*#" for digit in wanted.digits):
            raise _ProblemError(400, "digits are one or more of 0 to 9, * and #")
        self._found(request).press(wanted.digits)
        return Response(status_code=204)

    # Faults and accounts.

    async def add_fault(self, request: Request) -> Response:
        fault = msgspec.json.decode(await _body(request), type=Fault)
        Behaviour().changed(fault.behaviour)
        return JSONResponse({"fault": self._exchange.faults.add(fault)}, status_code=201)

    async def faults(self, request: Request) -> Response:
        armed = self._exchange.faults.armed()
        return JSONResponse(
            [{"fault": number, **msgspec.to_builtins(x)} for number, x in armed.items()]
        )

    async def remove_fault(self, request: Request) -> Response:
        if not self._exchange.faults.remove(request.path_params["number"]):
            raise _ProblemError(404, "no such fault is in force")
        return Response(status_code=204)

    async def accounts(self, request: Request) -> Response:
        return JSONResponse(
            {
                sid: {"active": line.active, "streams": line.allowed, "most": line.most_active}
                for sid, line in self._exchange.lines.items()
            }
        )

    async def change(self, request: Request) -> Response:
        line = self._exchange.lines.get(request.path_params["sid"])
        if line is None:
            raise _ProblemError(404, f"there is no account {request.path_params['sid']!r}")
        wanted = msgspec.json.decode(await _body(request), type=_Limits)
        if wanted.behaviour is not None:
            line.behaviour = line.behaviour.changed(wanted.behaviour)
        if wanted.streams is not None:
            line.allowed = wanted.streams
        return Response(status_code=204)

    def _found(self, request: Request) -> Call:
        call = self._exchange.calls.get(request.path_params["sid"])
        if call is None:
            raise _ProblemError(404, f"there is no call {request.path_params['sid']!r}")
        return call


def _described(call: Call) -> dict[str, Any]:
    told = call.told.fields() if call.told is not None else None
    return {
        "call_sid": call.facts.sid,
        "from": call.facts.from_,
        "exophone": call.facts.exophone,
        "account": call.line.sid,
        "created": call.created.isoformat(),
        "ended": call.ended.isoformat() if call.ended else None,
        "ended_by": call.ending,
        "stream": told,
    }


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_BODY:
            raise _ProblemError(413, "the body is longer than 64 KB")
    return bytes(body)
