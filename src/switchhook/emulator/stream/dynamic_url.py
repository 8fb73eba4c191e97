"""Asking a dynamic URL for a stream's address, and what can be wrong with the answer.

See exotel-platform C.6. What Exotel does with a bad answer is not documented: here the stream fails
(exotel-platform G-52), and the flow goes on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from switchhook.emulator.exchange.requests import ask_dynamic_url
from switchhook.emulator.net.go_errors import FailureKind, stream_error
from switchhook.emulator.net.results import NetError
from switchhook.emulator.net.urls import shown, shown_parameters
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from switchhook.emulator.net.results import Reply
    from switchhook.emulator.stream.session import StreamSession

LONGEST_STREAM_URL = 600
"""Characters (exotel-platform E.1)."""

_PREFIX = "3009 failed to fetch stream url "


async def told_url(session: StreamSession, url: str) -> str:
    """The ws or wss address that `url` tells, else the text of an Error."""
    call = session.call
    try:
        reply = await ask_dynamic_url(call, session.name, url, session.behaviour)
    except (NetError, SwitchhookError) as error:
        session.call.trace.note("warning", text=f"the dynamic URL gave no answer: {error}")
        return _PREFIX + _unanswered(error)
    found, error_text, warning = read_answer(reply)
    if warning:
        call.trace.note("warning", text=warning)
    if found is None:
        return _PREFIX + error_text
    call.trace.note("stream_url", applet=session.name, **_described(found))
    return found


def _unanswered(error: NetError | SwitchhookError) -> str:
    if not isinstance(error, NetError):
        return "forbidden address"
    if error.failure.kind is FailureKind.TIMEOUT:
        return "context deadline exceeded"
    return stream_error(error.failure).partition("conn ")[2]


def read_answer(reply: Reply) -> tuple[str | None, str, str]:
    """The address in an answer; else what an Error says; and what is to be said of it, if any."""
    if reply.status != 200:
        return None, f"unexpected status {reply.status}", _of_status(reply)
    try:
        said = json.loads(reply.body)
    except ValueError:
        said = None
    found = said.get("url") if isinstance(said, dict) else None
    if isinstance(found, str) and found.startswith(("ws://", "wss://")):
        long = len(found) > LONGEST_STREAM_URL
        text = f"the address has {len(found)} characters; Exotel allows {LONGEST_STREAM_URL}"
        return found, "", text if long else ""
    text = reply.body[:60].decode(errors="replace")
    warning = (
        'the dynamic URL has to answer JSON like {"url": "wss://…"}; it answered '
        f"{shown(text)!r}" + (": TwiML is not understood here" if text.lstrip()[:1] == "<" else "")
    )
    if said is None:
        start = text.lstrip()[:1]
        return None, f"invalid character {start!r} looking for beginning of value", warning
    return None, "no url in answer", warning


def _of_status(reply: Reply) -> str:
    said = f"the dynamic URL answered {reply.status}, not 200"
    if 300 <= reply.status < 400:
        return f"{said}: whether Exotel follows a redirect is not documented; here it does not"
    if reply.status == 404:
        return (
            f"{said}: there is no address for this call, or nothing at this URL; the stream fails,"
            " and the flow goes on after it"
        )
    return said


def _described(url: str) -> dict[str, Any]:
    """What an address asks for, as it may be shown."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    rate = query.pop("sample-rate", None)
    return {
        "url": shown(url),
        "sample_rate": rate,
        "parameters": shown_parameters(query) or None,
        "credentials": "@" in parts.netloc or None,
    }
