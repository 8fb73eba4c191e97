"""A search's text in words: `key:value`, each with its place, as far as its value goes on.

Blanks around what stands between a key and its value mean nothing, and a number, a time or a length
goes on over blanks as long as it can be read: `from: +91 98765 43210`, `duration > 1 m 30 s`,
`yesterday 21:30 to 22:00`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from switchhook.exotel.asked_number import UNSEEN, asked_number, whole_number
from switchhook.streams.search.keys import OF_NUMBERS, OF_TIMES, key_named
from switchhook.web.moments import clock_then_day, read_length

_TOKEN = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^\s"])+')
_WORD = re.compile(r"(!?)(?:([A-Za-z_][A-Za-z_-]{0,19})(:|(?=[<>≥≤]))|)(.*)", re.DOTALL)
_PAIR = re.compile(r"(!?)([A-Za-z_][A-Za-z_-]{0,19})=(.+)", re.DOTALL)
_PARAMETER = re.compile(r"[^&?]+=[^&]+")
_BETWEEN = re.compile(r"(:|>=|=>|<=|=<|[<>=≥≤])(.*)", re.DOTALL)
_NUMBERISH = re.compile(
    r"['\u2018\u2019=+(\[*]*(?:[a-z]{3,8}:)?[+(]?\d[\d()\[\]./'*\u2010-\u2015\u2212-]*[,;]?"
    r"|[-\u2010-\u2015\u2212/][,;]?"
    r"|(?:https?://)?(?:wa\.me|api\.whatsapp\.com)/\S+|(?:tel|sips?|callto|whatsapp):\S+|\d+@\S+",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_DAYISH = re.compile(
    r"(?:on|from|between|[0-9]{1,2}(?::[0-9]{2}){0,2}(?:[ap]\.?m\.?)?(?:[-\u2013\u2014].*)?|today|yesterday|last|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:t.*)?|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})",
    re.IGNORECASE,
)
_OPENS = re.compile(r"\b(?:from|between)\s+", re.IGNORECASE)
_HALF = re.compile(r"\b([0-9]{1,2})(?:[:.][0-9]{2})? ?([ap]\.?m\b\.?)", re.IGNORECASE)
_HOUR = re.compile(r"(?:.*\s)?([0-9]{1,2})", re.DOTALL)
_TO = re.compile(r"\s+(?:to|until|till|and)\s+|\s*[-\u2013\u2014]\s*", re.IGNORECASE)
_QUOTES = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02'
_SIGNS = str.maketrans("\uff1a\uff1e\uff1c\uff1d\uff01\uff0c", ":><=!,")
_UNSEEN = re.compile(f"(?![\u00ad\u180e\u200c\u200d])[{UNSEEN}]")
_SCHEMES = ("tel", "sip", "sips", "callto", "whatsapp")
_FURTHER = 9  # words that a value goes on over


class Word(msgspec.Struct, frozen=True):
    """One word of a search, from `at` on for `length` characters; no key where none is said."""

    at: int
    length: int
    key: str | None
    value: str
    excluded: bool = False


class _Token(msgspec.Struct, frozen=True):
    text: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


class _Head(msgspec.Struct, frozen=True):
    """What a word begins with: its key if it says one, where its value begins, its last token."""

    excluded: bool
    key: str | None
    begin: int
    last: int


def plain_signs(text: str) -> str:
    """The same, as long as it was, with straight quotes, and blanks for what nobody sees.

    What is between quotes stays as it is.
    """
    found, closing = list[str](), ""
    escaped = False
    for letter in text:
        if closing:
            ends = letter in closing and not escaped
            escaped = letter == "\\" and not escaped
            found.append('"' if ends else letter)
            closing = "" if ends else closing
        elif letter in _QUOTES:
            closing = '"' if letter == '"' else _QUOTES
            found.append('"')
        else:
            found.append(_UNSEEN.sub(" ", letter.translate(_SIGNS)))
    return "".join(found)


def words_of(text: str, is_time: Callable[[str], bool]) -> Iterator[Word]:
    """The words in their order; `is_time` says whether a text is a time."""
    tokens = [
        each
        for found in _TOKEN.finditer(text)
        for each in _parameters(_Token(found[0], found.start()))
    ]
    at = 0
    while at < len(tokens):
        words, at = _next(text, tokens, at, is_time)
        yield from words


def _parameters(token: _Token) -> list[_Token]:
    """The parameters of ours in a query of Exotel's that was pasted; else the token itself."""
    if "&" not in token.text or '"' in token.text or key_named(token.text.partition(":")[0]):
        return [token]
    parts = [
        _Token(found[0], token.at + found.start()) for found in _PARAMETER.finditer(token.text)
    ]
    known = [each for each in parts if key_named(each.text.partition("=")[0])]
    return known or [token]


def _next(
    text: str, tokens: list[_Token], at: int, is_time: Callable[[str], bool]
) -> tuple[list[Word], int]:
    """The words that begin with a token, and the token after them."""
    token, head = tokens[at], _head(tokens, at)
    if head.key is None:
        return _without_key(text, tokens, at, head, is_time)
    key, last = key_named(head.key), head.last
    reads = _reader_of(key, is_time)
    value = text[head.begin : tokens[last].end]
    if reads is not None and value and '"' not in value:
        end = _goes_on(text, head.begin, tokens, last, reads)
        if end is not None and (end > last or key in OF_NUMBERS):
            last, value = end, text[head.begin : tokens[end].end]
            value = _listed(value.rstrip(",;")) if key in OF_NUMBERS else _safe(value)
    return [_word(token, tokens[last], head.key, value, head.excluded)], last + 1


def _without_key(
    text: str, tokens: list[_Token], at: int, head: _Head, is_time: Callable[[str], bool]
) -> tuple[list[Word], int]:
    """A time or numbers, else one word of whatever it is."""
    token = tokens[at]
    if not head.excluded and (found := _time(text, tokens, at, is_time)) is not None:
        return found
    end = _goes_on(text, head.begin, tokens, at, _all_whole)
    if end is not None:
        whole = text[head.begin : tokens[end].end].rstrip(",;")
        return [_word(token, tokens[end], "number", _listed(whole), head.excluded)], end + 1
    return [_word(token, token, None, text[head.begin : token.end], head.excluded)], at + 1


def _word(first: _Token, last: _Token, key: str | None, value: str, excluded: bool) -> Word:
    return Word(first.at, last.end - first.at, key, value, excluded)


def _head(tokens: list[_Token], at: int) -> _Head:
    """What a word begins with."""
    token = tokens[at]
    found = _WORD.fullmatch(token.text)
    assert found is not None, "the expression takes everything"
    excluded, key = bool(found[1]), found[2]
    begin = token.at + found.start(4)
    if key is not None and (found[4].startswith("//") or key.lower() in _SCHEMES):
        return _Head(excluded, None, token.at + found.end(1), at)
    if key is None and (pair := _PAIR.fullmatch(token.text)) and key_named(pair[2]):
        return _Head(bool(pair[1]), pair[2], token.at + pair.start(3), at)
    if key is None and at + 1 < len(tokens) and key_named(found[4]):
        between = _BETWEEN.fullmatch(tokens[at + 1].text)
        if between is not None:
            key, at = found[4], at + 1
            begin = tokens[at].at + (between[1] in (":", "="))
    rest = tokens[at].text[begin - tokens[at].at :]
    more = at + 1 < len(tokens) and not _keyed(tokens[at + 1])
    if key is not None and key_named(key) and not rest.strip("<>=≥≤") and more:
        return _Head(excluded, key, begin if rest else tokens[at + 1].at, at + 1)
    return _Head(excluded, key, begin, at)


def _keyed(token: _Token) -> bool:
    """Whether a token says a key of its own."""
    found = _WORD.fullmatch(token.text) or _PAIR.fullmatch(token.text)
    return found is not None and (bool(found[1]) or key_named(found[2] or "") is not None)


def _goes_on(
    text: str, begin: int, tokens: list[_Token], at: int, reads: Callable[[str], int]
) -> int | None:
    """The token with which a value that begins there ends; None where it is none.

    `reads` says how well a text reads as one: 0 not at all. The longest of those that read best.
    """
    best, found = 0, None
    for end in range(at, min(at + _FURTHER, len(tokens))):
        if end > at and (_keyed(tokens[end]) or '"' in tokens[end].text):
            break
        how = reads(text[begin : tokens[end].end])
        if how >= best and how:
            best, found = how, end
    return found


def _all_whole(text: str) -> int:
    """How well a text without a key reads as whole numbers."""
    if not all(map(_NUMBERISH.fullmatch, text.split())) or _ADDRESS.fullmatch(text):
        return 0
    parts = [part for part in re.split("[,;]", text) if part.strip()]
    return 2 if parts and all(map(whole_number, parts)) else 0


def _as_numbers(text: str) -> int:
    """How well the value of a key reads as numbers or parts of them: whole ones are better."""
    if whole := _all_whole(text):
        return whole
    first, *others = text.split(" ")
    parts = [part for part in re.split("[,;]", text) if part.strip()]
    if not parts or not all(map(asked_number, parts)):
        return 0
    # Words that are parts of numbers by themselves are words by themselves.
    alone = others and all(map(asked_number, (first, *others)))
    return 0 if alone or not all(map(_NUMBERISH.fullmatch, others)) else 1


def _reader_of(key: str | None, is_time: Callable[[str], bool]) -> Callable[[str], int] | None:
    """How well a text reads as a value of a key; None where its values end at a blank."""
    if key in OF_NUMBERS:
        return _as_numbers
    if key in OF_TIMES:
        return lambda said: int(is_time(said))
    if key == "duration":
        return lambda said: int(read_length(said.lstrip("<>=≥≤ ")) is not None)
    return None


def _listed(text: str) -> str:
    """Numbers between commas as quoted values."""
    parts = (part.strip() for part in re.split("[,;]", text))
    return ",".join(_safe(part) for part in parts if part)


def _safe(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _time(
    text: str, tokens: list[_Token], at: int, is_time: Callable[[str], bool]
) -> tuple[list[Word], int] | None:
    """A day, a time of a day, or a stretch between two, without a key."""
    first = tokens[at]
    if not _DAYISH.fullmatch(first.text):
        return None
    for end in range(min(at + _FURTHER, len(tokens)) - 1, at - 1, -1):
        said = text[first.at : tokens[end].end]
        if '"' in said or (said.isdigit()):
            continue
        if (found := _stretch(said, is_time)) is not None:
            words = zip(("since", "until"), found, strict=True)
            return [_word(first, tokens[end], key, _safe(at), False) for key, at in words], end + 1
        if is_time(bare := _OPENS.sub("", said)):
            whole = bare == said and ":" not in said and not re.search("[ap]m", said, re.I)
            key = "on" if whole else "since"
            return [_word(first, tokens[end], key, _safe(bare), False)], end + 1
    return None


def _stretch(said: str, is_time: Callable[[str], bool]) -> tuple[str, str] | None:
    """Both ends of a stretch of time. A day that is said last is the first one's."""
    said = _OPENS.sub("", said)
    for cut in _TO.finditer(said):
        begin, stop = said[: cut.start()], said[cut.end() :]
        if not is_time(stop):
            continue
        begin = _with_half(begin, stop)
        parted = clock_then_day(stop)
        if parted is not None and is_time(f"{begin} {parted[1]}"):
            return f"{begin} {parted[1]}", parted[0]
        if is_time(begin):
            return begin, stop
    return None


def _with_half(begin: str, stop: str) -> str:
    """The hour of `9-10 pm` with the half of the day that is said once, the one before `stop`."""
    hour, end = _HOUR.fullmatch(begin), _HALF.search(stop)
    if hour is None or end is None:
        return begin
    before = int(hour[1]) % 12 < int(end[1]) % 12
    half = end[2][0].lower() if before else {"a": "p", "p": "a"}[end[2][0].lower()]
    return f"{begin}{half}m"
