"""What is known of the accounts, as old as it is at the moment of deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = AccountFacts()
HOLDS_NS = 5 * 10**9
"""Whoever looks says every second what is known; older than this it means that nobody looks."""


class CurrentFacts:
    """The facts by account, as they were when they were last learnt."""

    __slots__ = ("_at_ns", "_facts")

    def __init__(self) -> None:
        self._facts: Mapping[str, AccountFacts] = {}
        self._at_ns = 0

    def learn(self, facts: Mapping[str, AccountFacts], now_ns: int) -> None:
        """Take over what is known at this moment, all of it."""
        self._facts, self._at_ns = facts, now_ns

    def of(self, account: str, now_ns: int) -> AccountFacts:
        """What a decision about an account's caller may rest on; unknown is not zero."""
        known = self._facts.get(account)
        since_ns = now_ns - self._at_ns
        if known is None or since_ns > HOLDS_NS:
            return UNKNOWN
        age_s = None if known.age_s is None else known.age_s + since_ns / 1e9
        return AccountFacts(known.active, known.allowed, known.headroom, age_s)
