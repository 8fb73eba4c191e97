"""What is known of the accounts and of the bots, as old as it is at the moment of deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.rules.flags import NOTHING_SET, FlagSetting
from switchhook.rules.routing import NOTHING_KNOWN, HandAct, HandSetting, RoutingFacts
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.rules.rollout import Rollout

UNKNOWN = AccountFacts()
HOLDS_NS = 5 * 10**9
"""Whoever looks says every second what is known; older than this it means that nobody looks."""


class CurrentFacts:
    """The facts, as they were when they were last learnt. What people set holds by itself.

    `sent_to_safety` are the endpoints whose callers a person sends to the safe option, by name,
    `flags` what flags are set to, by name.
    """

    __slots__ = ("_at_ns", "_facts", "_lasting", "_routing", "flags", "sent_to_safety")

    def __init__(self) -> None:
        self._facts: Mapping[str, AccountFacts] = {}
        self._routing = self._lasting = NOTHING_KNOWN
        self._at_ns = 0
        self.sent_to_safety: Mapping[str, HandSetting] = {}
        self.flags: Mapping[str, FlagSetting] = NOTHING_SET

    def learn(
        self,
        facts: Mapping[str, AccountFacts],
        now_ns: int,
        routing: RoutingFacts = NOTHING_KNOWN,
    ) -> None:
        """Take over what is known at this moment, all of it."""
        self._facts, self._at_ns, self._routing = facts, now_ns, routing
        self._lasting = routing.lasting()
        self.flags = routing.flags
        self.sent_to_safety = {
            each.endpoint: each for each in routing.hands if each.act is HandAct.SAFE
        }

    def of(self, account: str, now_ns: int) -> AccountFacts:
        """What a decision about an account's caller may rest on; unknown is not zero."""
        known = self._facts.get(account)
        since_ns = now_ns - self._at_ns
        if known is None or since_ns > HOLDS_NS:
            return UNKNOWN
        age_s = None if known.age_s is None else known.age_s + since_ns / 1e9
        return AccountFacts(known.active, known.allowed, known.headroom, age_s)

    def rollout_of(self, subject: str, now_ns: int) -> Rollout | None:
        """The rollout of a subject that is under way; none where nobody has looked or told."""
        return self.routing(now_ns).rollouts.get(subject)

    def routing(self, now_ns: int) -> RoutingFacts:
        """What routing may rest on: where nobody looks, only what holds by itself."""
        return self._routing if now_ns - self._at_ns <= HOLDS_NS else self._lasting
