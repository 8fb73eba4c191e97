"""Who may ask Exotel's API: the right credentials, in the right region, not too often."""

from __future__ import annotations

import base64
import binascii
import math
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
        if not self.left(now):
            return False
        self._times.append(now)
        return True

    def left(self, now: float) -> int:
        """How many more may come now."""
        while self._times and self._times[0] <= now - WINDOW_S:
            self._times.popleft()
        return max(0, self._most - len(self._times))

    def free_in(self, now: float) -> float:
        """Seconds until one more may come; 0 where one may now."""
        return 0.0 if self.left(now) else self._times[0] + WINDOW_S - now

    def headers(self, now: float) -> dict[str, str]:
        """What answers say of it (exotel-platform E.5); the time of Reset is seconds from now."""
        oldest = self._times[0] + WINDOW_S - now if self._times else 0.0
        return {
            "X-RateLimit-Limit": str(self._most),
            "X-RateLimit-Remaining": str(self.left(now)),
            "X-RateLimit-Reset": str(math.ceil(max(0.0, oldest))),
        }


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
        window, now = self._windows[sid], self._exchange.clock.now()
        if not window.take(now):
            most = line.account.requests_a_minute
            again = {"Retry-After": str(math.ceil(window.free_in(now)))}
            told = again | self.headers(line) if line.behaviour.rate_headers else {}
            raise RefusedRequestError(
                RestError(429, f"Too many requests: {most} a minute are allowed"), told
            )
        return line

    def headers(self, line: AccountLine) -> dict[str, str]:
        """What each answer says of what is left; nothing where the account's behaviour says so."""
        now = self._exchange.clock.now()
        return self._windows[line.sid].headers(now) if line.behaviour.rate_headers else {}


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
