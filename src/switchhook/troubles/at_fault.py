"""What of a bot with several members fails, and what becomes of its calls: a value."""

from __future__ import annotations

import msgspec


class AtFault(msgspec.Struct, frozen=True, kw_only=True):
    """Told in place of the whole bot.

    `name` is the members', with their pool's, such as `member sales/vendor-a`; empty where it is
    all of them. `instead` says what becomes of its calls now that they are well, a sentence's part;
    empty where they fail on. `todo` is a sentence with the command that mends it; empty where there
    is none.
    """

    name: str = ""
    instead: str = ""
    todo: str = ""
