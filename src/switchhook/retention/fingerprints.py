"""What was erased, remembered so that it can be found again in an older backup, and not be read.

A fingerprint is an HMAC under the data folder's key. A backup has the key and not the list, the
file beside backups has the list and not the key: who has one of them can't try all numbers.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Annotated

import msgspec
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from switchhook.exotel.phone_numbers import find_digits
from switchhook.exotel.spellings import FORMS, ErasedNumber, Subject, is_gap, plainly, shown
from switchhook.retention.erasure import Erasure, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIST_FORMAT = 1
_WINDOW, _MARGIN = 8192, 1024
_MOST_KNOWN = 200_000
_LONGEST = 40
# As `find_digits` has them, of bytes: a sign between digits may have three.
_RUN = re.compile(rb"[0-9](?:[^0-9A-Za-z]{0,24}[0-9]){6,}")
_DIGITS = re.compile(rb"[0-9]+")

_Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")]


class Remembered(msgspec.Struct, frozen=True):
    """An erasure: `print` is the fingerprint of what it was about.

    Of a number, `national` is that of its `digits` national digits, for there is no country's code
    where it is found. It covers the journal up to `until_seq`.

    Of a node of the cluster with the id `cluster` that is the node's own journal, in which it began
    at `begun_ms` by the database's clock. `proof` is its part once it is done, which knows no more
    what it was about.
    """

    id: str
    subject: Subject
    masked: str
    print: _Hex
    asked_ms: int
    until_seq: int
    national: _Hex = ""
    digits: int = 0
    cluster: str = ""
    begun_ms: int = 0
    proof: Erasure | None = None

    @property
    def reach(self) -> tuple[int, bool]:
        """Of two of the same erasure the greater one says more."""
        return self.until_seq, self.proof is not None


class ErasureList(msgspec.Struct, frozen=True):
    """All erasures of a data folder."""

    node: int
    erasures: tuple[Remembered, ...] = ()
    format: int = LIST_FORMAT

    def with_more(self, more: Iterable[Remembered]) -> ErasureList:
        """The same with others; of one that is in both, the one that says more."""
        found = {each.id: each for each in self.erasures}
        for each in more:
            known = found.get(each.id)
            if known is None or known.reach < each.reach:
                found[each.id] = each
        ordered = sorted(found.values(), key=lambda each: (each.asked_ms, each.id))
        return msgspec.structs.replace(self, erasures=tuple(ordered))

    def up_to(self, seq: int) -> ErasureList:
        """The same for a journal that ends there: what comes later is another record."""
        clamped = [
            each
            if each.until_seq <= seq
            else msgspec.structs.replace(each, until_seq=seq, proof=None)
            for each in self.erasures
        ]
        return msgspec.structs.replace(self, erasures=tuple(clamped))


class Fingerprints:
    """Makes fingerprints under the key of a data folder."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"erasures", "sha256")

    def of(self, kind: str, text: str) -> str:
        """The fingerprint of a text, other than that of the same text of another kind."""
        whole = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, whole, "sha256").hex()

    def remember(self, erasure: Erasure) -> Remembered:
        """What is remembered of an erasure, before it lets go of what it is about."""
        assert erasure.number is not None, "an erasure that begins knows what it is about"
        national = ""
        if erasure.subject is Subject.NUMBER:
            national = ErasedNumber(erasure.number).national
        return Remembered(
            id=erasure.id,
            subject=erasure.subject,
            masked=erasure.masked,
            print=self.of(erasure.subject, erasure.number),
            asked_ms=erasure.asked_ms,
            until_seq=erasure.until_seq,
            national=self.of("national", national) if national else "",
            digits=len(national),
        )


class Suspects:
    """Looks for what was erased in what was restored; `found` has what it was, by erasure."""

    def __init__(self, fingerprints: Fingerprints, erasures: Iterable[Remembered]) -> None:
        self._fingerprints = fingerprints
        self._by_national: dict[str, list[Remembered]] = {}
        self._by_print: dict[str, list[Remembered]] = {}
        for each in erasures:
            known, key = self._by_print, each.print
            if each.subject is Subject.NUMBER:
                known, key = self._by_national, each.national
            known.setdefault(key, []).append(each)
        self._lengths = sorted(
            {each.digits for same in self._by_national.values() for each in same}
        )
        self._known: set[str] = set()
        self.found: dict[str, tuple[Remembered, str]] = {}

    @property
    def subjects(self) -> set[Subject]:
        """What has to be looked for at all."""
        several = (*self._by_national.values(), *self._by_print.values())
        return {each.subject for same in several for each in same}

    def look_at_text(self, text: bytes) -> None:
        """Look for numbers in the bytes of a record or a text."""
        if not self._lengths:
            return
        for start in range(0, len(text), _WINDOW):
            window = text[max(0, start - _MARGIN) : start + _WINDOW + _MARGIN]
            for digits in _ends_of_numbers(window, self._lengths[0]):
                self._look_at_end(digits)

    def look_at(self, subject: Subject, text: str) -> None:
        """Look whether a SID or a CustomField is what was erased."""
        for each in self._by_print.get(self._fingerprints.of(subject, text), ()):
            self.found[each.id] = each, text

    def _look_at_end(self, digits: str) -> None:
        for length in self._lengths:
            national = digits[-length:]
            if len(national) < length or national in self._known:
                continue
            if len(self._known) < _MOST_KNOWN:
                self._known.add(national)
            for each in self._by_national.get(self._fingerprints.of("national", national), ()):
                whole = self._with_country(each, national)
                if whole is not None:
                    self.found[each.id] = each, whole

    def _with_country(self, erased: Remembered, national: str) -> str | None:
        for code in COUNTRY_CODE_TO_REGION_CODE:
            whole = f"+{code}{national}"
            if self._fingerprints.of(Subject.NUMBER, whole) == erased.print:
                return whole
        return None


def _ends_of_numbers(text: bytes, fewest: int) -> Iterator[str]:
    """All that could be the end of a number and what stands before it, as digits."""
    plain = plainly(text)
    if plain is not None:
        for found in _RUN.finditer(plain):
            digits = b""
            for part in _DIGITS.findall(found[0]):
                digits = digits[-_LONGEST:] + part
                yield digits.decode()
        return
    for run in find_digits(text.decode("utf-8", "surrogateescape")):
        for end in range(fewest, len(run.digits) + 1):
            if end == len(run.digits) or is_gap(run, end):
                yield run.digits[max(0, end - _LONGEST) : end]


def again(erased: Remembered, value: str, last_seq: int) -> Erasure:
    """The erasure that does once more what one did, in a journal that ends at `last_seq`."""
    first = Phase.FIND if erased.subject is Subject.CUSTOM_FIELD else Phase.JOURNAL
    return Erasure(
        id=erased.id,
        number=value,
        masked=shown(erased.subject, value),
        by="restore",
        asked_ms=erased.asked_ms,
        until_seq=min(erased.until_seq, last_seq),
        subject=erased.subject,
        forms=FORMS,
        phase=first,
    )
