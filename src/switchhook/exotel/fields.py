"""Texts that Exotel sends, interpreted: numbers, times, durations.

Each function is total: it takes a text or None and gives the value, None where nothing is said,
or `Unusable` with the reason. None is made up from a text that doesn't hold it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

import msgspec
import phonenumbers

from switchhook.exotel.phone_numbers import hint_of, mask_text
from switchhook.exotel.times import IST
from switchhook.exotel.wire.scalar import MOST_DIGITS

_NO_TIME_BEFORE = datetime(1970, 1, 3, tzinfo=UTC)
_LOST_PLUS = re.compile(r"(?P<time>[0-9][T ][0-9]{2}:[0-9:.]+) (?P<offset>[0-9]{2}:?[0-9]{2})\Z")
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{4,24}\Z")
_LONGEST_E164 = 16  # with its plus: ITU-T E.164, 6.2.1
_TRUNK_PREFIX_IN = re.compile(r"0[1-9][0-9]{9}\Z")
_LONGEST_TIME = 64
_SECONDS = re.compile(rf"([0-9]{{1,{MOST_DIGITS}}})(\.[0-9]{{0,20}})?\Z")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ]|\Z)")
_INDIA, _FULL_NUMBER_IN = 91, 10  # digits with the area code; toll-free ones may have fewer
_SHORTEST_NUMBER = 7  # digits; E.164 names no shorter subscriber number with its area


class Unusable(msgspec.Struct, frozen=True):
    """A text that doesn't hold what its field promises, and why."""

    problem: str


def seconds(text: str | None) -> int | Unusable | None:
    """Whole seconds, rounded down; few ASCII digits only, never negative."""
    if text is None:
        return None
    if len(text) <= MOST_DIGITS and text.isascii() and text.isdecimal():
        return int(text)
    found = _SECONDS.match(text)
    if found is None:
        return Unusable(f"not a number of seconds: {_short(text)}")
    return int(found[1])


def e164(text: str | None, region: str) -> str | Unusable | None:
    """A telephone number as `+`, country code, number; read in `region` where it has no code.

    Short codes, masked numbers, SIP addresses and words are `Unusable`: nothing is made up.
    """
    if text is None:
        return None
    if region == "IN" and _TRUNK_PREFIX_IN.match(text):
        return "+91" + text[1:]  # what phonenumbers says too, 40 times as fast
    # Before the cache, so that it holds no text longer than a number.
    if not _NUMBER.match(text) or sum(c.isdigit() for c in text) < _SHORTEST_NUMBER:
        return Unusable(f"not a full telephone number: {hint_of(text)}")
    return _e164(text, region)


def forget_read_numbers() -> None:
    """Let go of the numbers that were read of late."""
    _e164.cache_clear()


@lru_cache(maxsize=4096)
def _e164(text: str, region: str) -> str | Unusable:
    # 919876543210 is an Indian number that lost its plus, not a local one.
    international = "+" + text if region == "IN" and re.match(r"91[1-9][0-9]{9}\Z", text) else text
    try:
        number = phonenumbers.parse(international, region)
    except phonenumbers.NumberParseException:
        return Unusable(f"not a telephone number: {hint_of(text)}")
    reason = phonenumbers.is_possible_number_with_reason(number)
    possible = reason == phonenumbers.ValidationResult.IS_POSSIBLE
    # Zeros alone stand for a caller who withholds his number, and few countries' begin with one.
    zeros = number.italian_leading_zero and not phonenumbers.is_valid_number(number)
    if not possible or not number.national_number or zeros or _lacks_area(number):
        return Unusable(f"not a possible telephone number: {hint_of(text)}")
    found = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if len(found) > _LONGEST_E164:
        return Unusable(f"longer than a telephone number can be: {hint_of(text)}")
    return found


def _lacks_area(number: phonenumbers.PhoneNumber) -> bool:
    """Whether an Indian number is a local one, which phonenumbers takes for possible."""
    national = phonenumbers.national_significant_number(number)
    short = number.country_code == _INDIA and len(national) < _FULL_NUMBER_IN
    return short and not phonenumbers.is_valid_number(number)


def instant(text: str | None) -> datetime | Unusable | None:
    """A point in time in UTC, from ISO 8601 or the RFC 822 form, naive ones read as IST.

    Placeholders for "not yet" (the epoch, year zero) are None: they are no time. Bare
    digits, which ISO 8601 has too, are `Unusable`: eight of them may be a telephone number.
    """
    if text is None or text.startswith("0000"):
        return None
    return _instant(text) if len(text) <= _LONGEST_TIME else _instant.__wrapped__(text)


@lru_cache(maxsize=4096)  # calls of the same second say the same, and a fold reads many
def _instant(text: str) -> datetime | Unusable | None:
    value: datetime | None
    try:
        value = datetime.fromisoformat(with_plus(text)) if _ISO_DAY.match(text) else _rfc822(text)
    except ValueError:
        value = _rfc822(text)
    if value is None:
        return Unusable(f"not a time: {_short(text)}")
    if value.tzinfo is None:
        value = value.replace(tzinfo=IST)
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        return Unusable(f"not a time: {_short(text)}")
    return value if value >= _NO_TIME_BEFORE else None


def with_plus(time: str) -> str:
    """An ISO time with the `+` of its offset, which form decoding turned into a blank."""
    if " " not in time[-6:-4]:
        return time
    return _LOST_PLUS.sub(r"\g<time>+\g<offset>", time)


def _rfc822(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text[:64])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _short(text: str) -> str:
    return repr(mask_text(text[:40]))
