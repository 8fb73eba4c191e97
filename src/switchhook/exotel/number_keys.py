"""Telephone numbers as they are looked for: whole, by their beginning, or by their last digits."""

from __future__ import annotations

import re
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

PATTERN = re.compile(r"\+[0-9]{1,31}|\*?[0-9]{1,31}|[0-9]{1,31}\*")
"""`98765` for a beginning or an end; `98765*`, `098765` and `+9198765` for a beginning, `*3210` for
an end."""
FEWEST = 3
"""So many digits of the national number at least: fewer are in too many numbers."""
FEWEST_OF_END = 4
"""So many digits without any sign are looked for at the end of numbers, too."""
_LONGEST_OF_ZERO = 6  # a longer one that begins with a zero has it before a national number

_LONGEST = 32
_FULL = 11  # from so many digits on, a number without a plus may begin with its country's code
_CODES = frozenset(str(code) for code in COUNTRY_CODE_TO_REGION_CODE)
_AFTER = "~"  # sorts behind all that keys are made of


def split_number(number: str) -> tuple[str, str]:
    """The country's code and the national digits; no code where it is not in E.164.

    >>> split_number("+919000012345")
    ('91', '9000012345')
    """
    if number.startswith("+91"):
        code, rest = "91", number[3:]
    elif number.startswith("+"):
        code, rest = split_code(number[1:])
    else:
        code, rest = "", number.removeprefix("0")
    if not (rest.isascii() and rest.isdigit()):
        rest = "".join(letter for letter in rest if "0" <= letter <= "9")
    return code, rest[:_LONGEST]


def split_code(digits: str) -> tuple[str, str]:
    """The country's code that digits begin with, and the others; no code begins another one."""
    for length in (1, 2, 3):
        if digits[:length] in _CODES:
            return digits[:length], digits[length:]
    return "", digits


@lru_cache(maxsize=4096)
def number_keys(number: str) -> tuple[str, ...]:
    """What a number is sorted under, by its beginning and by its end; nothing for a few digits."""
    code, national = split_number(number)
    if len(national) < FEWEST:
        return ()
    return f"{national}+{code}", "*" + (code + national)[::-1]


def forget_numbers() -> None:
    """Let go of the numbers that were split of late."""
    number_keys.cache_clear()


def key_ranges(pattern: str) -> list[tuple[str, str]]:
    """Where the keys of matching numbers are, from and before; others may be there, too."""
    if pattern.startswith("*"):
        return [_range("*" + pattern[:0:-1])]
    code, national = _read(pattern)
    found = [_range(national)]
    if not code and len(national) >= _FULL:
        found.append(_range(split_code(national)[1]))
    if may_be_end(pattern):
        found.append(_range("*" + pattern[::-1]))
    return found


def number_matches(pattern: str, number: str | None) -> bool:
    """Whether a number begins, or ends, as the pattern says."""
    if not number or not PATTERN.fullmatch(pattern):
        return False
    code, national = split_number(number)
    if len(national) < FEWEST:
        return False
    if pattern.startswith("*"):
        return (code + national).endswith(pattern[1:])
    wanted_code, wanted = _read(pattern)
    if wanted_code:
        return code == wanted_code and national.startswith(wanted)
    whole = code + national
    if national.startswith(wanted) or (len(wanted) >= _FULL and whole.startswith(wanted)):
        return True
    return may_be_end(pattern) and whole.endswith(pattern)


def may_be_end(pattern: str) -> bool:
    """Whether digits are looked for at the end of numbers as well as at their beginning."""
    national = pattern.startswith("0") and len(pattern) > _LONGEST_OF_ZERO
    return pattern.isdigit() and len(pattern) >= FEWEST_OF_END and not national


def digits_asked(pattern: str) -> int:
    """How many digits of the national number a pattern has."""
    return len(pattern) - 1 if pattern.startswith("*") else len(_read(pattern)[1])


def _read(pattern: str) -> tuple[str, str]:
    """A beginning as country's code and national digits; 0 before a national number is dropped."""
    if pattern.startswith("+"):
        return split_code(pattern[1:])
    return "", pattern.removesuffix("*").removeprefix("0")


def _range(prefix: str) -> tuple[str, str]:
    return prefix, prefix + _AFTER
