"""A JSON object as ordered pairs of texts, from text that is often not quite JSON.

Numbers and nested values keep their own text (28.70 stays 28.70, a number of 5,000 digits costs
no more than its length); null is nothing. What senders do to the JSON in `Stream`
(exotel-platform B.4: encoded twice, in quotes, typographic quotes, cut short) is undone, and said.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import msgspec

from switchhook.exotel.wire.scalar import without_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator

CUT_SHORT = "JSON cut short; what was whole is read"
TWICE = "JSON percent-encoded twice"
REPEATED = "JSON names a member twice; the first counts"
NOT_AN_OBJECT = "not a JSON object; kept as text"

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_TYPOGRAPHIC = str.maketrans({"“": '"', "”": '"', "„": '"', "‟": '"'})
_MEMBER = re.compile(
    r'\s*"((?:[^"\\]|\\.)*)"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*(?=\s*[,}])|null)\s*,?'
)
_DEEPEST = 4  # `Legs[1][Insights][Status]` and one more
_LONGEST_KEY = 64
"""Characters of a key that others are nested below: each of them repeats it."""
_LAYERS = 3  # times that the text may have been encoded or quoted as a whole


def parse_object(text: str, problems: list[str]) -> list[tuple[str, str | None]] | None:
    """The members in order, None for null; None where there is no object to be read."""
    try:
        members = _members.decode(text)
        # The decoder keeps the last of repeated members. Counting says cheaply that none can be.
        if text.count('":') > len(members) and (pairs := _repeated(text, len(members))) is not None:
            return _said(pairs, problems)
        return [(key, _member(raw)) for key, raw in members.items()]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _parse_odd(text.strip(), problems)


def parse_value(text: str | bytes) -> Any:
    """Any JSON value with numbers as text and objects as lists of pairs, repeats kept.

    None where it is `null` or can't be read; strings may hold raw line breaks.
    """
    try:
        return json.loads(
            text,
            strict=False,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            object_pairs_hook=_Members,
        )
    except (ValueError, RecursionError):
        return None


def flatten(key: str, value: Any) -> list[tuple[str, str]]:
    """A value of `parse_value` as pairs: `key[member]`, `key[0]`; a list of scalars repeats `key`.

    What is nested deeper than senders nest it, or below a longer key, stays JSON text.
    """
    pairs: list[tuple[str, str]] = []
    _flatten(pairs, key, value, 0)
    return pairs


def _flatten(pairs: list[tuple[str, str]], key: str, value: Any, depth: int) -> None:
    nests = depth < _DEEPEST and len(key) <= _LONGEST_KEY
    if nests and is_members(value):
        for name, member in value:
            name = without_surrogates(name)
            _flatten(pairs, f"{key}[{name}]" if key else name, member, depth + 1)
    elif nests and isinstance(value, list) and any(map(is_members, value)):
        for index, item in enumerate(value):
            _flatten(pairs, f"{key}[{index}]", item, depth + 1)
    elif (
        isinstance(value, list)
        and not is_members(value)
        and not any(isinstance(item, list) for item in value)
        and (len(key) <= _LONGEST_KEY or len(value) <= 1)
    ):
        pairs.extend((key, text) for text in map(value_text, value) if text is not None)
    elif (text := value_text(value)) is not None:
        pairs.append((key, text))


class _Members(list[tuple[str, Any]]):
    """Pairs of one JSON object, told apart from a JSON array."""


def is_members(value: object) -> bool:
    """Whether a value of `parse_value` was a JSON object."""
    return isinstance(value, _Members)


def value_text(value: Any) -> str | None:
    """One JSON value as text: scalars as they stood, nested ones as compact JSON."""
    match value:
        case None:
            return None
        case str():
            return without_surrogates(value)
        case bool():
            return "true" if value else "false"
        case _:
            return _compact(value)


def _compact(value: Any) -> str:
    """JSON text without blanks; by hand, as json.dumps gives up on what is nested deep."""
    parts: list[str] = []
    left = [iter(_tokens(value))]
    while left:
        for token in left[-1]:
            if isinstance(token, str):
                parts.append(token)
            else:
                left.append(iter(_tokens(token[0])))
                break
        else:
            left.pop()
    return "".join(parts)


def _tokens(value: Any) -> Iterator[str | tuple[Any]]:
    """The text of a value; what is nested in it comes in a tuple of one."""
    if is_members(value):
        yield "{"
        for number, (key, member) in enumerate(value):
            yield f"{',' if number else ''}{json.dumps(key)}:"
            yield (member,)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            yield "," if number else ""
            yield (item,)
        yield "]"
    else:
        yield json.dumps(value)


def _member(raw: msgspec.Raw) -> str | None:
    text = bytes(raw)
    if text[:1] == b'"':
        return _text.decode(text)
    return None if text == b"null" else text.decode()


def _parse_odd(text: str, problems: list[str]) -> list[tuple[str, str | None]] | None:
    for _ in range(_LAYERS):
        if text[:1] == "%":
            text = unquote_plus(text).strip()
            _say(problems, TWICE)
        elif text[:1] == '"':
            inner = _inner(text)
            if inner is None:
                break
            text = inner.strip()
            _say(problems, "JSON encoded twice")
    if text[:1] != "{":
        _say(problems, NOT_AN_OBJECT)
        return None
    for candidate, problem in ((text, None), (text.translate(_TYPOGRAPHIC), "typographic quotes")):
        pairs = parse_value(candidate)
        if is_members(pairs):
            if problem:
                _say(problems, f"JSON with {problem}")
            said = _said(pairs, problems)
            if any("\ufffd" in (value or "") for _, value in said):
                _say(problems, "lone surrogates, shown as U+FFFD")
            return said
    return _salvage(text, problems)


def _repeated(text: str, distinct: int) -> list[tuple[str, Any]] | None:
    pairs = parse_value(text)
    return pairs if is_members(pairs) and len(pairs) > distinct else None


def _said(pairs: list[tuple[str, Any]], problems: list[str]) -> list[tuple[str, str | None]]:
    said = [(without_surrogates(key), value_text(value)) for key, value in pairs]
    if len(dict(said)) < len(said):
        _say(problems, REPEATED)
    return said


def _inner(text: str) -> str | None:
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _salvage(text: str, problems: list[str]) -> list[tuple[str, str | None]] | None:
    """The whole members at the start of an object that breaks off."""
    found, at = [], 1
    while (member := _MEMBER.match(text, at)) is not None:
        at = member.end()
        key, value = _inner(f'"{member[1]}"'), member[2]
        if key is not None:
            said = _inner(value) if value[0] == '"' else None if value == "null" else value
            found.append((without_surrogates(key), said and without_surrogates(said)))
    _say(problems, CUT_SHORT if found else NOT_AN_OBJECT)
    return found or None


def _say(problems: list[str], problem: str) -> None:
    if problem not in problems:
        problems.append(problem)
