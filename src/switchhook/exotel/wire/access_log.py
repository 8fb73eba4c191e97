r"""Finding the request in a line of text: a mock log, an access log, a URL, a query.

Understood are the common and combined formats of Apache and nginx, AWS load balancers, the JSON
logs of nginx, Caddy, Traefik and Google's load balancers, request lines, URLs, bare queries, and
JSON objects with `query`, `method`, `content_type` and `body`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from switchhook.exotel.wire.request import Request

_REQUEST_LINE = re.compile(
    r"(?<![A-Za-z])(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S.*?) HTTP/[0-9.]+"
)
_URL = re.compile(r"""https?://[^\s"'<>]+""", re.IGNORECASE)
_PATH = re.compile(r"/[^\s?]*\?\S")
_PAIR = re.compile(r"[^\s=&?\"'{][^=&]*=")
_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([\"\\]))")

_URI_KEYS = (
    "request_uri",
    "requestUri",
    "uri",
    "requestUrl",
    "RequestPath",
    "url",
    "target",
    "request",
    "path",
)
_METHOD_KEYS = ("method", "request_method", "requestMethod", "RequestMethod")
_QUERY_KEYS = ("query_string", "args")
_MEMBERS = ("request", "httpRequest", "req")


class Found(msgspec.Struct, frozen=True):
    """A request, and the form of the line that it stood in."""

    request: Request
    form: str


def find_request(line: str) -> Found | None:
    """The request in a line; None where there is none. Never raises."""
    text = line.strip().removeprefix("\ufeff")
    if text.startswith("{"):
        return _in_object(text)
    return _in_text(text)


def _in_text(text: str) -> Found | None:
    found = _REQUEST_LINE.search(text)
    if found:
        alone = found.start() == 0
        # Servers write what a quoted text can't hold as \xHH.
        target = found[2] if alone else _ESCAPED.sub(_unescaped, found[2])
        form = "request line" if alone else "access log"
        return Found(Request(_query(target), found[1]), form)
    url = _URL.search(text)
    if url and ("?" in url[0] or url.start() == 0):
        return Found(Request(_query(text if url.start() == 0 else url[0])), "url")
    if _PATH.match(text):
        return Found(Request(_query(text)), "url")
    bare = text.removeprefix("?")
    if _PAIR.match(bare):
        return Found(Request(_bytes(bare)), "query")
    return None


def _unescaped(match: re.Match[str]) -> str:
    return f"%{match[1]}" if match[1] else match[2]


def _query(target: str) -> bytes:
    return _bytes(target.partition("?")[2])


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _in_object(text: str) -> Found | None:
    try:
        entry = msgspec.json.decode(text.encode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("query"), str):
        return Found(_case(entry), "object")
    return _in_log_entry(entry)


def _case(entry: dict[str, Any]) -> Request:
    def said(key: str) -> str:
        value = entry.get(key)
        return value if isinstance(value, str) else ""

    return Request(
        _bytes(said("query").removeprefix("?")),
        said("method") or "GET",
        said("content_type") or None,
        _bytes(said("body")),
    )


def _in_log_entry(entry: dict[str, Any]) -> Found | None:
    for key in _MEMBERS:
        inner = entry.get(key)
        found = _in_log_entry(inner) if isinstance(inner, dict) else None
        if found:
            return found
    method = next((entry[key] for key in _METHOD_KEYS if isinstance(entry.get(key), str)), "GET")
    for key in _URI_KEYS:
        value = entry.get(key)
        if not isinstance(value, str):
            continue
        line = _REQUEST_LINE.match(value)
        if line:
            return Found(Request(_query(line[2]), line[1]), "json log")
        if "?" in value:
            return Found(Request(_query(value), method), "json log")
    for key in _QUERY_KEYS:
        value = entry.get(key)
        if isinstance(value, str) and value:
            return Found(Request(_bytes(value.removeprefix("?")), method), "json log")
    return None
