"""What leaves for those who may not see numbers: the API's objects, and what may be asked for."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from switchhook.access.roles import Role
from switchhook.exotel.phone_numbers import holds_number, mask_text, masked
from switchhook.web.json import encode_json
from switchhook.web.render import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from switchhook.access.roles import Viewer

_NUMBERS = frozenset(
    {
        "from",
        "from_raw",
        "to",
        "to_raw",
        "number",
        "number_raw",
        "caller_id",
        "dial_whom_number",
        "outgoing_number",
        "forwarded_from",
        "exophone",
        "digits",
    }
)
_OURS = frozenset({"id", "issue", "repeat_of", "settled_by", "receipts", "release", "next", "hash"})
"""Identifiers that we made: of receipts, issues and releases, and cursors."""
OUR_ID = re.compile(r"[0-9a-f]{16}")
"""What names an alert, an issue or an erasure; as many digits as no number has."""
_OUR_FORM = re.compile(r"[0-9a-z]{1,16}|[0-9a-z]{26}|[0-9a-f]{40}|[0-9a-f]{64}")
_SIDS = frozenset({"sid", "call_sid", "account_sid", "stream_sid"})
_SID_FORM = re.compile(r"(?=(?:[^a-z]*[a-z]){5})[0-9a-f]{28}[0-9a-z]{4}")
_FLOWS = frozenset({"flow_id", "tenant_id"})
_FLOW_FORM = re.compile(r"[0-9]{1,9}")
_WHEN_FORM = re.compile(
    r"[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
"""A clock time or a moment: a window is `from` one `until` another."""
_FORMS = {
    **dict.fromkeys(_OURS, _OUR_FORM),
    "subject": OUR_ID,  # of the audit log: an erasure, an issue
    **dict.fromkeys(_SIDS, _SID_FORM),
    **dict.fromkeys(_FLOWS, _FLOW_FORM),
}
"""Fields of a known kind, and the form in which they are what they say."""


def sid_text(text: str) -> str:
    """A SID as it may be shown to everybody: whole where it has the form of one, else masked."""
    return text if _SID_FORM.fullmatch(text) else mask_text(text)


def _sees_nothing(call_sid: str) -> bool:
    return False


def mask_json(value: Any, sees: Callable[[str], bool] = _sees_nothing) -> Any:
    """An object of the API with numbers masked, but of calls that `sees` says may be seen."""
    if isinstance(value, list):
        return [mask_json(each, sees) for each in value]
    if isinstance(value, str):
        return mask_text(value)
    if not isinstance(value, dict):
        return value
    call_sid = value.get("call_sid")
    if isinstance(call_sid, str) and sees(call_sid):
        return value
    shown: dict[str, Any] = {}
    for key, member in value.items():
        name = mask_text(key)
        while name in shown:  # two names that differ in what is masked
            name += "'"
        shown[name] = _member(key, member, sees)
    return shown


def _member(key: str, member: Any, sees: Callable[[str], bool]) -> Any:
    if isinstance(member, list):
        return [_member(key, each, sees) for each in member]
    if not isinstance(member, str):
        return mask_json(member, sees)
    if key in _NUMBERS and not _WHEN_FORM.fullmatch(member):
        return masked(member)
    form = _FORMS.get(key)
    return member if form is not None and form.fullmatch(member) else mask_text(member)


class Masked:
    """Around the whole console: JSON leaves masked, and nobody asks by what they may not see.

    Pages are masked where they are made (`Renderer`), exports are for operators.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        viewer: Viewer = scope.get("viewer", OPEN)
        if scope["type"] != "http" or viewer.sees_numbers:
            await self._app(scope, receive, send)
        elif not viewer.may(Role.OPERATOR) and asks_by_number(scope["path"], scope["query_string"]):
            said = {"parameter": None, "problem": NOT_BY_NUMBER, "hint": "an operator may"}
            await _send_json(send, {"type": "http.response.start", "status": 403}, {"error": said})
        else:
            await self._app(scope, receive, _masking(send, viewer))


NOT_BY_NUMBER = "your role may not look for numbers"
_PLACES = ("/calls/", "/api/v1/calls/", "/api/v1/streams/", "/streams/")
_OTHERS = ("since", "until", "before", "cursor", "limit", "page", "tz", "cols", "columns")
"""Parameters whose values are of another kind, and checked to be."""


def asks_by_number(path: str, query: bytes) -> bool:
    """Whether an address names a number: its answer alone would tell whether there is one."""
    said = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return (path.startswith(_PLACES) and holds_number(path)) or any(
        holds_number(name) or (name not in _OTHERS and holds_number(text)) for name, text in said
    )


def _masking(send: Send, viewer: Viewer) -> Send:
    """Holds an answer of JSON back until it is whole, and sends it masked."""
    start: Message | None = None
    body = bytearray()

    async def sending(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _is_json(message):
            start = message
            return
        if start is None:
            await send(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body", False):
            return
        if not body:  # as to a HEAD request
            await send(start)
            await send(message)
            return
        shown = await asyncio.to_thread(lambda: mask_json(msgspec.json.decode(body), viewer.sees))
        await _send_json(send, start, shown)

    return sending


def _is_json(message: Message) -> bool:
    kinds = [value for name, value in message.get("headers", ()) if name.lower() == b"content-type"]
    return bool(kinds) and kinds[0].startswith(b"application/json")


async def _send_json(send: Send, start: Message, value: object) -> None:
    body = encode_json(value)
    ours = (b"content-length", b"content-type")
    headers = [each for each in start.get("headers", ()) if each[0].lower() not in ours]
    headers += [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body})
