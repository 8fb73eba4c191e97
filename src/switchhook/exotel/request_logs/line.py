"""The request in a line of text: of an access log, of a program's own, or by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from switchhook.exotel.request_logs.entry import find_in_entry
from switchhook.exotel.request_logs.found import Found, is_own, is_passthru, of_pairs
from switchhook.exotel.request_logs.printed import find_printed
from switchhook.exotel.wire.json_object import is_members, parse_value
from switchhook.exotel.wire.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

_METHOD = r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)"
_REQUEST_LINE = re.compile(rf"(?<![A-Za-z]){_METHOD} (\S[^\"\x00-\x1f]*?) HTTP/[0-9.]+")
_QUOTED = re.compile(rf"(?<![A-Za-z]){_METHOD} [\"']([^\"']*)[\"']")
_TARGET = re.compile(rf"(?<![A-Za-z]){_METHOD} ((?:https?://|/)[^\s\"'<>\x00-\x1f]*)")
_FIELD = re.compile(
    r"(?<![\w.])(method|path|uri|url|request_uri|target|query|query_string|args)="
    r"(?:b?\"((?:[^\"\\]|\\.)*)\"|b?'((?:[^'\\]|\\.)*)'|([^\s\"]+))"
)
_PAIR = re.compile(
    r"(?<![^\s\"'(,;{])([A-Za-z][\w.%]*(?:\[\w*\])*)=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"',;&]*))"
)
_URL = re.compile(r"https?://[^\s\"'<>\x00-\x1f]+", re.IGNORECASE)
_PATH = re.compile(r"(?:^|(?<=[\s\"'=(]))/[^\s?\"']*\?[^\s\"'<>\x00-\x1f]+")
_QUERY = re.compile(
    r"(?:^|(?<=[\s\"'(?:{]))\??([^\s=&?\"'{(]+=[^\s&\"'<>]*(?:&[^\s=&\"']+=[^\s&\"'<>]*)*&?)"
)
_BARE = re.compile(r"\??[^\s=&?\"'{(]+=")
_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u0026|([\"\\/]))")


def find_in_line(text: str) -> list[Found]:
    """The requests in a line; those that are no passthru only where no other is. Never raises."""
    text = text.strip()
    if text.startswith(("{", "[")) and (value := parse_value(text)) is not None:
        return find_in_entry(value, find_in_line)
    others: list[Found] = []
    for found in _found(text):
        if is_passthru(found.request):
            return [found]
        others.append(found)
    return others[:1]


def _found(text: str) -> Iterator[Found]:
    """All that may be one, the plainest form first."""
    for pattern, form in ((_REQUEST_LINE, ""), (_QUOTED, "log line"), (_TARGET, "log line")):
        if match := pattern.search(text):
            alone = match.start() == 0 and pattern is _REQUEST_LINE
            target = match[2] if alone else unescaped(match[2])
            yield of_target(target, form or ("request line" if alone else "access log"), match[1])
    yield from _of_fields(text)
    if _BARE.match(text):
        found = Found(Request(_bytes(unescaped(text.removeprefix("?")))), "query")
        if is_passthru(found.request):
            yield found
    for match in _URL.finditer(text):
        if "?" in match[0]:
            yield of_target(unescaped(match[0]), "url", "GET")
    for match in _PATH.finditer(text):
        yield of_target(unescaped(match[0]), "path", "GET")
    if pairs := find_printed(text):
        yield of_pairs(pairs, "printed parameters")
    yield from _of_embedded(text)
    yield from find_pairs(text)
    for match in _QUERY.finditer(text):
        found = Found(Request(_bytes(unescaped(match[1]))), "query")
        if is_passthru(found.request):  # `port=8080` is no request
            yield found


def _of_fields(text: str) -> Iterator[Found]:
    """`method=GET path="/passthru?…"`, as Heroku's router and logfmt have it."""
    fields = {name: "".join(said) for name, *said in _FIELD.findall(text)}
    method = fields.pop("method", "GET").upper()
    for name, said in fields.items():
        target = unescaped(said)
        if name in ("query", "query_string", "args"):
            yield Found(Request(_bytes(target.removeprefix("?")), method), "log fields")
        elif "?" in target:
            yield of_target(target, "log fields", method)


def find_pairs(text: str) -> Iterator[Found]:
    """`CallSid=a1 Stream[Status]=failed`: parameters with blanks between them."""
    if "&" in text:
        return
    pairs = [(name, "".join(said)) for name, *said in _PAIR.findall(text)]
    own = [at for at, pair in enumerate(pairs) if is_own(*pair)]
    if len(own) > 1:
        yield of_pairs(pairs[own[0] :], "parameters in a line")
    for _, said in pairs:  # `msg="CallSid=a1 Stream[Status]=failed"`
        if "=" in said:
            yield from find_pairs(said)


def _of_embedded(text: str) -> Iterator[Found]:
    """JSON after a time, a level or whatever else."""
    begin, end = text.find("{"), text.rfind("}")
    if 0 < begin < end:
        value = parse_value(text[begin : end + 1])
        if is_members(value):
            yield from find_in_entry(value, find_in_line)


def of_target(target: str, form: str, method: str) -> Found:
    """A request by its target: a URL, or a path with its query."""
    path, _, query = target.partition("?")
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return Found(Request(_bytes(query.partition("#")[0]), method), form, path=path)


def unescaped(text: str) -> str:
    r"""A text that a server wrote between quotes: `\x22` and `\"`; `&amp;` of a page."""
    text = _ESCAPED.sub(_plain, text)
    return text.replace("&amp;", "&") if "&amp;" in text else text


def _plain(match: re.Match[str]) -> str:
    if match[1]:
        return f"%{match[1]}"
    return match[2] or "&"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
