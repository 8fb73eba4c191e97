"""What whoever wrote the bot can do about a stream that came not to be: one sentence."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from switchhook.emulator.net.go_errors import FailureKind, stream_error
from switchhook.exotel.connect_advice import connect_advice
from switchhook.exotel.stream_error import read_error

if TYPE_CHECKING:
    from switchhook.emulator.net.go_errors import Failure

_NO_ENDPOINT = (
    "something answers there, but it is no WebSocket endpoint: check port and path of the URL"
)
_STATUSES = {
    400: "it takes the upgrade for a bad request: look in its log; a proxy before it may drop the"
    " headers Upgrade and Connection",
    401: "it wants credentials: write them into the URL, wss://user:password@host/path; Exotel"
    " sends them as Basic",
    403: "it lets nobody in: check credentials and lists of addresses; Starlette and FastAPI say"
    " 403 also where no WebSocket route has this path",
    404: "there is nothing at this path: check the path of the URL, down to the slash at its end",
    405: _NO_ENDPOINT,
    407: "a proxy wants credentials: let Exotel reach the bot without it",
    426: "it wants another version of WebSocket than 13, or is no WebSocket endpoint",
    429: "it takes no more connections: let it take as many as Exotel has streams",
    503: "it, or a proxy before it, takes no connections now: is the bot itself running?",
}


def dial_advice(failure: Failure, url: str) -> str:
    """What to do; `url` is the bot's, as it may be shown."""
    at = failure.address or urlsplit(url).netloc or url
    if failure.status is not None:
        try:
            phrase = f" {HTTPStatus(failure.status).phrase}"
        except ValueError:
            phrase = ""
        answered = f"the bot at {at} answered the handshake with HTTP {failure.status}{phrase}"
        return f"{answered}: {_status_advice(failure)}"
    if failure.kind is FailureKind.BAD_HANDSHAKE:
        return f"the bot at {at} did not answer as a WebSocket server: {failure.detail}"
    text = stream_error(failure)
    return connect_advice(read_error(text).kind, text, at)


def _status_advice(failure: Failure) -> str:
    status = failure.status or 0
    if 300 <= status < 400:
        to = f" {failure.location}" if failure.location else ""
        return f"Exotel follows no redirects: give it the address it leads to{to}"
    if status >= 500 and status not in _STATUSES:
        return "it failed over the request: look in its log for the error"
    return _STATUSES.get(status, _NO_ENDPOINT)
