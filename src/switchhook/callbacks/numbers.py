"""Whether a number may be dialled: a person's own, whole and possible. Pure.

What is refused is said in words that hold no number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberType

from switchhook.exotel.asked_number import whole_number, why_no_number

if TYPE_CHECKING:
    from collections.abc import Collection

_E164 = re.compile(r"\+[1-9][0-9]{3,14}")
_COMPANIES = re.compile(r"\+91(?:140|160)[0-9]{7}")
"""India's series for companies' own calls, on which nobody is reached (exotel-platform E.8)."""
HOW_WRITTEN = "with its country's code, such as +91 and ten digits"
"""No example: that would be masked as any number is."""
_NO_COUNTRY = "001"
_REFUSED = {
    PhoneNumberType.PREMIUM_RATE: "it is a premium-rate number",
    PhoneNumberType.SHARED_COST: "it is a shared-cost number",
    PhoneNumberType.TOLL_FREE: "it is a toll-free number of a company",
    PhoneNumberType.UAN: "it is a service number of a company",
    PhoneNumberType.PAGER: "it is a pager's number",
    PhoneNumberType.VOICEMAIL: "it is the number of a voicemail",
}


class UndialableNumber(msgspec.Struct, frozen=True):
    """A text that nobody can be called by, and why not."""

    problem: str


def dialable(text: str, region: str, own: Collection[str] = ()) -> str | UndialableNumber:
    """A number as people write it, as E.164; `region` is the country of one that names none."""
    number = whole_number(text, region)
    if number is None:
        problem = why_no_number(text) or "it is no whole telephone number"
        return UndialableNumber(problem)
    problem = undialable(number, own)
    return UndialableNumber(problem) if problem else number


def undialable(number: str, own: Collection[str] = ()) -> str:
    """Why a number in E.164 is not dialled; empty where it may be. `own` are our ExoPhones."""
    if not _E164.fullmatch(number):
        return "it is no whole telephone number"
    if number in own:
        return "it is an ExoPhone of yours"
    try:
        read = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return "no country has numbers that begin like it"
    if not phonenumbers.is_valid_number(read):
        return _why_invalid(read)
    if phonenumbers.region_code_for_number(read) == _NO_COUNTRY:
        return "it is a satellite's or a service's number, of no country"
    if _COMPANIES.fullmatch(number):
        return "it is a number that companies call from"
    return _REFUSED.get(phonenumbers.number_type(read), "")


def exophone_problem(number: str) -> str:
    """Why no calls are made from a number in E.164; empty where they may be.

    A company's own series are fine here.
    """
    if not _E164.fullmatch(number):
        return "it is no whole telephone number"
    try:
        read = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return "no country has numbers that begin like it"
    if not phonenumbers.is_valid_number(read):
        return _why_invalid(read)
    free = phonenumbers.number_type(read) == PhoneNumberType.TOLL_FREE
    return "it is a toll-free number, which calls nobody" if free else ""


def _why_invalid(number: phonenumbers.PhoneNumber) -> str:
    national = phonenumbers.national_significant_number(number)
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    if any(phonenumbers.is_emergency_number(national, region) for region in regions):
        return "it is an emergency number"
    if phonenumbers.is_valid_short_number(number):
        return "it is a short number of a service"
    return "its country has no such number"
