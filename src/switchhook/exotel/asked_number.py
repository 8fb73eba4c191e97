"""A telephone number as people paste it: from a chat, a sheet, a phone, a browser's address, a log.

What is no number is None, never a guess. A number without a country's code is read in a region;
where it could as well be another country's, it stays the digits that it is.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

import phonenumbers

from switchhook.exotel.fields import e164
from switchhook.exotel.number_keys import FEWEST, PATTERN, digits_asked

UNSEEN = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
"""What is pasted along and not seen, for a class of a pattern: marks of direction and the like."""
_LINK = re.compile(
    r"\A(?:(?:tel|callto|sips?|sms|smsto|whatsapp):(?://)?"
    r"|(?:https?://)?(?:wa\.me/|api\.whatsapp\.com/send/?\?phone=))",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\A(?:mob(?:ile)?|ph(?:one)?|tel(?:ephone)?|cell|whatsapp|contact|caller|call(?:from|to)|from|to"
    r"|number)(?:\s?(?:no|number|#))?\s{0,3}[.:=]{1,2}\s{0,3}(?=[+(0-9])",
    re.IGNORECASE,
)
_KIND = re.compile(
    r"(?<=[0-9 ])\s{0,3}\(?(?:mobile|cell|home|work|office|main|whatsapp)\)?\Z", re.IGNORECASE
)
_SHEET = re.compile(r"""\A(?:=\s?(?=["'+0-9])|['\u2018\u2019`\u00b4]+(?=[+(0-9]))""")
_FRACTION = re.compile(r"(?<=[0-9]{8})\.0+\Z")
_BETWEEN = re.compile(rf"[\s()\[\]{{}}.\-/_,;:'\"<>\u2018-\u201f\u2010-\u2015\u2212{UNSEEN}]+")
_HIDDEN = r"[xX*#\u2022\u25cf\u00b7\u2026]"
_END = re.compile(rf"\A\+?[0-9]{{0,4}}(?:{_HIDDEN}{{2,}}|\u2026|\.{{2,}})([0-9]{{3,6}})\Z")
_MASKED = re.compile(rf"\+?[0-9 ]{{0,4}}{_HIDDEN}[{_HIDDEN[1:-1]} .-]*[0-9]{{0,4}}\Z")
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,2}\Z")
_LONGEST = 80
_INDIAN_DIGITS = 10


def asked_number(text: str, region: str = "IN") -> str | None:
    """What to look for: a number in E.164, or a part of one as `number_matches` has it.

    None where the text is no number. Taken are digits of any script, whatever stands between them,
    links (`tel:`, `wa.me/`), labels (`Mobile:`), what sheets put before or behind a number, `00` or
    `011` before a country's code, and an encoded plus.
    """
    digits = _digits_of(text, region)
    if digits is None or digits_asked(digits) < FEWEST:
        return None
    return _whole(digits, region) or digits


def whole_number(text: str, region: str = "IN") -> str | None:
    """A number in E.164; None where the text is none, or a part of one only."""
    digits = _digits_of(text, region)
    return None if digits is None else _whole(digits, region)


def why_no_number(text: str) -> str | None:
    """What happened to a text that was a number once; None where nothing is known of it."""
    plain = _plain(text)
    if _ROUNDED.fullmatch(plain):
        return "a sheet has rounded this number: format its column as text, and copy it again"
    if _MASKED.fullmatch(plain):
        return "this number is masked: reveal it first, or look for its last digits (*3210)"
    return None


def _plain(text: str) -> str:
    """ASCII digits and signs, without what nobody sees."""
    said = text.strip()[: 3 * _LONGEST]
    for _ in range(2):  # what was encoded may be encoded again
        said = unquote(said)
    ascii_ = "".join(map(_ascii, unicodedata.normalize("NFKC", said)))
    return re.sub(f"[{UNSEEN}]", "", ascii_).strip()[:_LONGEST]


def _ascii(letter: str) -> str:
    value = unicodedata.digit(letter, None)
    return letter if value is None else str(value)


def _digits_of(text: str, region: str) -> str | None:
    """The digits with what `PATTERN` knows beside them; None where there is anything else."""
    said = _plain(text)
    linked = _LINK.sub("", said)
    if linked != said or "@" in said:
        said = re.split("[@;?&]", linked, maxsplit=1)[0]
    said = _LABEL.sub("", _SHEET.sub("", said))
    said = _FRACTION.sub("", _KIND.sub("", said.strip(" '\"\u2018-\u201f")))
    if end := _END.match(said.replace(" ", "")):
        return "*" + end[1]
    digits = _without_prefix(_BETWEEN.sub("", said), region)
    return digits if PATTERN.fullmatch(digits) else None


def _without_prefix(digits: str, region: str) -> str:
    """A number with `+` for what is dialled before a country's code, and no zero behind that."""
    digits = re.sub(r"\A(?:\+{2,}|\+?00+(?=[1-9][0-9]{2}))", "+", digits)
    digits = re.sub(r"\A\+0(?=[1-9][0-9]{9}\Z)", "0", digits)
    digits = re.sub(r"\A011(?=[1-9][0-9]{10,14}\Z)", "+", digits)
    if region == "IN":
        # 091…, 9109…, +91 (0) 9…, and the code of a sheet before that of a CRM.
        digits = re.sub(r"\A\+?0?91(?:0|(?:00)?91)?(?=[1-9][0-9]{9}\Z)", "+91", digits)
    return digits


def _whole(digits: str, region: str) -> str | None:
    """The number in E.164; of one that says no country only what its region surely has."""
    found = e164(digits, region) if digits[0] in "+0123456789" else None
    if not isinstance(found, str):
        return None
    if digits.startswith("+"):
        return found
    number = phonenumbers.parse(found)
    usual = region == "IN" and len(str(number.national_number)) == _INDIAN_DIGITS
    return found if usual or phonenumbers.is_valid_number(number) else None
