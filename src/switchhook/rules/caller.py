"""Whom a call is about, as sticky draws know them from call to call: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.passthru import Direction

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru

_FEWEST_DIGITS = (
    6  # a number that is withheld is sent as a word, as "anonymous", or as a short code
)


def key_of_caller(passthru: Passthru) -> str:
    """What a caller is recognised by from call to call: the customer's number.

    That is From of an inbound call and To of an outbound one; a number that is withheld would make
    one caller of many, so that it is then the CallSid. Without either it is what is left, or
    nothing.
    """
    outbound = passthru.direction is Direction.OUTBOUND
    number = (passthru.to if outbound else passthru.from_) or ""
    if is_number(number):
        return number
    return passthru.call_sid or number


def is_number(text: str) -> bool:
    """Whether a text is a telephone number that tells callers apart."""
    return sum(letter.isdigit() for letter in text) >= _FEWEST_DIGITS
