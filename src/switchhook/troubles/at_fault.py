"""What of a bot with several members fails, and what becomes of its calls: values."""

from __future__ import annotations

import msgspec


class Canary(msgspec.Struct, frozen=True):
    """The release whose canary sends calls to a pool, or sent it some until it was taken back."""

    number: int
    taken_back: bool = False


class AtFault(msgspec.Struct, frozen=True, kw_only=True):
    """Told in place of the whole bot.

    `name` is the members', with their pool's, such as `member sales/vendor-a`; empty where it is
    all of them. `instead` says what becomes of its calls now that they are well, a sentence's part;
    empty where they fail on. `todo` is a sentence with the command that mends it; empty where there
    is none. `page` is where it is mended, where that is not said elsewhere.
    """

    name: str = ""
    instead: str = ""
    todo: str = ""
    page: str = ""
