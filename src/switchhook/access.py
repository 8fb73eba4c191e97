"""Who looks at the console, and what each may see and do."""

from __future__ import annotations

import re
from enum import IntEnum

import msgspec


class Role(IntEnum):
    """What somebody may do; each role may do all that the ones below it may."""

    VIEWER = 1
    """Sees everything but full numbers."""
    OPERATOR = 2
    """Sees numbers, each reveal noted; acknowledges, silences, exports."""
    ADMINISTRATOR = 3
    """Also users, tokens, retention and erasure."""

    @property
    def word(self) -> str:
        return self.name.lower()


class Viewer(msgspec.Struct, frozen=True):
    """Who makes a request: a user, a token, or this machine where there are no users yet.

    `session` names the session, token or connection that spoke, for closing its live feeds.
    """

    name: str
    role: Role
    session: str = ""
    open: bool = False
    """Whether nobody had to sign in: every page says so then."""

    @property
    def sees_numbers(self) -> bool:
        return self.role >= Role.OPERATOR


_NUMBER = re.compile(r"(?<![\w+])\+?[0-9][0-9 -]{5,18}[0-9](?!\w)")
_LEFT = 4
_SHORTEST = 7


def masked(number: str | None) -> str | None:
    """A number with all but its country code and last two digits as dots: `+91••••••••23`."""
    if number is None:
        return None
    digits = [at for at, c in enumerate(number) if c.isdigit()]
    if len(digits) < _SHORTEST:
        return "•" * len(number)
    hidden = set(digits[3 if number.startswith("+") else 1 : -2])
    return "".join("•" if at in hidden else c for at, c in enumerate(number))


def masked_text(text: str) -> str:
    """A text in which everything that looks like a telephone number is masked."""
    return _NUMBER.sub(lambda found: masked(found[0]) or "", text)
