"""Where telephone numbers stand in a text, however they are spelt, and the text without them.

Seven digits or more in a row are a number: of any script, whatever few signs that are no letters
stand between them, and however often they were escaped (percent-encoding, JSON, HTML). What has
digits and is none by its form stays: SIDs and hashes, times, addresses of machines, amounts, and
what is ours: names of our files, and our own counts (`counted`) beside the word for what they
count. What isn't looked through: base64, digits written as words, and letters between digits.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.other_digits import LETTER, count_of_digits, digit_of, letters_for_others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FEWEST = 7
"""Digits of the shortest number: E.164 knows no shorter one with its area."""
HIDDEN = "•"
_MOST_BETWEEN = 8  # signs between two digits
_LONGEST_HINT = 24
_MOST_LAYERS = 6  # escapes within escapes


class FoundNumber(msgspec.Struct, frozen=True):
    """A number in a text, from `start` to before `end`.

    `digits` are ASCII whatever was written, `places` where each of them stands: from, to before.
    """

    start: int
    end: int
    digits: str
    places: tuple[tuple[int, int], ...]


class Ours(str):
    """A text of ours, which is never masked; what is joined or cut of it is any text again."""

    __slots__ = ()


def find_numbers(text: str) -> list[FoundNumber]:
    """All numbers of a text by their start; those of two readings of escapes may overlap."""
    if _too_few_digits(text):
        return []
    found: dict[tuple[int, int], FoundNumber] = {}
    for layer in _layers(text):
        for number in layer.numbers():
            found.setdefault((number.start, number.end), number)
    return sorted(found.values(), key=lambda each: (each.start, -each.end))


def find_digits(text: str) -> list[FoundNumber]:
    """All rows of so many digits, those too that are a time or a SID by their form.

    For those who know the number that they look for. What is read through more escapes comes later.
    """
    return [number for layer in _layers(text) for number in layer.numbers(_of_escapes)]


def mask_text(text: str, *, but: Callable[[str], object] = lambda spelling: False) -> str:
    """The text with all but the first and the last two digits of each number as dots.

    `but` says of a spelling that it is left alone.

    >>> mask_text("call +91 98765 43210 back")
    'call +9• ••••• •••10 back'
    """
    if isinstance(text, Ours):
        return text
    hidden: list[tuple[int, int]] = []
    for number in find_numbers(text):
        if but(text[number.start : number.end]):
            continue
        first = 2 if number.start and text[number.start - 1] == "+" else 1
        hidden += number.places[first:-2]
    return _replaced(text, hidden) if hidden else text


def masked(number: str | None) -> str | None:
    """What a field for a number says, masked also where it is too short to be one."""
    if number is None:
        return None
    if count_of_digits(number) + number.count(HIDDEN) < FEWEST and not find_numbers(number):
        return HIDDEN * len(number)
    return mask_text(number)


def counted(number: int) -> str:
    """A count, a record's number or a node's in a sentence of ours, which is masked nowhere.

    Beside its word, as in `record 1,234,567` or `1,234,567 bytes`, it may have any length.
    """
    return f"{number:,}"


def shown_hash(digest: str) -> str:
    """A hash as sentences have it: short, and by its first word taken for no number."""
    return f"sha256:{digest[:16]}"


def hint_of(text: str) -> str:
    """A text that may be a number, quoted and cut for a message: all but two digits hidden."""
    cut = text[:_LONGEST_HINT]
    digits = [at for at, c in enumerate(_plain(cut)) if "0" <= c <= "9"]
    hidden = set(digits[:-2])
    return repr("".join("x" if at in hidden else c for at, c in enumerate(cut)))


def holds_number(text: str) -> bool:
    """Whether a text would be masked."""
    return bool(find_numbers(text))


def _replaced(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start >= at:
            parts += (text[at:start], HIDDEN)
        at = max(at, end)
    return "".join((*parts, text[at:]))


# Digits.


def _too_few_digits(text: str) -> bool:
    """Whether it can't hold a number: each digit stands as one or is escaped."""
    escapes = text.count("%") + text.count("\\") + text.count("&")
    return len(text) < FEWEST or count_of_digits(text) + escapes < FEWEST


def _plain(text: str) -> str:
    """The same with ASCII digits only, as long as it was."""
    if text.isascii():
        return text
    return "".join(c if c < "\x80" else digit_of(c) or _unseen(c) for c in text)


_FILLERS = "\u115f\u1160\u3164\uffa0"


def _unseen(character: str) -> str:
    return " " if character in _FILLERS else character  # letters by their class, seen as nothing


# Layers of escapes.

_RUN = re.compile(rf"[0-9](?:[\W_]{{0,{_MOST_BETWEEN}}}[0-9]){{{FEWEST - 1},}}")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,100}>|<!--[^<>]{0,100}-->")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|\\+(?:u(?P<high>[Dd][89ABab][0-9A-Fa-f]{2})\\+u(?P<low>[Dd][C-Fc-f][0-9A-Fa-f]{2})"
    r"|u(?P<four>[0-9A-Fa-f]{4})|x(?P<two>[0-9A-Fa-f]{2})|U(?P<eight>[0-9A-Fa-f]{8})"
    r"|u\{(?P<any>[0-9A-Fa-f]{1,6})\}|(?P<sign>[^\w\s]))"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});?)"
)
_LONGEST_OTHER = 130  # characters of what has digits and is no number


class _Layer:
    """A text as it reads, and where each character of it stands in the first one."""

    def __init__(self, text: str, places: list[tuple[int, int]] | None = None) -> None:
        self.text, self.places = text, places

    def place(self, at: int) -> tuple[int, int]:
        return (at, at + 1) if self.places is None else self.places[at]

    def numbers(self, letters_for: Callable[[str], str] | None = None) -> Iterator[FoundNumber]:
        """Its numbers; `letters_for` is to make letters of the digits of what is none."""
        plain = _plain(self.text)
        for first, last in _windows(plain):
            text = (letters_for or _of_others)(plain[first:last])
            for found in _RUN.finditer(text):
                digits = [at for at in range(*found.span()) if "0" <= text[at] <= "9"]
                places = tuple(self.place(first + at) for at in digits)
                yield FoundNumber(
                    places[0][0], places[-1][1], "".join(text[at] for at in digits), places
                )

    def without_tags(self) -> _Layer | None:
        """The same with each tag as one blank; None where there is none."""
        return self._with(_TAG, lambda found: [(" ", found.start(), found.end())])

    def decoded(self) -> _Layer | None:
        """One layer of escapes less; None where there is none."""
        return self._with(_ESCAPE, _decoded)

    def _with(self, pattern: re.Pattern[str], read: _Reader) -> _Layer | None:
        characters: list[str] = []
        places: list[tuple[int, int]] = []
        at = 0
        for found in pattern.finditer(self.text):
            read_ = read(found)
            if read_ is None:
                continue
            characters.append(self.text[at : found.start()])
            places += [self.place(here) for here in range(at, found.start())]
            for character, start, end in read_:
                characters.append(character)
                places.append((self.place(start)[0], self.place(end - 1)[1]))
            at = found.end()
        if not at:
            return None
        characters.append(self.text[at:])
        places += [self.place(here) for here in range(at, len(self.text))]
        return _Layer("".join(characters), places)


if TYPE_CHECKING:
    _Read = list[tuple[str, int, int]]
    _Reader = Callable[[re.Match[str]], _Read | None]


def _layers(text: str) -> Iterator[_Layer]:
    layer: _Layer | None = _Layer(text)
    for _ in range(_MOST_LAYERS):
        if layer is None:
            return
        yield layer
        if "<" in layer.text and (bare := layer.without_tags()) is not None:
            yield bare
        layer = layer.decoded()


def _windows(plain: str) -> Iterator[tuple[int, int]]:
    """Where numbers may be, with what is around them; from, to before."""
    first, last = 0, -1
    for found in _RUN.finditer(plain):
        if found.start() - _LONGEST_OTHER > last:
            if last >= 0:
                yield first, last
            first = max(0, found.start() - _LONGEST_OTHER)
        last = found.end() + _LONGEST_OTHER
    if last >= 0:
        yield first, last


def _of_others(text: str) -> str:
    return _of_escapes(letters_for_others(text))


def _of_escapes(text: str) -> str:
    return _PERCENT.sub(_escapes_as_letters, text)


def _escapes_as_letters(found: re.Match[str]) -> str:
    """What the next layer reads holds no digits in this one."""
    return found[0] if _of_percent(found[0], 0) is None else LETTER * len(found[0])


def _decoded(found: re.Match[str]) -> _Read | None:
    """The characters of an escape, each with its place; None where it is none."""
    start, end = found.span()
    if found["percent"] is not None:
        return _of_percent(found[0], start)
    if found["entity"] is not None:
        character = html.unescape(found[0])
    elif found["sign"] is not None:
        character = found["sign"]
    elif found["high"] is not None:
        high, low = int(found["high"], 16), int(found["low"], 16)
        character = chr(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF))
    else:
        code = found["four"] or found["two"] or found["eight"] or found["any"]
        character = chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else ""
    return [(character, start, end)] if len(character) == 1 else None


def _of_percent(text: str, start: int) -> _Read | None:
    """`%39%C2%A0` as its characters; None where it is no UTF-8 or holds what nobody writes."""
    raw = bytes.fromhex(text.replace("%", ""))
    try:
        characters = raw.decode()
    except UnicodeDecodeError:
        if not all(byte == 0xA0 or 0x20 <= byte < 0x7F for byte in raw):
            return None
        characters = raw.decode("latin-1")
        return [(c, start + 3 * at, start + 3 * at + 3) for at, c in enumerate(characters)]
    if any(c < " " and c not in "\t\r\n" for c in characters):
        return None
    read, at = [], start
    for character in characters:
        width = 3 * len(character.encode())
        read.append((character, at, at + width))
        at += width
    return read
