"""Where telephone numbers stand in a text, however they are spelt, and the text without them.

Seven digits or more in a row are a number: of any script, whatever few signs that are no letters
stand between them, and however often they were escaped (percent-encoding, JSON, HTML). What has
digits and is none by its form stays: SIDs and hashes, times, addresses of machines, amounts, and
what is ours: names of our files, and our own counts (`counted`) beside the word for what they
count. What isn't looked through: base64, digits written as words, and letters between digits.
"""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

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
    if _count_of_digits(number) + number.count(HIDDEN) < FEWEST and not find_numbers(number):
        return HIDDEN * len(number)
    return mask_text(number)


def counted(number: int) -> str:
    """A count, a record's number or a node's in a sentence of ours, which is masked nowhere.

    Beside its word, as in `record 1,234,567` or `1,234,567 bytes`, it may have any length.
    """
    return f"{number:,}"


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


@lru_cache(maxsize=4096)
def _digit_of(character: str) -> str | None:
    """The ASCII digit that a character of any script stands for."""
    value = unicodedata.digit(character, None)
    if value is None:
        number = unicodedata.numeric(character, -1.0)  # Chinese ones are letters
        value = int(number) if number in range(10) else None
    return None if value is None else str(value)


_ASCII_DIGIT = re.compile(r"[0-9]")


def _count_of_digits(text: str) -> int:
    if text.isascii():
        return len(_ASCII_DIGIT.findall(text))
    return sum(1 for c in text if _digit_of(c) is not None)


def _too_few_digits(text: str) -> bool:
    """Whether it can't hold a number: each digit stands as one or is escaped."""
    escapes = text.count("%") + text.count("\\") + text.count("&")
    return len(text) < FEWEST or _count_of_digits(text) + escapes < FEWEST


def _plain(text: str) -> str:
    """The same with ASCII digits only, as long as it was."""
    if text.isascii():
        return text
    return "".join(c if c < "\x80" else _digit_of(c) or _unseen(c) for c in text)


_FILLERS = "\u115f\u1160\u3164\uffa0"


def _unseen(character: str) -> str:
    return " " if character in _FILLERS else character  # letters by their class, seen as nothing


# What looks like a number and is none.

_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_YEAR, _MONTH, _DAY = "(?:19|20)[0-9]{2}", "(?:0?[1-9]|1[0-2])", "(?:0?[1-9]|[12][0-9]|3[01])"
_MINUTE = "(?:[01]?[0-9]|2[0-4]):[0-5][0-9]"
_SECOND = ":[0-6][0-9](?:[.,][0-9]{1,9})?"
_ZONE = r"(?:[ ]?(?:[AP]M|Z|UTC|GMT|IST)|[ +-][01][0-9]:?[0-5][0-9]|[ ][+-][01][0-9]:?[0-5][0-9])?"
_TIME = f"{_MINUTE}(?:{_SECOND})?{_ZONE}"
_ALONE = r"(?<![0-9])(?<![0-9][-./:,+])"
_NO_MORE = r"(?![0-9]|[-./:,+][0-9])"
_NOT_JOINED = r"(?![0-9]|[-./:,+_ ][0-9])"
_GROUPED = r"[1-9][0-9]{0,2}(?:,[0-9]{3})"
_BESIDE = "|".join(
    f"(?<={word}[ ])" for word in ("record", "records", "seq", "entry", "node", "id")
)
_COUNTED_BEFORE = "[ ](?:bytes|records|commits)"
# When a backup was made, as people put it into the names of their files.
_CLOCK_TIME = "[0-2][0-9][-_.h:]?[0-5][0-9](?:[-_.m:]?[0-5][0-9])?"
_STAMP = (
    "(?:20[0-9]{2}[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12][0-9]|3[01])"
    f"(?:[-_.T]?{_CLOCK_TIME})?|1[5-9][0-9]{{8}})"
)
_ARCHIVE = r"[\w.-]{0,60}\.(?:tar|tar\.gz|tgz)(?:\.age)?(?![0-9A-Za-z])"
_OURS = re.compile(
    rf"""
    (?<![0-9A-Za-z])(?:
        0{{6}}[0-9]{{14}}(?:-[0-9]{{1,9}})?\.sqlite
      | fp_[0-9a-f]{{16}}
      | sha256:[0-9a-f]{{16}}
    )(?![0-9A-Za-z])
  | (?<=switchhook-erasures-)[0-9]{{1,10}}(?=\.json(?![0-9A-Za-z]))
  | (?<=refused/)[0-9]{{1,19}}(?=\.bin(?![0-9A-Za-z]))
  | (?<=[(]process[ ])[1-9][0-9]{{6}}(?=[ ]on[ ])
  | (?:{_BESIDE}){_GROUPED}{{2,}}{_NOT_JOINED}
  | {_ALONE}{_GROUPED}{{2,}}(?={_COUNTED_BEFORE})
  | (?<![0-9]){_STAMP}(?![0-9])(?={_ARCHIVE})
    """,
    re.VERBOSE,
)
"""What our files are called, and how we write numbers that are nobody's: see `counted`."""
_MAY_HAVE_OURS = re.compile(
    r"\.sqlite|fp_|sha256:|switchhook-erasures-|refused/|[(]process |,[0-9]{3},[0-9]{3}|\.tar|\.tgz"
)
_NO_NUMBER = re.compile(
    rf"""
    (?P<word> (?<![0-9A-Za-z])
        (?: [0-9a-f]{{28}}[0-9a-z]{{4}} | [0-9a-f]{{16,128}} | [0-9A-F]{{16,128}}
          | [0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}} )
        (?![0-9A-Za-z]) )
  | (?P<receipt> (?<![0-9A-Za-z])0[0-9][0-9a-hjkmnp-tv-z]{{24}}(?![0-9A-Za-z]) )
  | {_ALONE}(?:
        {_YEAR}(?P<sep>[-/.]){_MONTH}(?P=sep){_DAY}(?:(?:[T +_]|,[ ]){_TIME})?{_NO_MORE}
      | {_DAY}(?P<pes>[-/.]){_MONTH}(?P=pes){_YEAR}(?:(?:[T +_]|,[ ]){_TIME})?{_NO_MORE}
      | {_YEAR}[01][0-9][0-3][0-9][T_-][0-2][0-9][0-5][0-9][0-6][0-9](?:Z|{_NO_MORE})
      | (?<=[A-Za-z]{{3}}[ /+-]){_YEAR}[ :,+]{{1,2}}{_TIME}{_NO_MORE}
      | {_MINUTE}{_SECOND}{_ZONE}{_NO_MORE}
      | (?:{_BYTE}\.){{3}}{_BYTE}(?::[0-9]{{1,5}}|/[0-9]{{1,2}})?{_NOT_JOINED}
    )
  | (?:(?<=[A-Za-z]-)|(?<=ec2-))(?:{_BYTE}-){{3}}{_BYTE}(?=\.[A-Za-z])
  | {_ALONE}{_GROUPED}{{2}}(?:\.[0-9]{{1,2}})?{_NOT_JOINED}
  | (?P<amount> (?:₹|\$|€|\b(?:Rs\.?|INR|USD))[ ]?[0-9][0-9,]{{0,10}}(?:\.[0-9]{{1,6}})?
        {_NOT_JOINED} )
  | (?P<six> (?<![0-9A-Za-z:.])[0-9A-Fa-f]{{0,4}}(?::[0-9A-Fa-f]{{0,4}}){{2,7}}(?![0-9A-Za-z:]) )
    """,
    re.VERBOSE,
)
_FEWEST_CHANGES = 5
_SID_LENGTH = 32  # so long a one has ten digits in a row by chance, now and then
_FULL = 10  # digits of a number with its area, in most countries


def _is_kept(found: re.Match[str]) -> bool:
    """Whether what has the form of another thing is one."""
    text = found[0]
    if found["word"] is not None:
        # Between digits and letters; a word that holds a number changes once or twice.
        kinds = "".join("0" if c.isdigit() else "a" for c in text if c != "-")
        changes = kinds.count("0a") + kinds.count("a0")
        mixed = changes >= max(_FEWEST_CHANGES, len(kinds) // 6)
        return mixed and (len(kinds) >= _SID_LENGTH or "0" * _FULL not in kinds)
    if found["amount"] is not None:
        return _count_of_digits(text) < _FULL
    if found["receipt"] is not None:
        # Until 2039 the third of an id of ours is a letter.
        return text[2].isalpha() or sum(c.isalpha() for c in text) >= _FEWEST_CHANGES
    if found["six"] is not None:
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            return False
        return "::" in text or not text.replace(":", "").isdigit()
    return True


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
_LETTER = "x"
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
    if _MAY_HAVE_OURS.search(text):
        text = _OURS.sub(lambda found: _LETTER * len(found[0]), text)
    return _of_escapes(_NO_NUMBER.sub(_as_letters, text))


def _of_escapes(text: str) -> str:
    return _PERCENT.sub(_escapes_as_letters, text)


def _as_letters(found: re.Match[str]) -> str:
    return _LETTER * len(found[0]) if _is_kept(found) else found[0]


def _escapes_as_letters(found: re.Match[str]) -> str:
    """What the next layer reads holds no digits in this one."""
    return found[0] if _of_percent(found[0], 0) is None else _LETTER * len(found[0])


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
