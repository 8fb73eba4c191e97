"""Switchhook: the passthru backend for Exotel voice streams.

The pieces for other programs, free of the server:

- `parse_passthru` reads a request in every dialect that senders use; it never raises.
- `build_passthru` writes a `Passthru` as a request again, in any `Dialect`.
- `judge` gives the verdict on its stream: cause, evidence, advice.
- `answer_app` is the answer side as an ASGI app, to be mounted in another one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.answer.asgi import AnswerApp
    from switchhook.config import Config
    from switchhook.exotel.cause import Cause, Verdict, judge
    from switchhook.exotel.passthru import (
        Defect,
        Dialect,
        Direction,
        DisconnectedBy,
        Leg,
        Passthru,
        Stream,
        StreamStatus,
    )
    from switchhook.exotel.stream_error import ErrorKind, StreamError, read_error
    from switchhook.exotel.wire.build import build as build_passthru
    from switchhook.exotel.wire.request import Request

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
    "answer_app",
    "build_passthru",
    "judge",
    "parse_passthru",
    "read_error",
]

# Where each comes from. They are loaded when they are asked for: of our own programs one that reads
# no request is a third smaller without.
_PLACES = {
    "Cause": "exotel.cause",
    "Defect": "exotel.passthru",
    "Dialect": "exotel.passthru",
    "Direction": "exotel.passthru",
    "DisconnectedBy": "exotel.passthru",
    "ErrorKind": "exotel.stream_error",
    "Leg": "exotel.passthru",
    "Passthru": "exotel.passthru",
    "Request": "exotel.wire.request",
    "Stream": "exotel.passthru",
    "StreamError": "exotel.stream_error",
    "StreamStatus": "exotel.passthru",
    "Verdict": "exotel.cause",
    "judge": "exotel.cause",
    "read_error": "exotel.stream_error",
}


def __getattr__(name: str) -> Any:
    if name == "build_passthru":
        return import_module("switchhook.exotel.wire.build").build
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"switchhook.{_PLACES[name]}"), name)


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
    from switchhook.exotel.wire.passthru import parse
    from switchhook.exotel.wire.request import Request

    if isinstance(query, Request):
        return parse(query, region=region)
    raw, data = _as_bytes(query), _as_bytes(body)
    return parse(Request(raw.removeprefix(b"?"), method, content_type, data), region=region)


def _as_bytes(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode(errors="surrogateescape")  # bytes that the system could not decode
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")  # lone surrogates: a defect, but no error


def answer_app(
    config: Config | str | Path | None = None,
) -> AnswerApp:
    """The answer side as an ASGI app: a `Config`, a configuration file's path, or the defaults.

    It opens its data folder with the first lifespan event or request and is its only writer, so
    mount it in one worker process only. What the wire before the secret needs (bounded heads and
    connections) is the embedding server's business there; `switchhook answer` brings its own.
    """
    # Here, so that parsing and judging stay free of the server.
    from switchhook.server.answer import answer_app as make

    return make(config)
