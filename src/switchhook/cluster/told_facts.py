"""The leader's facts writer: what a facts file would hold, told to all nodes by the database.

    facts = ToldFacts(url, Fence(epoch))
    facts.tell_hands(hands, now_ms)         # and the rest of capacity.facts_file.FactsFile
    facts.nodes()                           # {7: GoesBy(…), 9: None}: who is there
    facts.close()

A database that is slow holds up whoever sets something by hand, for two seconds at most, and nobody
else: a thread of its own writes (`told_writer`).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from switchhook.capacity.facts_document import AccountFigures, Moment, Node
from switchhook.cluster import told
from switchhook.cluster.told_writer import ToldWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from switchhook.capacity.facts_document import GoesBy
    from switchhook.capacity.readings import Reading
    from switchhook.postgresql_server import Fence, Url
    from switchhook.rules.flags import FlagSetting
    from switchhook.rules.rollout import Rollout
    from switchhook.rules.routing import AdmissionBudget, HandSetting, MemberFacts


class ToldFacts:
    """See above. Any thread; the methods raise OSError."""

    def __init__(
        self,
        url: Url,
        fence: Fence,
        *,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._mono_ms = mono_ms
        self._node = fence.node or 0
        self._writer = ToldWriter(url, fence, mono_ms=mono_ms)

    @property
    def problem(self) -> str:
        """Why nothing could be told of late; empty where it could."""
        why = self._writer.problem
        return f"the nodes can't be told what holds: {why}" if why else ""

    def nodes(self) -> dict[int, tuple[GoesBy, ...]]:
        """The nodes that are there, and what each is known to go by, or to have gone by before."""
        return self._writer.nodes()

    def before(self) -> dict[int, Node]:
        """What each node was told before us, its moments by our clocks; empty where unknown."""
        return self._writer.before()

    def close(self) -> None:
        """End it; it waits."""
        self._writer.close()

    def show(self, name: str, body: bytes) -> None:
        """Have commands on other nodes show what our console says."""
        told_ms = Moment(time.time_ns() // 1_000_000, self._mono_ms())
        shown = told.Shown(self._node, body, told_ms)
        with suppress(OSError):  # it grows old there, and is said to be
            self._writer.put(told.topic_of_shown(name), lambda _before: (shown, False))

    # What is told.

    def tell(self, readings: Iterable[Reading], now_ms: int, mono_ms: int) -> None:
        """Say what was read last of each account."""
        figures = {
            each.account: AccountFigures(
                each.at_ms, each.active, each.allowed, mono_ms - (now_ms - each.at_ms)
            )
            for each in readings
            if each.active is not None
        }
        self.write(figures, now_ms)

    def write(self, accounts: Mapping[str, AccountFigures], now_ms: int) -> None:
        """Say the figures of all accounts."""
        mono_ms = self._mono_ms()
        dated = {
            name: each
            if each.mono_ms is not None
            else msgspec.structs.replace(each, mono_ms=mono_ms - (now_ms - each.at_ms))
            for name, each in accounts.items()
        }

        def change(before: told.Content | None) -> tuple[told.Content, bool] | None:
            if isinstance(before, told.Figures) and _gist(before.accounts) == _gist(dated):
                return None
            return told.Figures(dated), False

        self._writer.put(told.ACCOUNTS, change)

    def tell_hands(self, hands: Iterable[HandSetting], now_ms: int) -> None:
        """Say all that people set and that is in force."""
        del now_ms
        self._tell_act(told.HANDS, told.encode(tuple(hands)))

    def tell_flags(self, settings: Iterable[FlagSetting], now_ms: int) -> None:
        """Say what all flags are set to that are not as they are declared."""
        del now_ms
        self._tell_act(told.FLAGS, told.encode(tuple(settings)))

    def tell_rollouts(self, rollouts: Iterable[Rollout], as_of_ms: int, as_of_mono_ms: int) -> None:
        """Say which candidates decide for which share of the callers."""
        new = told.Shares(tuple(rollouts), Moment(as_of_ms, as_of_mono_ms))

        def change(before: told.Content | None) -> tuple[told.Content, bool]:
            same = isinstance(before, told.Shares) and before.rollouts == new.rollouts
            return new, not same

        self._writer.put(told.ROLLOUTS, change)

    def tell_members(
        self,
        node: int,
        members: Mapping[str, Mapping[str, MemberFacts]],
        now_ms: int,
        mono_ms: int,
    ) -> None:
        """Say to an answer process how the members of all pools are, by pool and name."""
        each = {pool: dict(by_name) for pool, by_name in members.items()}
        self._tell_node(node, members=each, members_told=Moment(now_ms, mono_ms))

    def tell_budgets(
        self, node: int, budgets: Mapping[str, AdmissionBudget], now_ms: int, mono_ms: int
    ) -> None:
        """Say to an answer process what it may admit, by account."""
        self._tell_node(node, budgets=dict(budgets), budgets_told=Moment(now_ms, mono_ms))

    def _tell_node(self, node: int, **changed: object) -> None:
        def change(before: told.Content | None) -> tuple[told.Content, bool]:
            known = before if isinstance(before, Node) else Node()
            return msgspec.structs.replace(known, **changed), False

        self._writer.put(told.topic_of_node(node), change)

    def _tell_act(self, topic: str, body: bytes) -> None:
        self._writer.put(topic, lambda before: None if before == body else (body, True))


def _gist(accounts: Mapping[str, AccountFigures]) -> object:
    """What of the figures makes them others: not how the clocks were read."""
    return {name: (each.at_ms, each.active, each.allowed) for name, each in accounts.items()}
