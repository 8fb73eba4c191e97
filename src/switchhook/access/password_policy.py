"""Which passwords may be chosen: long ones that are not among the first that anybody would try.

NIST SP 800-63B-4 (3.1.1.2): 15 characters where a password alone lets in, no rules of composition,
any Unicode, and what is common, expected or made of the context is refused, saying why.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST_PASSWORD, LONGEST_PASSWORD = 15, 1024
FEWEST_GUESSES = 10**10
"""As zxcvbn estimates them; its highest score begins there."""
_LOOKED_AT = 32
"""Characters of it that are looked at: 72 at random take the estimate up to 0.7 s, these 30 ms."""
_PRODUCT = ("switchhook", "exotel", "passthru", "voicebot", "administrator", "operator", "viewer")
_PARTS = re.compile(r"[\s:/]+"), re.compile(r"[\W_]+")
_SHORTEST_PART = 3
_TAKE = "take a few words that don't belong together"
_WHY = {
    "repeat": "it repeats itself",
    "sequence": "it counts up or down",
    "spatial": "its keys lie side by side",
    "date": "it is little more than a date",
    "regex": "it is little more than a year",
}
_DICTIONARIES = {
    "passwords": "it is much like one of the most common passwords",
    "user_inputs": "it is made of your name, this product or this address",
}


def password_problem(password: str, name: str = "", context: Iterable[str] = ()) -> str | None:
    """Why a password can't be one; None where it can.

    `name` is the user's, `context` what else is known of whom and what it is for, such as the
    console's address.
    """
    password = normal_password(password)
    if len(password) < SHORTEST_PASSWORD:
        return f"a password takes at least {SHORTEST_PASSWORD} characters: a few words will do"
    if len(password) > LONGEST_PASSWORD:
        return f"a password takes at most {LONGEST_PASSWORD:,} characters"
    # Its dictionaries take megabytes and 30 ms, and most processes never see a password.
    from zxcvbn import zxcvbn

    found = zxcvbn(password[:_LOOKED_AT], user_inputs=_known((name, *context, *_PRODUCT)))
    if found["guesses"] >= FEWEST_GUESSES:
        return None
    return f"this password is guessed too soon: {_why(found['sequence'])} ({_TAKE})"


def normal_password(password: str) -> str:
    """As it is hashed: what looks alike on two keyboards is the same (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def _known(texts: Iterable[str]) -> list[str]:
    """The texts and their parts, which nobody has to guess."""
    whole = [text.lower() for text in texts if text]
    parts = [part for text in whole for by in _PARTS for part in by.split(text)]
    return [each for each in (*whole, *parts) if len(each) >= _SHORTEST_PART]


def _why(sequence: list[dict[str, object]]) -> str:
    """What the longest part that is no mere chance looks like."""
    tellings = [each for each in sequence if each["pattern"] != "bruteforce"]
    if not tellings:
        return "it is too short for what it is made of"
    longest = max(tellings, key=lambda each: len(str(each["token"])))
    if longest["pattern"] == "dictionary":
        return _DICTIONARIES.get(str(longest["dictionary_name"]), "it is one word or name")
    return _WHY.get(str(longest["pattern"]), "it follows a pattern")
