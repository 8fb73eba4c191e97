"""Exotel's identifiers: 28 random hex digits, then the IST day (exotel-platform 0.3, inferred)."""

from __future__ import annotations

from datetime import date

ENTROPY = 14
"""Bytes of randomness in an identifier."""

LENGTH = 32
_DAYS = "0123456789abcdefghijklmnopqrstuv"  # base 32; no day is 0
_CENTURY = 2000


def mint(entropy: bytes, day: date) -> str:
    """Make an identifier of an IST day from 14 bytes. Raises ValueError for another number.

    >>> mint(bytes(14), date(2026, 8, 25))
    '00000000000000000000000000001a8p'
    """
    if len(entropy) != ENTROPY:
        raise ValueError(f"{len(entropy)} bytes instead of {ENTROPY}")
    return f"{entropy.hex()}{day.year - _CENTURY:02x}{day.month:x}{_DAYS[day.day]}"


def day_of(sid: str) -> date | None:
    """The IST day in an identifier; None where there is none.

    >>> day_of("00000000000000000000000000001a8p")
    datetime.date(2026, 8, 25)
    """
    if len(sid) != LENGTH:
        return None
    try:
        year, month, day = int(sid[-4:-2], 16), int(sid[-2], 16), _DAYS.index(sid[-1])
        return date(_CENTURY + year, month, day)
    except ValueError:
        return None
