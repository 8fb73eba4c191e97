"""The requests in a JSON value: a log's entry, an event, a HAR, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.exotel.request_logs.found import Found, is_own, of_pairs
from switchhook.exotel.wire.json_object import flatten, is_members
from switchhook.exotel.wire.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TARGETS = (
    "request_uri",
    "requestUri",
    "uri",
    "requestUrl",
    "requestURL",
    "RequestPath",
    "ClientRequestURI",
    "url",
    "target",
    "request",
    "path",
    "originalUrl",
    "http.url",
    "url.original",
    "original",
)
_METHODS = (
    "method",
    "request_method",
    "requestMethod",
    "RequestMethod",
    "ClientRequestMethod",
    "httpMethod",
    "verb",
)
_QUERIES = ("rawQueryString", "query_string", "queryString", "args", "query", "cs-uri-query")
_PARAMETERS = (
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "query",
    "queryParams",
    "query_params",
    "params",
    "parameters",
    "args",
    "payload",
)
_TEXTS = (
    "message",
    "msg",
    "log",
    "MESSAGE",
    "@message",
    "textPayload",
    "line",
    "_raw",
    "text",
    "event",
)
_DEEPEST = 12


def find_in_entry(value: Any, in_text: Callable[[str], list[Found]]) -> list[Found]:
    """The requests in a value of `parse_value`; `in_text` finds those in a text of it."""
    return list(_found(value, in_text, 0))


def _found(value: Any, in_text: Callable[[str], list[Found]], depth: int) -> Iterator[Found]:
    if depth > _DEEPEST:
        return
    if not is_members(value):
        for each in value if isinstance(value, list) else ():
            yield from _found(each, in_text, depth + 1)
        return
    entry = dict(value)
    one = _written(entry) or _told(entry) or _parameters(entry) or _itself(value)
    if one is not None:
        yield one
        return
    for name in _TEXTS:
        if isinstance(text := entry.get(name), str) and (in_it := in_text(text)):
            yield from in_it
            return
    for each in entry.values():
        yield from _found(each, in_text, depth + 1)


def _written(entry: dict[str, Any]) -> Found | None:
    """A request of a test's cases: `query`, `method`, `content_type`, `body`."""
    query = entry.get("query")
    if not isinstance(query, str) or not {"method", "content_type", "body"} & entry.keys():
        return None
    body, kind = _text(entry, "body"), _text(entry, "content_type") or None
    method = _text(entry, "method") or "GET"
    request = Request(_bytes(query.removeprefix("?")), method, kind, _bytes(body))
    return Found(request, "object")


def _told(entry: dict[str, Any]) -> Found | None:
    """By its target, or by its query."""
    method = _method(entry)
    for name in _TARGETS:
        target = _text(entry, name)
        if " HTTP/" in target:  # a request line
            method, _, target = target.rpartition(" HTTP/")[0].partition(" ")
        if "?" in target:
            path, _, query = target.partition("?")
            return Found(Request(_bytes(query), method), "json log", path=path)
    for name in _QUERIES:
        if "=" in (query := _text(entry, name)):
            return Found(Request(_bytes(query.removeprefix("?")), method), "json log")
    return None


def _parameters(entry: dict[str, Any]) -> Found | None:
    for name in _PARAMETERS:
        if is_members(said := entry.get(name)) and (found := _itself(said)):
            return Found(
                Request(found.request.query, _method(entry)), "json log", path=_text(entry, "path")
            )
    return None


def _itself(members: Any) -> Found | None:
    """Whether it is the parameters; a stream alone, too."""
    pairs = flatten("", members)
    if not any(is_own(key, text) for key, text in pairs):
        return None
    return of_pairs(pairs, "parameters as JSON")


def _method(entry: dict[str, Any]) -> str:
    return next((text for name in _METHODS if (text := _text(entry, name))), "GET").upper()


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
