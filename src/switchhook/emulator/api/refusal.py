"""What Exotel's API refuses a request with: its RestExceptions (exotel-platform E.6)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from switchhook.exotel.wire.rest_error import RestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.emulator.plan.plan import Account, Caller, Fault

REFUSALS = {
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
"""What it says with a status, where there is nothing more to say."""

_DND = RestError(403, "Call to this number is not allowed as per TRAI NDNC regulations")
_UNSUBSCRIBED = RestError(403, "This number has unsubscribed from your calls (Blacklist)")
_STANDING = {
    "no-kyc": REFUSALS[403],
    "suspended": RestError(403, "Your account is suspended"),
    "no-balance": REFUSALS[402],
}
_TRIAL = RestError(403, "Trial accounts can call verified numbers only")


class RefusedRequestError(Exception):
    """A request that is answered with a RestException, and with these headers."""

    def __init__(self, error: RestError, headers: Mapping[str, str] | None = None) -> None:
        self.error, self.headers = error, dict(headers or {})
        super().__init__(error.message)


def injected(fault: Fault) -> RefusedRequestError:
    """What a fault has the API refuse with."""
    return RefusedRequestError(REFUSALS.get(fault.code, RestError(fault.code, "an injected fault")))


def injected_for_now(fault: Fault) -> RefusedRequestError:
    """The same, which says after 429 and 503 when to come again."""
    refused = injected(fault)
    if fault.code in (429, 503):
        refused.headers["Retry-After"] = str(math.ceil(fault.seconds))
    return refused


def why_not_called(
    account: Account, caller: Caller, number: str, *, whitelisted: bool
) -> RestError | None:
    """Why an account may not call somebody; None where it may.

    `whitelisted` says whether they called in lately, which lets it call through DND.
    """
    if account.standing == "trial" and number not in account.verified:
        return _TRIAL
    if account.standing in _STANDING:
        return _STANDING[account.standing]
    if caller.unsubscribed:
        return _UNSUBSCRIBED
    return _DND if caller.dnd and not whitelisted else None
