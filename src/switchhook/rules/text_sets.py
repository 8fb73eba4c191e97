"""What texts can be that requests and clocks bring: statuses, dates, telephone numbers, any text.

Reading normalises some of them. A text that reads as another one is never seen by a rule; that is
asked of the readers themselves.
"""

from __future__ import annotations

import re
from calendar import month_name, monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from switchhook.exotel.asked_number import asked_number
from switchhook.exotel.passthru import Passthru, Stream
from switchhook.exotel.times import WEEKDAYS
from switchhook.exotel.wire.scalar import clean
from switchhook.rules.value_sets import OTHER, Samples, Values, Words, fits, folded

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Status(Values):
    """A stream's status: normalised where it is known, any other word in small letters.

    A word that Exotel could send some day is possible; one that is nearly a known one, or a word
    of another variable, is taken for a mistake.
    """

    whole: ClassVar[bool] = False
    known: Words
    foreign: frozenset[str]

    def holds(self, value: object) -> bool:
        """Whether it reads as itself, and is not nearly one that is known."""
        if not isinstance(value, str) or value in self.known.words:
            return isinstance(value, str)
        if _stream_status(value) != value or value in self.known.others:
            return False
        close = get_close_matches(folded(value), map(folded, self.known.words), cutoff=0.8)
        return not close and value not in self.foreign

    def samples(self, named: Iterable[object]) -> Samples:
        """The known ones, those named, and any other."""
        return frozenset((*self.known.words, *filter(self.holds, named), OTHER))

    def fits(self, test: str, text: str) -> bool:
        """Whether it holds no capital letter, which a status never does."""
        return test == "matches" or text == text.lower()

    def told(self) -> str:
        """The known ones."""
        return self.known.told() + ", or another word in small letters as sent"

    def meant(self, value: object, test: str = "==") -> str:
        """The nearest of those known."""
        if test in ("startsWith", "endsWith", "contains"):
            return f'did you mean "{str(value).lower()}"? a status is in small letters'
        return self.known.meant(value)


def _stream_status(value: str) -> str | None:
    return (Stream(status=clean(value)).status_word or "").lower()


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_BEGINNING = re.compile(r"([0-9]{0,4}|[0-9]{4}-[01]?|[0-9]{4}-(0[1-9]|1[0-2])-?[0-3]?)\Z")
_OTHER_FORMS = (
    "%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d%m%Y",
    "%d-%m-%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y",
    "%m/%d/%Y", "%m-%d-%Y", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ",
)  # fmt: skip


@dataclass(frozen=True)
class Dates(Values):
    """Days as `2026-11-23`."""

    whole: ClassVar[bool] = False

    def holds(self, value: object) -> bool:
        """Whether there is such a day."""
        return isinstance(value, str) and _day(value) is not None

    def bounds(self, value: object) -> bool:
        """Whether days can be compared with it: a day, or the beginning of one."""
        return self.holds(value) or (isinstance(value, str) and bool(_BEGINNING.match(value)))

    def samples(self, named: Iterable[object]) -> Samples:
        """The days named, those beside them, and one before and after all."""
        found = {"0001-01-01", "9999-12-31"}
        for text in named:
            # A beginning such as 2026-12 lies before its first day.
            whole = f"{text}{'0001-01-01'[len(str(text)) :]}"
            day = _day(str(text)) or _day(whole)
            if day is not None and date.min < day < date.max:
                found |= {(day + timedelta(days=n)).isoformat() for n in (-1, 0, 1)}
        return frozenset(found)

    def fits(self, test: str, text: str) -> bool:
        """Whether any day of two lifetimes has it."""
        return any(fits(test, day, text) for day in _days())

    def told(self) -> str:
        """Its form."""
        return 'it is a day as in "2026-11-23"'

    def meant(self, value: object, test: str = "==") -> str:
        """The same day as rules see it, or how long its month is."""
        if test in ("startsWith", "endsWith", "contains", "matches") or not isinstance(value, str):
            return self.told()
        if _DAY.match(value):
            year, month = int(value[:4]), int(value[5:7])
            if not year or not 1 <= month <= 12:
                return "there is no such month; year, month, day"
            return f"{month_name[month]} {year} has {monthrange(year, month)[1]} days"
        if value and _BEGINNING.match(value):
            return f'a month or year is local.date.startsWith("{value}")'
        for form in _OTHER_FORMS:
            try:
                return f'did you mean "{datetime.strptime(value.strip(), form).date()}"?'
            except ValueError:
                continue
        if value.lower() in WEEKDAYS:
            return f'a weekday is local.weekday == "{value.lower()}"'
        return self.told()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        return None


@cache
def _days() -> tuple[str, ...]:
    first = date(1970, 1, 1)
    return tuple((first + timedelta(days=n)).isoformat() for n in range(366 * 150))


@dataclass(frozen=True)
class Texts(Values):
    """Any text as it is sent, without the blanks and quotes around it."""

    whole: ClassVar[bool] = False

    def holds(self, value: object) -> bool:
        """Whether it reads as itself."""
        return isinstance(value, str) and (clean(value) or "") == value

    def samples(self, named: Iterable[object]) -> Samples:
        """Those named, none, and any other."""
        return frozenset(("", *filter(self.holds, named), OTHER))

    def told(self) -> str:
        """What is taken off."""
        return "rules see it without blanks and quotes around it"

    def meant(self, value: object, test: str = "==") -> str:
        """The text as rules see it."""
        seen = clean(str(value))
        return f'{self.told()}: "{seen}"' if seen else 'an absent text is ""'


_SPACED = re.compile(r"[+(]?[0-9][0-9 ().\-]*\Z")
_NATIONAL = re.compile(
    r"\^\(?(?:\?:)?(?P<first>0|91|\[6-9\]|\[789\]|[6-9][0-9]{3}|\\d\{10\}|\[0-9\]\{10\})(?![?*{|])"
)
_IN_E164 = "rules see numbers in E.164"


@dataclass(frozen=True)
class PhoneNumbers(Texts):
    """A telephone number in E.164, or as sent where it is no full number."""

    def holds(self, value: object) -> bool:
        """Whether it reads as itself; a full number in another spelling does not."""
        return super().holds(value) and _seen_number(str(value)) == value

    def fits(self, test: str, text: str) -> bool:
        """Whether a number in E.164 may have such a part."""
        if test == "matches":
            return "|" in text or not _NATIONAL.match(text)
        if test == "startsWith":
            return _seen_beginning(text) == text
        digits = re.sub(r"[^0-9+]", "", text)
        spaced = digits != text and _SPACED.match(text) and len(digits) > 3
        return not spaced and (test == "contains" or not re.match(r"0[6-9][0-9]{9}\Z", text))

    def told(self) -> str:
        """The form."""
        return f'{_IN_E164}, as in "+91" and ten digits'

    def meant(self, value: object, test: str = "==") -> str:
        """The same number, or its part, as rules see it."""
        text = str(value)
        if test == "matches":
            found = _NATIONAL.match(text)
            first = found["first"] if found else ""
            rest = text[found.end("first") :] if found else ""
            return f"{_IN_E164}: ^\\+91{'' if first in ('0', '91') else first}{rest}"
        if test == "startsWith":
            return f'{_IN_E164}: did you mean "{_seen_beginning(text)}"?'
        if test in ("endsWith", "contains"):
            return f'{_IN_E164}: did you mean "{re.sub("[^0-9+]", "", text).lstrip("0")}"?'
        seen = _seen_number(text)
        return f'{_IN_E164}: did you mean "{seen}"?' if seen != text else super().meant(value)


def _seen_number(text: str) -> str:
    """A text as rules would see it; a full number in whatever spelling is one in E.164."""
    seen = Passthru(from_raw=text).from_ or ""
    if seen != text or (seen.startswith("+") and seen[1:].isdigit()):
        return seen
    found = asked_number(text) or "" if re.match(r"[+(0-9]|tel:", text) else ""
    whole = found.startswith("+") and Passthru(from_raw=found).from_ == found
    # As zeros alone, and what is shorter, come as sent.
    return found if whole and len(found) > 11 else text


def _seen_beginning(text: str) -> str:
    """The beginning of a number as rules would see it."""
    if not _SPACED.match(text):
        return text
    digits = re.sub(r"[^0-9+]", "", text)
    bare = digits.lstrip("0")
    if not bare.strip("+"):
        return "+91" if text == "0" else text
    if digits.startswith("+"):
        return re.sub(r"\A\+910+(?=[1-9])|\A\+0+", lambda m: m[0].rstrip("0"), digits)
    if digits.startswith("00"):
        return "+" + bare
    if digits.startswith("0"):
        return "+91" + bare
    if digits.startswith("91"):
        return "+" + digits
    mobile = re.match(r"[6-9][0-9]{3}", digits)
    return "+91" + digits if mobile else text
