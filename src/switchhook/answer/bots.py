"""The bots' addresses, ready to be given: each with what may be shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.answer.http.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.rules.bot_pool import Pool


class BotAddress(msgspec.Struct, frozen=True):
    """What goes out, and the same address with nothing secret in it."""

    answer: Answer
    shown: str

    def __repr__(self) -> str:
        """Without the login that the answer has."""
        return f"BotAddress({self.shown!r})"


class PoolsBeside(msgspec.Struct, frozen=True):
    """The same pools as a release has them that is drawn among for a share of the callers."""

    hash: str
    pools: Mapping[str, Pool]


class BotPools(msgspec.Struct, frozen=True):
    """All pools by name, and the addresses of their members by pool and name."""

    pools: Mapping[str, Pool] = {}
    addresses: Mapping[tuple[str, str], BotAddress] = {}
    candidate: PoolsBeside | None = None


NO_POOLS = BotPools()


def bot_address(url: str, shown: str) -> BotAddress:
    """The answer with a whole address, login and parameters included (exotel-platform C.6)."""
    return BotAddress(Answer(200, msgspec.json.encode({"url": url}), "application/json"), shown)
