"""What the API says of pools of bots."""

from __future__ import annotations

from typing import Any

import msgspec


class PoolMember(msgspec.Struct, frozen=True, kw_only=True):
    """A bot of a pool: whether it gets calls, and how it is; shares are 0 to 1."""

    name: str
    url: str
    word: str
    state: str
    weight: int
    configured_state: str
    configured_weight: int
    limit: int | None
    live: int
    hand: list[int]
    share: float
    draw_share: float
    given_share: float | None
    given: int
    silent: int
    certificate_days_left: int | None
    breaker: dict[str, Any]
    evidence: list[dict[str, Any]]


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Bots that can take the same calls; `to_pool` has its calls by hand."""

    name: str
    to_pool: str | None
    off: bool
    degraded: bool
    empty: bool
    sticky: bool
    breaker_enabled: bool
    members: list[PoolMember]


class Hand(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person set above the rules, and that is in force."""

    id: int
    act: str
    words: str
    pool: str | None
    member: str | None
    to_pool: str | None
    endpoint: str | None
    state: str | None
    weight: int | None
    by: str
    reason: str
    since: str | None
    until: str | None


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """Which bots get calls, as it was at `made_at`."""

    made_at: str | None
    pools: list[Pool]
    hands: list[Hand]
    counted_from: str | None = None
    problem: str | None
