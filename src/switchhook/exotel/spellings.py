"""What is to be erased, how it is found however it was spelt, and how it is masked in place.

A number is masked byte for byte: `erased` and as many `x` as it was longer. So what held it keeps
its form and its length, and can be read and counted as before. A record of a call that is erased
whole is emptied by `wiped`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_to_bytes

import msgspec
import phonenumbers

from switchhook.exotel.asked_number import whole_number, why_no_number
from switchhook.exotel.phone_numbers import FoundNumber, find_digits, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = b"erased"
FORMS = 2
"""Which of `LOOKED_FOR` an erasure looks for; those of earlier releases are for their proofs."""
LOOKED_FOR = {
    1: (
        "the number with its country code, 00 or 0 before it, or neither",
        "blanks, dashes, dots, brackets and underscores between its digits",
        "percent-encoded once or twice, and JSON's \\u escapes of its digits",
    ),
    2: (
        "the number with its country code, 00, 011 or 0 before it, or neither, next to letters too",
        "up to eight signs of any kind between two digits, tags of HTML as one",
        "digits of any script, and Chinese ones",
        "percent-encoding, JSON's escapes and HTML's entities, up to five deep, in any mixture",
        "in names of parameters as in their values",
    ),
}
NOT_LOOKED_FOR = (
    "numbers in base64, compressed or encrypted, or in UTF-16",
    "digits written as words, or with letters between them",
    "a part of the number, and the number within a longer row of digits",
    "sound and pictures",
)
_SHORTEST = 7
_SID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LONGEST_FIELD = 1000
_WINDOW, _MARGIN = 8192, 1024  # bytes looked at together, and what is seen around them


class Subject(StrEnum):
    """What an erasure is about."""

    NUMBER = "number"
    """A telephone number: its digits are masked wherever they stand."""
    CALL = "call"
    """A CallSid or StreamSID: all records that name it are emptied."""
    CUSTOM_FIELD = "custom_field"
    """The value of a CustomField: all records of the calls that had it are emptied."""


class NotANumber(msgspec.Struct, frozen=True):
    """A text that names nothing that could be erased, and why."""

    problem: str


class ErasedNumber(msgspec.Struct, frozen=True):
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


def read_number(text: str, region: str = "IN") -> ErasedNumber | NotANumber:
    """The number that somebody asks to forget; never a part of one, which would hit others too."""
    found = whole_number(text, region)
    if found is None:
        why = why_no_number(text) or "not a full telephone number: give it as +91 98765 43210"
        return NotANumber(why)
    number = ErasedNumber(found)
    if len(number.national) < _SHORTEST:
        return NotANumber(f"a number of less than {_SHORTEST} digits would be found in others")
    return number


def read_subject(subject: Subject, text: str, region: str = "IN") -> str | NotANumber:
    """What somebody asks to forget, as erasures have it: a number in E.164, a SID, a text."""
    match subject:
        case Subject.NUMBER:
            found = read_number(text, region)
            return found if isinstance(found, NotANumber) else found.e164
        case Subject.CALL:
            sid = text.strip()
            if _SID.fullmatch(sid):
                return sid
            return NotANumber("not a CallSid or StreamSID: 8 to 64 letters, digits, - and _")
        case Subject.CUSTOM_FIELD:
            if 0 < len(text) <= _LONGEST_FIELD:
                return text
            return NotANumber(f"not a CustomField: a text of 1 to {_LONGEST_FIELD} characters")


class Traces(Protocol):
    """What an erasure looks for, as those who search see it."""

    whole: bool
    """Whether a row of the ledger about it goes as a whole."""

    def count(self, text: bytes) -> int:
        """How often it stands there."""

    def mask(self, text: bytes) -> tuple[bytes, int]:
        """The bytes of a record or file without it; and how often it stood there."""

    def mask_text(self, text: str) -> tuple[str, int]:
        """The same for a text, of which all else stays."""


class Spellings:
    """All ways in which a number stands in requests; `mask` takes them out of bytes.

    A longer row of digits that holds these is another number.
    """

    whole = False

    def __init__(self, number: ErasedNumber) -> None:
        self._national, country = number.national, number.country
        self._plain = self._national.encode()
        abroad = [before + country for before in ("", "0", "00", "011")]
        # +91 (0) 98765 43210 is how Europeans would write it
        self._prefixes = ("", "0", *abroad, *(each + "0" for each in abroad))

    def find(self, text: bytes) -> list[tuple[int, int]]:
        """Where it stands: start and end of each, without country code."""
        found: set[tuple[int, int]] = set()
        for start in range(0, len(text), _WINDOW):
            first = max(0, start - _MARGIN)
            window = text[first : start + _WINDOW + _MARGIN]
            if not _may_hold(window, self._plain):
                continue
            for at, end in self._in_window(window):
                if start <= first + at < start + _WINDOW:
                    found.add((first + at, first + end))
        return _apart(sorted(found))

    def count(self, text: bytes) -> int:
        return len(self.find(text))

    def mask(self, text: bytes) -> tuple[bytes, int]:
        """The text with each one masked, at the same length; and how many there were."""
        return _struck(text, self.find(text))

    def mask_text(self, text: str) -> tuple[str, int]:
        whole, count = self.mask(text.encode("utf-8", "surrogatepass"))
        return (whole.decode("utf-8", "surrogatepass"), count) if count else (text, 0)

    def _in_window(self, window: bytes) -> Iterator[tuple[int, int]]:
        text = window.decode("utf-8", "surrogateescape")
        place = _places(text)
        # The last reading counts: escapes look like digits in one before it.
        alone: dict[tuple[int, int], bool] = {}
        for run in find_digits(text):
            at = run.digits.find(self._national)
            while at >= 0:
                end = at + len(self._national)
                span = run.places[at][0], run.places[end - 1][1]
                alone[span] = self._alone(run, at, end) and _is_text(text[slice(*span)])
                at = run.digits.find(self._national, at + 1)
        return ((place(start), place(end)) for (start, end), is_alone in alone.items() if is_alone)

    def _alone(self, run: FoundNumber, at: int, end: int) -> bool:
        """Whether the digits are a number of their own, but for what may stand before it."""
        if end < len(run.digits) and not is_gap(run, end):
            return False
        return any(
            run.digits[:at].endswith(prefix) and is_gap(run, at - len(prefix))
            for prefix in self._prefixes
        )


def is_gap(run: FoundNumber, at: int) -> bool:
    """Whether a number may begin at a digit: the first, or one with something before it."""
    return at == 0 or run.places[at - 1][1] != run.places[at][0]


_BLANKS = re.compile(rb"%(?:25)*[0-9A-Fa-f]{2}|&(?:nbsp|[A-Za-z]{2,8};)")
_ODD = re.compile(
    # An escaped digit, or what may be one; and an escape's own first sign, escaped.
    rb"%(?:25)*(?:3[0-9Cc]|5[Cc]|26|[C-Fc-f][0-9A-Fa-f]%)"
    rb"|\\+[uUx]|&(?:#|amp|sup|frac)|<[A-Za-z/!]"  # entities are digits or blanks
    rb"|\xc2[\xb2\xb3\xb9]|\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xdf[\x80-\x89]"
    rb"|[\xe0-\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}"
)
_NO_DIGITS = bytes(byte for byte in range(256) if not 0x30 <= byte <= 0x39)


def plainly(text: bytes) -> bytes | None:
    """The text with blanks for escapes; None where one of them could be a digit.

    Reading a text in all its layers costs twenty times as much as this.
    """
    return None if _ODD.search(text) else _BLANKS.sub(b" ", text)


def _may_hold(text: bytes, digits: bytes) -> bool:
    """Whether a closer look could find these digits."""
    plain = plainly(text)
    return plain is None or plain.translate(None, _NO_DIGITS).find(digits) >= 0


def _places(text: str) -> Callable[[int], int]:
    """From a character's place in a decoded text to its byte's."""
    if text.isascii():
        return lambda at: at
    return lambda at: len(text[:at].encode("utf-8", "surrogateescape"))


def _is_text(between: str) -> bool:
    """Whether there is text only, and not the bytes around fields."""
    return not any((c < " " and c not in "\t\r\n") or "\udc80" <= c <= "\udcff" for c in between)


def _apart(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in order, without those that lie in one before them."""
    found: list[tuple[int, int]] = []
    for start, end in places:
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return found


def _struck(text: bytes, places: list[tuple[int, int]]) -> tuple[bytes, int]:
    if not places:
        return text, 0
    whole = bytearray(text)
    for start, end in places:
        whole[start:end] = TOKEN[: end - start].ljust(end - start, b"x")
    return bytes(whole), len(places)


class CallTraces:
    """Calls by their SIDs; `mask` empties a record that names one, or that `also` is true of."""

    whole = True

    def __init__(self, sids: tuple[str, ...], also: Callable[[bytes], bool] | None = None) -> None:
        self._also = also
        words = b"|".join(
            re.escape(sid.encode()) for sid in sorted(sids, key=len, reverse=True) if sid
        )
        # Next to no letter or digit, but for those of an escape before it.
        before = rb"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
        self._words = re.compile(before + rb"(?:%b)(?![A-Za-z0-9])" % words) if words else None
        # Letters and digits aren't percent-encoded: without these a closer look is in vain.
        parts = {max(re.findall("[A-Za-z0-9]+", sid), key=len, default="") for sid in sids}
        self._parts = re.compile(b"|".join(re.escape(part.encode()) for part in parts))

    def count(self, text: bytes) -> int:
        named = len(self._places(text))
        return named or int(self._also is not None and self._also(text))

    def mask(self, text: bytes) -> tuple[bytes, int]:
        times = self.count(text)
        return (wiped(text), times) if times else (text, 0)

    def mask_text(self, text: str) -> tuple[str, int]:
        whole = text.encode("utf-8", "surrogatepass")
        struck, count = _struck(whole, self._places(whole))
        return (struck.decode("utf-8", "surrogatepass"), count) if count else (text, 0)

    def _places(self, text: bytes) -> list[tuple[int, int]]:
        """Where a SID stands, as it is or percent-encoded as a whole."""
        if self._words is None:
            return []
        found = [each.span() for each in self._words.finditer(text)]
        if found or b"%" not in text or not self._parts.search(text):
            return found
        return [(0, len(text))] if self._words.search(unquote_to_bytes(text)) else []


_KEPT = frozenset(
    ("received_us", "endpoint", "account", "method", "decision", "http_status", "zone", "region")
) | {"mode", "decided_in_us", "auth", "reason"}
"""What stays of a record that is emptied: when and where it came, and what was decided."""


def wiped(body: bytes) -> bytes:
    """A record without anything that came with its request; or one word where it is no record."""
    try:
        record: Any = msgspec.msgpack.decode(body)
    except (ValueError, RecursionError):
        return TOKEN
    if not isinstance(record, dict):
        return TOKEN
    kept = {name: value for name, value in record.items() if name in _KEPT}
    for name in ("raw", "body"):
        if name in record:
            kept[name] = TOKEN
    if isinstance(kept.get("decision"), dict):
        kept["decision"] = {**kept["decision"], "defects": []}  # which may quote the request
    if "facts" in record:
        kept["facts"] = {}
    if "peer" in record:
        kept["peer"] = None
    return msgspec.msgpack.encode(kept)


def shown(subject: Subject, value: str) -> str:
    """What an erasure is called: its number masked, the beginning of anything else."""
    if subject is Subject.NUMBER:
        return ErasedNumber(value).masked
    return value[: min(6, len(value) // 3)] + "…"
