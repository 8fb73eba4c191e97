"""What a call asks of servers: its passthrus, with all that can happen to them, and stream URLs."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.call.parameters import dynamic_url_pairs, encode, passthru_pairs
from switchhook.emulator.net.results import NetError, Reply
from switchhook.emulator.net.urls import shown, with_secret
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.parameters import CallParameters
    from switchhook.emulator.plan.behaviour import Behaviour
    from switchhook.emulator.plan.flow import Passthru

_SHOWN_BODY = 2000
_EMPTIED = re.compile(rb"=[^&]*")
_HEADERS = [("Accept", "*/*"), ("User-Agent", "switchhook-emulator")]


class _Query(msgspec.Struct, frozen=True):
    """A request's query: as it is sent, and as a trace may keep it, without secrets of URLs."""

    sent: bytes
    noted: str

    def emptied(self) -> _Query:
        """The same without values."""
        sent = _EMPTIED.sub(b"=", self.sent)
        return _Query(sent, sent.decode())


def _passthru_query(call: Call, behaviour: Behaviour) -> _Query:
    said, stream = call.described(), call.stream_outcome
    kept = None if stream is None else stream.as_shown()
    return _Query(
        encode(passthru_pairs(said, behaviour), stream, behaviour),
        encode(passthru_pairs(_as_shown(said), behaviour), kept, behaviour).decode(),
    )


def _as_shown(said: CallParameters) -> CallParameters:
    """The facts of a call with no secret in the passthru's URL."""
    url = None if said.passthru_url is None else shown(said.passthru_url)
    return msgspec.structs.replace(said, passthru_url=url)


class Requests:
    """The requests of one call."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._held: list[Coroutine[None, None, None]] = []

    async def passthru(self, name: str, applet: Passthru) -> Reply | None:
        """Ask, with what can happen to it; the answer, or None where none came in time."""
        call = self._call
        behaviour, place = call.behaviour(name), call.place(name)
        strike = call.network.faults.strike
        query = _passthru_query(call, behaviour)
        url = applet.url if behaviour.secret is None else with_secret(applet.url, behaviour.secret)
        call.passthru_url = url
        if strike("passthru-lost", place, call.chance):
            call.trace.note("fault", fault="passthru-lost", applet=name, query=query.noted)
            if applet.mode == "sync":
                await asyncio.sleep(behaviour.passthru_limit_s)
            return None
        if late := strike("passthru-late", place, call.chance):
            call.trace.note("fault", fault="passthru-late", applet=name, seconds=late.seconds)
            await asyncio.sleep(late.seconds)
        if strike("passthru-out-of-order", place, call.chance):
            # The next passthru of this call, or its end, lets go what is held.
            call.trace.note("fault", fault="passthru-out-of-order", applet=name)
            self._held.append(self._ask_quietly(name, url, query, behaviour))
            return None
        reply = await self._ask(name, applet.mode, url, query, behaviour)
        if strike("passthru-empty", place, call.chance):
            # Seen in the wild: a second request without values (exotel-platform F.1-33).
            call.trace.note("fault", fault="passthru-empty", applet=name)
            await self._ask(name, applet.mode, url, query.emptied(), behaviour)
        if strike("passthru-twice", place, call.chance):
            call.trace.note("fault", fault="passthru-twice", applet=name)
            await self._ask(name, applet.mode, url, query, behaviour)
        await self.release_held()
        return reply

    async def release_held(self) -> None:
        """Send what was to come out of order."""
        held, self._held = self._held, []
        for one in held:
            await one

    async def _ask_quietly(self, name: str, url: str, query: _Query, behaviour: Behaviour) -> None:
        await self._ask(name, "async", url, query, behaviour)

    async def _ask(
        self, name: str, mode: str, url: str, query: _Query, behaviour: Behaviour
    ) -> Reply | None:
        """One request, and its answer; None where none came in time."""
        note = self._call.trace.note
        note("passthru", applet=name, mode=mode, url=shown(url), query=query.noted)
        began = self._call.clock.now()
        try:
            reply = await self._call.network.web.send(
                "GET",
                url,
                query=query.sent,
                headers=[*_HEADERS, *behaviour.request_headers.items()],
                limit_s=behaviour.passthru_limit_s,
            )
        except NetError as error:
            note(
                "no_answer",
                applet=name,
                kind=error.failure.kind.value,
                text=str(error),
                detail=error.failure.detail or None,
                seconds=self._since(began),
            )
            return None
        except SwitchhookError as error:
            note("refused_to_dial", applet=name, text=str(error))
            return None
        note(
            "answer",
            applet=name,
            status=reply.status,
            headers=[list(header) for header in reply.headers],
            body=reply.body[:_SHOWN_BODY].decode(errors="replace"),
            seconds=self._since(began),
        )
        for text in _warnings(reply, mode):
            note("warning", applet=name, text=text)
        return reply

    def _since(self, began: float) -> float:
        return round(self._call.clock.now() - began, 6)


async def ask_dynamic_url(call: Call, name: str, url: str, behaviour: Behaviour) -> Reply:
    """Ask for a stream's URL. Raises what the web raises."""
    said, kept = call.described(), _as_shown(call.described())
    query = encode(dynamic_url_pairs(said, behaviour), None, behaviour)
    noted = encode(dynamic_url_pairs(kept, behaviour), None, behaviour)
    call.trace.note("dynamic_url", applet=name, url=shown(url), query=noted.decode())
    began = call.clock.now()
    reply = await call.network.web.send(
        "GET", url, query=query, headers=_HEADERS, limit_s=behaviour.dynamic_url_limit_s
    )
    call.trace.note(
        "dynamic_url_answer",
        applet=name,
        status=reply.status,
        body=_shown_body(reply),
        seconds=round(call.clock.now() - began, 6),
    )
    return reply


def _shown_body(reply: Reply) -> str:
    """What a dynamic URL answered: the address in it may have the bot's credentials."""
    try:
        said = json.loads(reply.body)
    except ValueError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("url"), str):
        return json.dumps(said | {"url": shown(said["url"])}, ensure_ascii=False)[:_SHOWN_BODY]
    text = reply.body[:_SHOWN_BODY].decode(errors="replace")
    return shown(text.replace("\\/", "/"))


def _warnings(reply: Reply, mode: str) -> list[str]:
    """What an expert would say of an answer, though Exotel takes it in silence."""
    found = []
    if reply.status in (404, 405):
        found.append(
            f"the server answered {reply.status}: "
            + ("nothing is at this URL" if reply.status == 404 else "it takes no GET there")
            + "; is the passthru's URL right? Here anything but 200 is Option B, as at Exotel"
        )
    elif mode == "sync" and reply.status not in (200, 302):
        found.append(
            f"the server answered {reply.status}; anything but 200 is Option B, and only 302 says"
            " so on purpose"
        )
    if reply.cut:
        found.append("the server's body was endless or over 64 KB; the rest was not read")
    start = reply.body.lstrip()[:64].lower()
    if start.startswith((b"<?xml", b"<response")):
        found.append("the body looks like TwiML or ExoML; Exotel does not execute it")
    return found
