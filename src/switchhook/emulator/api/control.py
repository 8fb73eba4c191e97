"""The control API: place calls, act for callers, inject faults, lower limits, read traces.

JSON over HTTP below `/control`, with the key that is printed at start as a bearer token. Whatever
address is given here passes the same allow-list as every other.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from switchhook.emulator.exchange.callbacks import direction_of, status_of
from switchhook.emulator.exchange.exchange import UnknownNumberError
from switchhook.emulator.plan.behaviour import Behaviour
from switchhook.emulator.plan.bots import is_address
from switchhook.emulator.plan.numbers import same_number
from switchhook.emulator.plan.plan import Caller, Fault, HeartbeatPlan, Standing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine
    from switchhook.emulator.net.asgi import ASGIApp

_LONGEST_BODY = 64 * 1024


class _Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call to place: to an ExoPhone of the plan."""

    number: str
    caller: Caller | None = None


class _Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be changed of an account while it is in use."""

    streams: int | None = None
    standing: Standing | None = None
    behaviour: dict[str, Any] | None = None
    status_callback_url: str | None = None
    heartbeat_url: str | None = None


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
        Route("/accounts/{sid}/heartbeat", control.wrap(control.heartbeat), methods=["POST"]),
        Route("/heartbeats", control.wrap(control.heartbeats), methods=["GET"]),
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
        return JSONResponse(describe(call), status_code=201)

    async def calls(self, request: Request) -> Response:
        return JSONResponse([describe(call) for call in self._exchange.calls.values()][-1000:])

    async def call(self, request: Request) -> Response:
        return JSONResponse(describe(self._found(request)))

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
        if fault.number is not None:
            fault = msgspec.structs.replace(fault, number=same_number(fault.number))
        Behaviour().changed(fault.behaviour)
        for key, among in (
            ("account", self._exchange.plan.account),
            ("number", self._exchange.plan.number),
            ("flow", self._exchange.plan.flow),
            ("bot", [*self._exchange.plan.bot, *([fault.bot] if is_address(fault.bot) else [])]),
        ):
            said = getattr(fault, key)
            if said is not None and said not in among:
                raise _ProblemError(400, f"{key}: there is no {key} {said!r}")
        for key, problem in fault.problems():
            raise _ProblemError(400, f"{key}: {problem}")
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
                sid: {
                    "active": line.active,
                    "foreign": line.foreign,
                    "streams": line.allowed,
                    "most": line.most_active,
                    "standing": line.account.standing,
                }
                for sid, line in self._exchange.lines.items()
            }
        )

    async def change(self, request: Request) -> Response:
        line = self._line(request)
        wanted = msgspec.json.decode(await _body(request), type=_Limits)
        if wanted.streams is not None and wanted.streams < 0:
            raise _ProblemError(400, "a limit is 0 or more")
        if wanted.behaviour is not None:
            line.behaviour = line.behaviour.changed(wanted.behaviour)
        if wanted.streams is not None:
            line.allowed = wanted.streams
        if wanted.standing is not None:
            line.account = msgspec.structs.replace(line.account, standing=wanted.standing)
        for name in ("status_callback_url", "heartbeat_url"):
            url = getattr(wanted, name)
            if url is not None:
                if url and not url.lower().startswith(("http://", "https://")):
                    raise _ProblemError(400, f"{name} is no http or https URL")
                line.account = msgspec.structs.replace(line.account, **{name: url or None})
        return Response(status_code=204)

    async def heartbeat(self, request: Request) -> Response:
        line = self._line(request)
        beat = msgspec.json.decode(await _body(request) or b"{}", type=HeartbeatPlan)
        if beat.account is not None or beat.after_s or beat.every_s is not None:
            raise _ProblemError(400, "account, after_s and every_s have no meaning here")
        result = await self._exchange.heartbeats.send(line.sid, beat)
        if result is None:
            raise _ProblemError(409, f"account {line.sid!r} has no heartbeat_url")
        said = {"taken": result.taken, "status": result.status, "problem": result.problem or None}
        return JSONResponse(said)

    async def heartbeats(self, request: Request) -> Response:
        return JSONResponse(list(self._exchange.heartbeats.sent))

    def _line(self, request: Request) -> AccountLine:
        sid = request.path_params["sid"]
        line = self._exchange.lines.get(sid)
        if line is None:
            raise _ProblemError(404, f"there is no account {sid!r}")
        return line

    def _found(self, request: Request) -> Call:
        call = self._exchange.calls.get(request.path_params["sid"])
        if call is None:
            raise _ProblemError(404, f"there is no call {request.path_params['sid']!r}")
        return call


def describe(call: Call) -> dict[str, Any]:
    """What became of a call, for programs."""
    outcome = call.stream_outcome
    stream = outcome.as_shown().fields() if outcome is not None else None
    return {
        "call_sid": call.facts.sid,
        "from": call.facts.from_,
        "exophone": call.facts.exophone,
        "direction": direction_of(call),
        "custom_field": call.facts.custom_field,
        "status": status_of(call),
        "answered_by": call.answered_by,
        "talked": call.talked,
        "account": call.line.sid,
        "created": call.created.isoformat(),
        "ended": call.ended.isoformat() if call.ended else None,
        "ended_by": call.ending,
        "stream": stream,
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
