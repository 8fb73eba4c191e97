"""Switchhook: the passthru backend for Exotel voice streams.

The pieces for other programs, free of the server:

- `parse_passthru` reads a request in every dialect that senders use; it never raises.
- `build_passthru` writes a `Passthru` as a request again, in any `Dialect`.
- `judge` gives the verdict on its stream: cause, evidence, advice.
"""

from __future__ import annotations

from switchhook.cause import Cause, ErrorKind, StreamError, Verdict, judge, read_error
from switchhook.passthru import (
    Defect,
    Dialect,
    Direction,
    DisconnectedBy,
    Leg,
    Passthru,
    Stream,
    StreamStatus,
)
from switchhook.wire.passthru import build as build_passthru
from switchhook.wire.passthru import parse as _parse
from switchhook.wire.request import Request

__all__ = [
    "Cause",
    "Defect",
    "Dialect",
    "Direction",
    "DisconnectedBy",
    "ErrorKind",
    "Leg",
    "Passthru",
    "Request",
    "Stream",
    "StreamError",
    "StreamStatus",
    "Verdict",
    "build_passthru",
    "judge",
    "parse_passthru",
    "read_error",
]


def parse_passthru(
    query: str | bytes | Request = b"",
    *,
    method: str = "GET",
    content_type: str | None = None,
    body: str | bytes = b"",
    region: str = "IN",
) -> Passthru:
    """Read a passthru; never raises, whatever the bytes.

    `query` is the raw query string with or without its `?`, or a whole `Request`. Numbers without
    a country code are read in `region` (a CLDR code).

    >>> parse_passthru("CallSid=a1&Stream[Status]=completed&Stream[Duration]=28").stream.duration_s
    28
    """
    if isinstance(query, Request):
        return _parse(query, region=region)
    raw = query.encode(errors="surrogateescape") if isinstance(query, str) else query
    data = body.encode(errors="surrogateescape") if isinstance(body, str) else body
    return _parse(Request(raw.removeprefix(b"?"), method, content_type, data), region=region)
