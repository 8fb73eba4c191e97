"""One value as it travels: trimmed, perhaps quoted, perhaps a word for nothing.

Exotel's engine JSON-encodes some scalars (`digits="1"`) and writes the text `null` for what it
doesn't know (exotel-platform A.4, B.4). `clean` undoes both and `guard` is the way back.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from switchhook.exotel.phone_numbers import FEWEST

MOST_DIGITS: Final = FEWEST - 1
"""Of a whole number. What is counted here stays below; with one more it may be a telephone number,
and only texts are masked."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str | None:
    """What a value says; None where it says nothing."""
    text = text.strip()
    if len(text) > 1 and text[0] == '"' and text[-1] == '"':
        text = _unquote(text).strip()
    if not text or (len(text) == 4 and text.lower() == "null"):
        return None
    return text


def guard(text: str) -> str:
    """A text that `clean` would change, quoted so that it doesn't; every other as it is."""
    return text if clean(text) == text else json.dumps(text, ensure_ascii=False)


def whole_number(value: Any) -> int | None:
    """A whole number of few digits, as a number or a text of ASCII digits; else None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 10**MOST_DIGITS else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    fits = len(text) <= MOST_DIGITS and text.isascii() and text.isdigit()
    return int(text) if fits else None


def _unquote(text: str) -> str:
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text[1:-1]
    return without_surrogates(value) if isinstance(value, str) else text[1:-1]


def without_surrogates(text: str) -> str:
    """The text with lone surrogates, which no encoding can carry, as U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
