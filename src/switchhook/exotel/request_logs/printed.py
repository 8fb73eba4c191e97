"""Parameters as programs print them: Python's dicts, Ruby's hashes, JavaScript's objects.

`{'CallSid': 'a1'}`, `ImmutableMultiDict([('CallSid', 'a1')])`, `<QueryDict: {'CallSid': ['a1']}>`,
`{"CallSid"=>"a1", "Stream"=>{"Status"=>"failed"}}`, `{ CallSid: 'a1' }`.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from switchhook.exotel.request_logs.found import is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<sign>=>|[{}\[\](),:=])
    |(?P<word>[^\s{}\[\](),:='"]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BEGIN = re.compile(r"[{\[(]")
_ESCAPED = re.compile(r"\\(?:U([0-9A-Fa-f]{8})|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_NOTHING = {"None", "nil", "null", "undefined"}
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_MOST_BEGINS, _DEEPEST = 20, 8


class _UnreadableError(Exception):
    """It is no print of parameters."""


def find_printed(text: str) -> list[tuple[str, str]] | None:
    """The parameters that are printed in a text; None where there are none."""
    for n, begin in enumerate(_BEGIN.finditer(text)):
        if n >= _MOST_BEGINS:
            return None
        try:
            value = _Reader(text, begin.start()).value(0)
        except _UnreadableError:
            continue
        pairs = list(_pairs("", value))
        if any(is_own(key, each) for key, each in pairs):
            return pairs
    return None


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self._text, self._at = text, at
        self._token: tuple[str, str] = ("", "")
        self._next()

    def _next(self) -> tuple[str, str]:
        before = self._token
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            self._token = ("end", "")
        else:
            kind = match.lastgroup or ""
            self._token, self._at = (kind, match[kind]), match.end()
        return before

    def value(self, depth: int) -> Any:
        """A text, None, a list, or the members of a mapping as a tuple of pairs."""
        if depth > _DEEPEST:
            raise _UnreadableError
        kind, said = self._next()
        if kind == "text":
            return _unquoted(said)
        if kind == "word":
            if self._token == ("sign", "("):  # MultiDict([...]), by whatever name
                return self.value(depth + 1)
            return None if said in _NOTHING else said
        if kind != "sign" or said not in _CLOSING:
            raise _UnreadableError
        return self._mapping(depth) if said == "{" else self._list(_CLOSING[said], depth)

    def _mapping(self, depth: int) -> tuple[tuple[str, Any], ...]:
        members: list[tuple[str, Any]] = []
        while self._token != ("sign", "}"):
            if self._token == ("sign", ":"):  # a symbol of Ruby's
                self._next()
            kind, key = self._next()
            if kind not in ("text", "word"):
                raise _UnreadableError
            if self._next() not in (("sign", ":"), ("sign", "=>"), ("sign", "=")):
                raise _UnreadableError
            members.append((_unquoted(key) if kind == "text" else key, self.value(depth + 1)))
            self._separated("}")
        self._next()
        return tuple(members)

    def _list(self, closing: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while self._token != ("sign", closing):
            found.append(self.value(depth + 1))
            self._separated(closing)
        self._next()
        return found

    def _separated(self, closing: str) -> None:
        if self._token == ("sign", ","):
            self._next()
        elif self._token != ("sign", closing):
            raise _UnreadableError


def _pairs(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """As a query would have them: `Stream[Status]` for what is nested."""
    if isinstance(value, tuple):
        for name, member in value:
            yield from _pairs(f"{key}[{name}]" if key else name, member)
    elif isinstance(value, list):
        for member in value:
            if not key and _is_pair(member):
                yield from _pairs(member[0], member[1])
            else:
                yield from _pairs(key, member)
    elif isinstance(value, str) and key:
        yield key, value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(_letter, text[1:-1])


def _letter(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or match[3] or "0", 16)
    if match[4]:
        return _LETTERS.get(match[4], match[4])
    return chr(code) if code <= sys.maxunicode else match[0]
