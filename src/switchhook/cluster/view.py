"""The cluster as it is shown: who leads, how each node is, what waits. Pure.

Ages are by the database's clock, as nodes' own may be off; `read_ms` is when it was read, by the
reader's clock.
"""

from __future__ import annotations

import math
from difflib import get_close_matches
from enum import StrEnum
from shlex import quote
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import NodeError
from switchhook.exotel.phone_numbers import counted
from switchhook.system.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

AWAY_S = 10.0
"""A node that was not heard of for so long is away: it writes its row each second."""
UNKNOWN_DAYS = -1


class NodeState(StrEnum):
    """What a person wants of a node."""

    ACTIVE = "active"
    DRAINING = "draining"
    LEFT = "left"


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One node, by its last row; `seen_ago_s` says how old that is.

    `last_seq` is its journal's newest number, `handed_seq` that of the newest record in the
    database, where `handed_ago_s` is when that moved last. `waiting_bytes` are in `segments` closed
    segments. `one_copy` counts answers that left with one copy. `clock_ms` is how far its clock is
    ahead. `runs` are the hashes of what it runs by, `machine` how its own machine was. `left_ms` is
    when it left, `left_ago_s` ago; `kept` is whether the database still has any of its receipts.
    """

    node: int
    name: str
    address: str = ""
    release: str = ""
    state: NodeState = NodeState.ACTIVE
    joined_ms: int = 0
    left_ms: int | None = None
    left_ago_s: float = 0.0
    kept: bool = True
    seen_ago_s: float = 0.0
    clock_ms: int = 0
    last_seq: int = 0
    handed_seq: int = 0
    handed_ago_s: float | None = None
    segments: int = 0
    waiting_bytes: int = 0
    one_copy: int = 0
    told_version: int = 0
    runs: bytes = b""
    problems: tuple[str, ...] = ()
    machine: Machine = Machine()

    @property
    def away(self) -> bool:
        return self.seen_ago_s >= AWAY_S

    @property
    def gone(self) -> bool:
        """Whether it left and does not run: nobody waits for it, and nothing of it counts."""
        return self.state is NodeState.LEFT and self.away

    @property
    def left_and_runs(self) -> bool:
        """Whether it left, and runs all the same."""
        return self.state is NodeState.LEFT and not self.away

    @property
    def takes_part(self) -> bool:
        """Whether it is there and nobody wants it to go."""
        return not self.away and self.state is NodeState.ACTIVE

    @property
    def behind(self) -> int:
        """How many records are not handed over, by what it said last."""
        return max(self.last_seq - self.handed_seq, 0)

    @property
    def behind_s(self) -> float:
        """For how long the oldest of them has waited at most."""
        if not self.behind:
            return 0.0
        return self.seen_ago_s if self.handed_ago_s is None else self.handed_ago_s

    @property
    def clock_off_s(self) -> float:
        return abs(self.clock_ms) / 1000


class Lead(msgspec.Struct, frozen=True):
    """Who led since when, by the database's clock in Unix ms."""

    epoch: int
    node: int
    since_ms: int


class Leader(msgspec.Struct, frozen=True):
    """Who leads: `left_s` until the lease ends unless it is renewed; `wanted` by a person."""

    epoch: int
    node: int
    since_ms: int
    left_s: float
    wanted: int | None = None


class Conflict(msgspec.Struct, frozen=True):
    """A node whose records came again with another content: how many, and the last, ago in s."""

    node: int
    count: int
    ago_s: float


class ErasedAgain(msgspec.Struct, frozen=True):
    """Erasures that the database was restored to before: of a day, and older ones not done again.

    `done` of them are done again.
    """

    count: int = 0
    done: int = 0

    @property
    def lacks(self) -> bool:
        """Whether something is left to do."""
        return self.done < self.count


class ClusterView(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `problem` is why it could not be read anew since `read_ms`; empty where it could.

    `led` are the leads of an hour, the newest first. `days_ahead` is for how many days after today
    there is a partition, UNKNOWN_DAYS where there is none; `undated` counts receipts of a clock
    that is far off. `erasing` are the nodes that have something to erase. `commits_waiting`
    sessions wait for a standby, the longest `longest_wait_s`.
    `reached_s` is for how long the database has been there for us without a break: for as long it
    can be a node's own fault that it is not heard of.
    """

    id: str = ""
    read_ms: int = 0
    problem: str = ""
    since_problem_ms: int | None = None
    leader: Leader | None = None
    led: tuple[Lead, ...] = ()
    nodes: tuple[NodeView, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    told_version: int = 0
    days_ahead: int = UNKNOWN_DAYS
    undated: int = 0
    erasing: frozenset[int] = frozenset()
    commits_waiting: int = 0
    longest_wait_s: float = 0.0
    erased_again: ErasedAgain = ErasedAgain()
    reached_s: float = math.inf

    @property
    def leads(self) -> NodeView | None:
        """The node that leads; None where nobody does."""
        if self.leader is None or self.leader.left_s <= 0:
            return None
        return self.of(self.leader.node)

    @property
    def away(self) -> dict[int, float]:
        """The nodes that are missed, with for how many seconds they were not heard of."""
        return {each.node: each.seen_ago_s for each in self.here if each.away}

    @property
    def here(self) -> tuple[NodeView, ...]:
        """The nodes that count: all but those that left and don't run any more."""
        return tuple(each for each in self.nodes if not each.gone)

    @property
    def gone(self) -> tuple[NodeView, ...]:
        """Those that left and don't run any more."""
        return tuple(each for each in self.nodes if each.gone)

    def of(self, node: int) -> NodeView | None:
        return next((each for each in self.nodes if each.node == node), None)

    def label(self, node: int) -> str:
        """What people call a node; with its number where another has its name, or nobody knows it.

        The name is not that of one that left where another has taken it since.
        """
        found = self.of(node)
        if found is None:
            return node_text(node)
        named = [each for each in self.nodes if each.name == found.name]
        there = [each for each in named if each.state is not NodeState.LEFT]
        alone = (there or named) == [found]
        return found.name if alone else f"{found.name} ({node_text(node)})"

    def typed(self, node: int) -> str:
        """What names a node in a command, as it is typed into a shell."""
        found = self.of(node)
        name = node_text(node) if found is None or self.label(node) != found.name else found.name
        return quote(name)


def node_text(number: int) -> str:
    """A node's number in a sentence: `node 4,026,531,840`, which is taken for no telephone's."""
    return f"node {counted(number)}"


def node_named(nodes: Sequence[NodeView], said: str) -> NodeView:
    """The node of a name or number. Raises NodeError, which names those that are near.

    A number may be as we write it in sentences: `node 4,026,531,840`. A name is that of who is
    there, whoever had it and left.
    """
    number = said.removeprefix("node ").replace(",", "")
    found = [each for each in nodes if each.name == said or str(each.node) == number]
    found = [each for each in found if each.state is not NodeState.LEFT] or found
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(node_text(each.node) for each in found)
        problem = f"{len(found)} nodes are called {said}"
        raise NodeError(problem, f"say which by its number: {numbers}")
    names = [each.name for each in nodes]
    near = get_close_matches(said, names, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"
    raise NodeError(f"there is no node {said}", hint)
