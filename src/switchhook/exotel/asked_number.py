"""A telephone number as people paste it: from a chat, a sheet, a phone, a browser's address."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from switchhook.exotel.fields import e164
from switchhook.exotel.number_keys import FEWEST, PATTERN, digits_asked

_SCHEME = re.compile(r"\A(?:tel|callto|sip|sips):", re.IGNORECASE)
_BETWEEN = re.compile(
    r"[\s().\-/_,;'\"<>\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u206f\ufeff]+"
)
_LONGEST = 80


def asked_number(text: str, region: str = "IN") -> str | None:
    """What to look for: a number in E.164, or its beginning or end as `number_matches` has it.

    None where the text is no number. Digits of any script, blanks and marks between them, `tel:`,
    `00` before a country's code and an encoded plus are taken.
    """
    said = _SCHEME.sub("", unquote(text.strip())[:_LONGEST]).partition("@")[0]
    plain = "".join(_ascii(letter) for letter in unicodedata.normalize("NFKC", said))
    digits = _BETWEEN.sub("", plain)
    digits = re.sub(r"\A00(?=[1-9][0-9]{7})", "+", digits)
    # "+91 (0) 98765…": the trunk's zero is of no number abroad.
    digits = re.sub(r"\A\+910(?=[1-9][0-9]{9}\Z)", "+91", digits)
    if not PATTERN.fullmatch(digits) or digits_asked(digits) < FEWEST:
        return None
    whole = e164(digits, region)
    return whole if isinstance(whole, str) else digits


def _ascii(letter: str) -> str:
    value = unicodedata.digit(letter, None)
    return letter if value is None else str(value)
