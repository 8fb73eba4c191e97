"""Forms in which diallers and CRMs take a telephone number."""

from __future__ import annotations

from enum import StrEnum

import phonenumbers


class NumberForm(StrEnum):
    """How a number in E.164 is written."""

    E164 = "e164"
    """`+919000012345`"""
    DIGITS = "digits"
    """`919000012345`"""
    ABROAD = "00"
    """`00919000012345`"""
    NATIONAL = "national"
    """`9000012345`, of numbers of one country; others as E.164, lest another one be dialled."""
    TRUNK = "0"
    """`09000012345`, as it is dialled within that country; others likewise."""


def in_form(number: str, form: NumberForm, region: str = "IN") -> str:
    """A number in E.164 in another form; `region` is the country of national ones.

    What is no number in E.164 stays as it is.
    """
    if not (number.startswith("+") and number[1:].isascii() and number[1:].isdigit()):
        return number
    match form:
        case NumberForm.E164:
            return number
        case NumberForm.DIGITS:
            return number[1:]
        case NumberForm.ABROAD:
            return "00" + number[1:]
        case NumberForm.NATIONAL | NumberForm.TRUNK:
            return _national(number, region, trunk=form is NumberForm.TRUNK)


def _national(number: str, region: str, *, trunk: bool) -> str:
    try:
        read = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    if read.country_code != phonenumbers.country_code_for_region(region):
        return number
    national = phonenumbers.national_significant_number(read)
    prefix = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or ""
    return prefix + national if trunk else national
