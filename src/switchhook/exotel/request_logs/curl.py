"""A request as a curl command: https://curl.se/docs/manpage.html."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from switchhook.exotel.request_logs.found import Found
from switchhook.exotel.wire.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMAND = re.compile(r"(?:^|[\s$>#`;|&(])curl(?:\.exe)?\s")
_FORM = "application/x-www-form-urlencoded"
_WITH_VALUE = set("AbBcCDeEFHKmoPQrtTuUwxXyYzZd")
_LONG_WITH_VALUE = {
    "request",
    "url",
    "header",
    "data",
    "data-raw",
    "data-ascii",
    "data-binary",
    "data-urlencode",
    "json",
    "form",
    "form-string",
    "user",
    "user-agent",
    "cookie",
    "max-time",
    "connect-timeout",
    "output",
    "proxy",
    "resolve",
    "referer",
    "retry",
    "cacert",
    "cert",
    "key",
    "interface",
    "write-out",
    "dump-header",
    "cookie-jar",
    "config",
}
_SHORT = {
    "X": "request",
    "d": "data",
    "H": "header",
    "G": "get",
    "F": "form",
    "I": "head",
    "g": "globoff",
}


def is_command(text: str) -> bool:
    return _COMMAND.search(text) is not None


def goes_on(text: str) -> bool:
    """Whether the next line belongs to it: by a backslash, or what Windows' shells have for it."""
    return text.rstrip().endswith(("\\", " ^", " `"))


def find_curl(command: str) -> Found | None:
    """The request that a command makes; None where it has no URL or can't be read."""
    begin = _COMMAND.search(command)
    if begin is None:
        return None
    text = re.sub(r"[\\^`][ \t]*\r?\n", " ", command[begin.end() :]).replace("$'", "'")
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return None
    method, url, content_type, data, get = "", "", None, list[str](), False
    for name, value in _options(words):
        match name:
            case "request":
                method = value
            case "url":
                url = url or _globbed(value, words)
            case "get":
                get = True
            case "head":
                method = method or "HEAD"
            case "header" if value.lower().startswith("content-type:"):
                content_type = value.partition(":")[2].strip()
            case "json":
                data.append(value)
                content_type = content_type or "application/json"
            case "data-urlencode":
                data.append(_encoded(value))
            case "data" | "data-raw" | "data-ascii" | "data-binary":
                data.append(value)
            case "form" | "form-string":
                data.append(_encoded(value))
    if not url:
        return None
    query, said = url.partition("?")[2].partition("#")[0], "&".join(data)
    if get or not data:
        query = "&".join(filter(None, (query, said)))
        return Found(Request(_bytes(query), method or "GET"), "curl", path=_path(url))
    body = Request(_bytes(query), method or "POST", content_type or _FORM, _bytes(said))
    return Found(body, "curl", path=_path(url))


def _globbed(url: str, words: list[str]) -> str:
    """The URL as curl asks for it: a backslash keeps a bracket or brace, unless globbing is off."""
    if any(name == "globoff" for name, _ in _options(words)):
        return url
    return re.sub(r"\\([\[\]{}])", r"\1", url)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each option with its value; what is none is a URL. The end of a pipeline is the end."""
    rest = iter(words)
    for word in rest:
        if word in ("|", "&&", "||", ";", ">", ">>"):
            return
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and name in _LONG_WITH_VALUE:
                value = next(rest, "")
            yield name, value
        elif word.startswith("-") and len(word) > 1:
            yield from _short(word[1:], rest)
        else:
            yield "url", word


def _short(letters: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """`-sG`, `-XPOST`, `-d a=b`."""
    for at, letter in enumerate(letters):
        if letter in _WITH_VALUE:
            yield _SHORT.get(letter, letter), letters[at + 1 :] or next(rest, "")
            return
        yield _SHORT.get(letter, letter), ""


def _encoded(said: str) -> str:
    """As `--data-urlencode` has it: `name=content`, `=content` or `content`."""
    name, equals, content = said.partition("=")
    if not equals:
        return quote(said, safe="")
    return f"{name}={quote(content, safe='')}" if name else quote(content, safe="")


def _path(url: str) -> str:
    rest = url.partition("://")[2] or url
    return "/" + rest.partition("?")[0].partition("/")[2]


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
