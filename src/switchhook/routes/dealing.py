"""Room for streams, dealt out among nodes that hear of each other late only. Pure.

    dealer = Dealer()
    dealer.took(7, seq)                             # node 7 let somebody in, as its journal tells
    dealer.deal(12, {7: None, 9: has_ms}, now_ms)   # {7: 6, 9: 6}: what each may let in by itself

What a node was told once it may use until it is known to go by something newer, or the telling has
run out; so long that part of the room is its own, whatever it is told meanwhile. All parts together
are never more than the room: no caller is let in whom the account has no stream for, while what
nodes let in is known within LIVES_MS of the telling that they went by. What one node can't use goes
to another with the next turn. See facts.md 5.4 and docs/before-the-stream.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.capacity.facts_document import BUDGETS_LIVE_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

LIVES_MS = BUDGETS_LIVE_MS + 1_000
"""For how long a telling may still be gone by: a node looks now and then, by a clock of its own."""
TURN_MS = 1_500
"""How long the nodes that have one more than others have it."""
OURSELVES = -1
"""Stands for a node where the leader itself takes places: for callbacks."""


class _Dealt(msgspec.Struct):
    """What a node was told at `at_ms`, and how many it has let in since, as far as is known.

    What its journal has up to `through_seq` was reckoned in.
    """

    room: int
    at_ms: int
    through_seq: int = 0
    used: int = 0

    @property
    def left(self) -> int:
        return max(0, self.room - self.used)


class Dealer:
    """The room of one account, or of one member of a pool. Times in ms of a steady clock."""

    def __init__(self) -> None:
        self._dealt: dict[int, list[_Dealt]] = {}

    def found(self, node: int, room: int, at_ms: int, through_seq: int) -> None:
        """A node goes by what another told it before us."""
        self._dealt.setdefault(node, []).append(_Dealt(room, at_ms, through_seq))

    def took(self, node: int, seq: int) -> None:
        """A node let somebody in, by its own record of that number."""
        for each in self._dealt.get(node, ()):
            each.used += seq > each.through_seq

    def left(self, node: int, now_ms: int) -> int:
        """What is left of what a node was told last."""
        dealt = self._dealt.get(node)
        return dealt[-1].left if dealt and now_ms - dealt[-1].at_ms <= LIVES_MS else 0

    def deal(
        self,
        room: int,
        nodes: Mapping[int, int | None],
        now_ms: int,
        most: Mapping[int, int] | None = None,
    ) -> dict[int, int]:
        """What each node may let in from now on.

        `nodes` are those that are there, and since when each goes by what it was told then, None
        where that is not known; `most` is what one can use at most.
        """
        self._forget(nodes, now_ms)
        held = {node: max(e.left for e in dealt) for node, dealt in self._dealt.items()}
        away = sum(left for node, left in held.items() if node not in nodes)
        turns = in_turn(nodes, now_ms)
        rooms = _shares(max(0, room - away), turns, held, most or {})
        for node, each in rooms.items():
            self._dealt.setdefault(node, []).append(_Dealt(each, now_ms))
        return rooms

    def _forget(self, nodes: Mapping[int, int | None], now_ms: int) -> None:
        """Forget what nobody goes by any more."""
        for node, dealt in list(self._dealt.items()):
            has_ms = nodes.get(node)
            newest = max(
                (e.at_ms for e in dealt if has_ms is not None and e.at_ms <= has_ms), default=0
            )
            dealt[:] = [e for e in dealt if e.at_ms >= newest and now_ms - e.at_ms <= LIVES_MS]
            if not dealt:
                del self._dealt[node]


def reserved(reserve: int, rooms: Mapping[int, int]) -> dict[int, int]:
    """What each node keeps free of its room, so that all together keep the reserve.

    Where the reserve is more than all of the room, none of it is left.
    """
    left, found = reserve, dict[int, int]()
    order = sorted(rooms, key=lambda node: rooms[node])
    for at, node in enumerate(order):
        found[node] = min(rooms[node], left // (len(order) - at))
        left -= found[node]
    return {node: each + left for node, each in found.items()}


def in_turn(nodes: Collection[int], now_ms: int) -> list[int]:
    """The nodes, first those who have one more than others in this turn."""
    order = sorted(nodes)
    first = now_ms // TURN_MS % len(order) if order else 0
    return order[first:] + order[:first]


def split(count: int, nodes: Sequence[int]) -> dict[int, int]:
    """As evenly as it goes; the first have one more."""
    each, more = divmod(count, len(nodes)) if nodes else (0, 0)
    return {node: each + (at < more) for at, node in enumerate(nodes)}


def _shares(
    free: int, nodes: Sequence[int], held: Mapping[int, int], most: Mapping[int, int]
) -> dict[int, int]:
    """What each is told: the same for all, less where another still holds more than that."""
    bounds = {node: most[node] for node in nodes if node in most}
    even, fixed = split(free, nodes), dict[int, int]()
    while True:
        rest = [node for node in nodes if node not in fixed]
        left = max(0, free - sum(max(told, held.get(n, 0)) for n, told in fixed.items()))
        shares = split(left, rest)
        now_fixed = {
            node: min(bounds.get(node, each), held.get(node, 0), even[node])
            for node, each in shares.items()
            if held.get(node, 0) > each
        } or {node: bounds[node] for node, each in shares.items() if bounds.get(node, each) < each}
        if not now_fixed:
            return {node: fixed.get(node, shares.get(node, 0)) for node in nodes}
        fixed |= now_fixed
