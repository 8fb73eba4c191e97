"""Who may ask Exotel's API: the right credentials, in the right region, not too often."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections import deque
from typing import TYPE_CHECKING

from switchhook.emulator.api.refusal import REFUSALS, RefusedRequestError
from switchhook.exotel.wire.rest_error import RestError

if TYPE_CHECKING:
    from starlette.requests import Request

    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.exchange.line import AccountLine

WINDOW_S = 60.0
_REGIONS = {
    "api.in.exotel.com": "in",
    "in.localhost": "in",
    "api.exotel.com": "sg",
    "sg.localhost": "sg",
}
"""Hosts of one region; any other stands for the account's own (exotel-platform G-54)."""


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


class Admission:
    """Lets requests in, to the account that their path names."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._windows = {
            sid: Window(line.account.requests_a_minute) for sid, line in exchange.lines.items()
        }

    def let_in(self, request: Request) -> AccountLine:
        """The account that asks, with this request counted. Raises RefusedRequestError."""
        sid = request.path_params["account"]
        line = self._exchange.lines.get(sid)
        user, _, password = _credentials(request).partition(":")
        if line is None or not (
            _same(password, line.account.token)
            and (_same(user, line.account.key) or _same(user, sid))
        ):
            raise RefusedRequestError(REFUSALS[401])
        host = request.headers.get("host", "").partition(":")[0].lower()
        if _REGIONS.get(host, line.account.region) != line.account.region:
            at = f"it is in {line.account.region!r}"
            raise RefusedRequestError(RestError(404, f"account {sid} is not in this region: {at}"))
        if not self._windows[sid].take(self._exchange.clock.now()):
            most = line.account.requests_a_minute
            raise RefusedRequestError(
                RestError(429, f"Too many requests: {most} a minute are allowed")
            )
        return line


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
