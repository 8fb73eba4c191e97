"""Forgetting one phone number: how it is found however it was spelt, masked, and proven gone.

A number is masked where it stands, byte for byte: `erased` and as many `x` as it was longer. So
what held it keeps its form and its length, and can be read and counted as before.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec
import phonenumbers

from switchhook.access import masked
from switchhook.interpret import Unusable, e164

if TYPE_CHECKING:
    from collections.abc import Iterable

# A digit as it stands, percent-encoded once or twice, or as JSON may write it.
_DIGIT = rb"(?:%c|%%(?:25)?3%c|\\u003%c)"
_ANY_DIGIT = rb"(?:[0-9]|%(?:25)?3[0-9]|\\u003[0-9])"
# What people and programs put between digits: blank + ( ) . - _ and the no-break space.
_BETWEEN = (
    rb"(?:[ .()+_-]|%(?:25)?2[089BDEbde]|%(?:25)?[Cc]2%(?:25)?[Aa]0|\xc2\xa0|\\u00(?:20|[aA]0))"
)
# Before a number: no digit, unless it belongs to an escape such as %22 or \u0022.
_EDGE = (
    rb"(?:(?<![0-9])|(?<=%[0-9A-Fa-f]{2})(?<!%3[0-9])|(?<=%25[0-9A-Fa-f]{2})(?<!%253[0-9])"
    rb"|(?<=\\u[0-9A-Fa-f]{4})(?<!\\u003[0-9]))"
)
_LONGEST_PREFIX = 48
_TOKEN = b"erased"
_SHORTEST = 7


class NotANumber(msgspec.Struct, frozen=True):
    """A text that names no number that could be erased, and why."""

    problem: str


class Number(msgspec.Struct, frozen=True):
    """A phone number in E.164."""

    e164: str

    @property
    def masked(self) -> str:
        return masked(self.e164) or ""

    @property
    def country(self) -> str:
        return str(phonenumbers.parse(self.e164).country_code)

    @property
    def national(self) -> str:
        """Its digits without the country code."""
        return phonenumbers.national_significant_number(phonenumbers.parse(self.e164))


def read_number(text: str, region: str = "IN") -> Number | NotANumber:
    """The number that somebody asks to forget; never a part of one, which would hit others too."""
    found = e164(text.strip(), region)
    if found is None or isinstance(found, Unusable):
        return NotANumber("not a full telephone number: give it as +91 98765 43210")
    number = Number(found)
    if len(number.national) < _SHORTEST:
        return NotANumber(f"a number of less than {_SHORTEST} digits would be found in others")
    return number


class Spellings:
    """All ways in which a number stands in requests; `mask` takes them out of bytes.

    With its country code or trunk 0 or without, with + or 00 or neither, with separators, and
    percent-encoded up to twice. A longer number that holds these digits is another one.
    """

    def __init__(self, number: Number) -> None:
        between = _BETWEEN + b"{0,3}?"
        self._core = re.compile(_digits(number.national, between))
        country = _digits(number.country, between)
        zero = _digits("0", between)
        prefix = (
            rb"(?:"
            + zero
            + between
            + zero
            + between
            + rb")?"
            + country
            + between
            # +91 (0) 98765 43210 is how Europeans would write it
            + rb"(?:"
            + zero
            + between
            + rb")?|"
            + zero
            + between
        )
        self._before = re.compile(_EDGE + rb"(?:" + prefix + rb")?\Z")
        self._after = re.compile(_ANY_DIGIT)

    def find(self, text: bytes) -> list[tuple[int, int]]:
        """Where it stands: start and end of each, without country code."""
        return [
            found.span()
            for found in self._core.finditer(text)
            if self._alone(text, found.start(), found.end())
        ]

    def mask(self, text: bytes) -> tuple[bytes, int]:
        """The text with each one masked, at the same length; and how many there were."""
        places = self.find(text)
        if not places:
            return text, 0
        whole = bytearray(text)
        for start, end in places:
            whole[start:end] = _TOKEN[: end - start].ljust(end - start, b"x")
        return bytes(whole), len(places)

    def mask_text(self, text: str) -> tuple[str, int]:
        """The same for a text."""
        whole, count = self.mask(text.encode("utf-8", "surrogatepass"))
        return (whole.decode("utf-8", "surrogatepass"), count) if count else (text, 0)

    def _alone(self, text: bytes, start: int, end: int) -> bool:
        if self._after.match(text, end):
            return False
        head = text[max(0, start - _LONGEST_PREFIX) : start]
        return self._before.search(head) is not None


def _digits(digits: str, between: bytes) -> bytes:
    return between.join(_DIGIT % ((ord(c),) * 3) for c in digits)


class Place(msgspec.Struct, frozen=True):
    """One place that was searched, and what was found there.

    `searched` counts records or rows, `found` those with the number, `spellings` how often it stood
    there in all, `left` how often it still does. `digest` is a hash over what is there now instead,
    `seqs` are the records of the journal that it covers.

    What was removed is not hashed: with all but ten digits known, a hash would give them back. Who
    has an old copy can mask it in the same way and compare.
    """

    name: str
    searched: int = 0
    found: int = 0
    spellings: int = 0
    left: int = 0
    digest: str = ""
    seqs: tuple[int, ...] = ()


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure searched, found and left. `number` is masked, times are in ms.

    It covers the journal up to `until_seq`: what a number says later is kept as usual.
    """

    id: str
    number: str
    by: str
    asked_ms: int
    until_seq: int
    done_ms: int | None = None
    places: tuple[Place, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything was searched and nothing is left."""
        return self.done_ms is not None and not any(place.left for place in self.places)

    @property
    def found(self) -> int:
        """In how many records and rows the number was."""
        return sum(place.found for place in self.places)


def digest_of(records: Iterable[tuple[int, bytes]]) -> str:
    """A hash over records by seq, in their order."""
    whole = hashlib.sha256()
    for seq, body in records:
        whole.update(seq.to_bytes(8, "big") + hashlib.sha256(body).digest())
    return whole.hexdigest()


def merged(name: str, one: Place, other: Place) -> Place:
    """Two searches of the same place as one: the second begins where the first left off."""
    return Place(
        name,
        one.searched + other.searched,
        one.found + other.found,
        one.spellings + other.spellings,
        one.left + other.left,
    )
