"""Pools of bots, and which member of one takes a call: values and the draw, without I/O or chance.

The draw is weighted rendezvous hashing: each eligible member gets the score
`weight / -ln(u)`, where `u = (h + 0.5) / 2^64` and `h` is the BLAKE2b of `key`, a newline and the
member's name in 8 bytes, read big-endian; the highest score takes the call. The same key, members
and weights always give the same member, and a member that comes or goes moves only its own share
of the calls. See docs/before-the-stream.md, "Which bot takes the call".
"""

from __future__ import annotations

import math
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


MOST_WEIGHT, MOST_STREAMS = 1_000, 100_000
BREAKER_BOUNDS: dict[str, tuple[float, int, bool]] = {
    "failure_share": (0.01, 1, False),
    "least": (1, 1_000, True),
    "window_s": (1, 3_600, False),
    "cool_down_s": (1, 3_600, False),
}
"""The least and the most of each setting of a breaker, and whether it is a whole number."""


class MemberState(StrEnum):
    """Whether a member takes calls: a draining one keeps those it has and gets no new ones."""

    IN = "in"
    DRAINING = "draining"
    OUT = "out"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One wss address of a pool, without its credentials and parameters.

    `weight` 0 to 1,000 is its share against the others'; `limit` how many streams it takes at
    once, None where it has no limit of its own.
    """

    name: str
    url: str
    weight: int = 100
    limit: int | None = None
    state: MemberState = MemberState.IN


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a failing member is taken out, and how it comes back.

    `failure_share` of the streams that ended in the last `window_s`, once there were `least` of
    them; after `cool_down_s` it is tried again with a growing share.
    """

    enabled: bool = False
    failure_share: float = 0.5
    least: int = 3
    window_s: float = 60.0
    cool_down_s: float = 30.0


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Bots that can take the same calls, by the name of their `[bots.NAME]`.

    `sticky` sends a customer's calls to the same member as long as it is eligible.
    """

    name: str
    members: tuple[Member, ...]
    sticky: bool = False
    breaker: BreakerSettings = BreakerSettings()

    def member(self, name: str) -> Member | None:
        """The member of that name."""
        return next((each for each in self.members if each.name == name), None)


class Eligible(msgspec.Struct, frozen=True, array_like=True):
    """A member that could take a call, and the weight it was drawn with."""

    member: str
    weight: float


def draw(key: str, eligible: Iterable[Eligible]) -> str | None:
    """The member that takes the call of `key`; None where nobody with a weight above 0 can."""
    best, found = -1.0, None
    begun = blake2b(f"{key}\n".encode("utf-8", "replace"), digest_size=8)
    for each in eligible:
        if each.weight <= 0:
            continue
        hashed = begun.copy()
        hashed.update(each.member.encode("utf-8", "replace"))
        share = (int.from_bytes(hashed.digest(), "big") + 0.5) / 2.0**64
        # Rounded up to 1 by floats for the last few of 2^64; its score has no bound.
        score = math.inf if share >= 1.0 else each.weight / -math.log(share)
        if score > best:
            best, found = score, each.member
    return found
