"""Forgetting one phone number: how it is found however it was spelt, masked, and proven gone.

A number is masked where it stands, byte for byte: `erased` and as many `x` as it was longer. So
what held it keeps its form and its length, and can be read and counted as before.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec
import phonenumbers

from switchhook.interpret import Unusable, e164
from switchhook.keep import closed_up_to
from switchhook.phone_numbers import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.audit import Deed
    from switchhook.keep import Segment

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
_LONGEST_PREFIX = 96
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
        between = _BETWEEN + b"{0,8}?"
        self._core = re.compile(_digits(number.national, between))
        country = _digits(number.country, between)
        zero = _digits("0", between)
        zeros = rb"(?:%b%b(?:%b%b)?)?" % (zero, between, zero, between)
        # +91 (0) 98765 43210 is how Europeans would write it
        abroad = zeros + country + between + rb"(?:%b%b)?" % (zero, between)
        prefix = rb"%b|%b%b" % (abroad, zero, between)
        self._before = re.compile(_EDGE + rb"(?:" + prefix + rb")?\Z")
        self._after = re.compile(_ANY_DIGIT)

    def find(self, text: bytes) -> list[tuple[int, int]]:
        """Where it stands: start and end of each, without country code."""
        return [
            found.span()
            for found in self._core.finditer(text)
            if self._alone(text, found.start(), found.end())
        ]

    def count(self, text: bytes) -> int:
        """How often it stands there."""
        return len(self.find(text))

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


class Phase(StrEnum):
    """What an erasure is at; they come in this order."""

    JOURNAL = "journal"
    REFUSED = "refused"
    STORE = "store"
    LEDGER = "ledger"
    CHECK = "check"
    FILE = "file"
    """The number is not known any more; the bytes of the ledger's own file are left to look at."""
    DONE = "done"


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure on its way: kept in the ledger after each step, so that a restart goes on.

    It covers the journal up to `until_seq`, where it was when it was asked for or, once that is
    sealed, the end of the segment: what comes later is kept as usual. `number` is there while it is
    needed, `masked` for ever. Everything before `next_seq` is done in this phase;
    `pending` are records of the segment at hand which hold the number, with how often each;
    `cursor` is the ledger's own bookmark. Times are in ms.
    """

    id: str
    number: str | None
    masked: str
    by: str
    asked_ms: int
    until_seq: int
    phase: Phase = Phase.JOURNAL
    next_seq: int = 0
    pending: tuple[tuple[int, int], ...] = ()
    cursor: str = ""
    places: tuple[Place, ...] = ()
    done_ms: int | None = None

    @property
    def complete(self) -> bool:
        """Whether everything was searched and nothing is left."""
        return self.phase is Phase.DONE and not any(place.left for place in self.places)

    @property
    def found(self) -> int:
        """In how many records and rows the number was."""
        return sum(place.found for place in self.places)

    def noted(self, name: str, **more: int) -> tuple[Place, ...]:
        """The places with some more counted at one of them."""
        place = self.place(name)
        grown = msgspec.structs.replace(
            place, **{field: getattr(place, field) + count for field, count in more.items()}
        )
        return self.with_place(grown)

    def place(self, name: str) -> Place:
        """A place by its name, new where nothing was noted there."""
        return next((each for each in self.places if each.name == name), Place(name))

    def with_place(self, place: Place) -> tuple[Place, ...]:
        """The places with one of them replaced or added."""
        return (*(each for each in self.places if each.name != place.name), place)

    def on(self, phase: Phase) -> Erasure:
        """The same, at the beginning of a phase."""
        return msgspec.structs.replace(self, phase=phase, next_seq=0, pending=(), cursor="")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure searched, found and left, for those who have to show it.

    `proof` is a hash over all the rest, as JSON with sorted keys.
    """

    id: str
    number: str
    by: str
    asked_ms: int
    until_seq: int
    state: str
    complete: bool
    places: tuple[Place, ...]
    done_ms: int | None = None
    proof: str = ""


def proof_of(erasure: Erasure) -> Proof:
    """The proof of an erasure as it stands."""
    said = Proof(
        id=erasure.id,
        number=erasure.masked,
        by=erasure.by,
        asked_ms=erasure.asked_ms,
        until_seq=erasure.until_seq,
        state=erasure.phase.value,
        complete=erasure.complete,
        places=tuple(sorted(erasure.places, key=lambda place: place.name)),
        done_ms=erasure.done_ms,
    )
    return msgspec.structs.replace(said, proof=_hash_of(said))


def _hash_of(proof: Proof) -> str:
    text = msgspec.json.encode(msgspec.structs.replace(proof, proof=""), order="sorted")
    return hashlib.sha256(text).hexdigest()


def untouched(proof: Proof) -> bool:
    """Whether a proof is as it was given out."""
    return proof.proof == _hash_of(proof)


def digest_of(records: Iterable[tuple[int, bytes]]) -> str:
    """A hash over records by seq, in their order."""
    whole = hashlib.sha256()
    for seq, body in records:
        whole.update(seq.to_bytes(8, "big") + hashlib.sha256(body).digest())
    return whole.hexdigest()


class ErasurePlan(msgspec.Struct, frozen=True):
    """What an erasure will do, said before anything is touched."""

    number: str
    until_seq: int
    segments: int
    bytes: int
    seals_open: bool
    """Whether the answer side has to begin a new segment first."""


def plan_erasure(number: Number, segments: Sequence[Segment], until_seq: int) -> ErasurePlan:
    """The plan for a number, over the journal as it is."""
    searched = [each for each in segments if each.first_seq <= until_seq]
    return ErasurePlan(
        number.masked,
        until_seq,
        len(searched),
        sum(each.bytes for each in searched),
        not closed_up_to(segments, until_seq),
    )


class ErasureBook(Protocol):
    """The erasures in the ledger, and the ledger's own part in them. Raises LedgerError."""

    def begin(self, erasure: Erasure, deed: Deed) -> None:
        """Keep a new one, with its entry in the audit log."""

    def save(self, erasure: Erasure) -> None:
        """Keep how far one has come."""

    def finish(self, erasure: Erasure, deed: Deed) -> None:
        """Keep one that is done, and make the bytes of its number go."""

    def all(self) -> list[Erasure]:
        """All, the newest first."""

    def running(self) -> list[Erasure]:
        """Those that are not done, the oldest first."""

    def mask_some(self, erasure: Erasure, spellings: Spellings) -> Erasure:
        """Mask the number in some more rows and keep that together with how far it has come."""

    def count_left(self, spellings: Spellings) -> list[Place]:
        """Search all tables once more."""

    def file_left(self, spellings: Spellings) -> int:
        """How often the number is in the bytes of the ledger's file, its log emptied."""

    def rewrite(self) -> None:
        """Write the ledger's file anew, so that nothing is in it but its rows."""


class ErasableStore(Protocol):
    """The store, as an erasure sees it."""

    def position(self) -> int:
        """The seq up to which everything is folded."""

    def erase_number(self, number: str, seqs: Sequence[int]) -> int:
        """Forget a number in E.164: fold what these records told anew; how much was found."""

    def holds_number(self, number: str, until_seq: int = ...) -> int:
        """In how many records up to a seq it still knows the number."""
