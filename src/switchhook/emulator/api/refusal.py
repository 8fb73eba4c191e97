"""What Exotel's API refuses a request with: its RestExceptions (exotel-platform E.6)."""

from __future__ import annotations

from switchhook.exotel.wire.rest_error import RestError

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


class RefusedRequestError(Exception):
    """A request that is answered with a RestException."""

    def __init__(self, error: RestError) -> None:
        self.error = error
        super().__init__(error.message)
