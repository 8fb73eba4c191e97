"""The lab as a whole, and one fault after the other played in it while callers ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from lab.callers import Callers, Order
from lab.databases import Databases
from lab.hosts import OUTSIDE
from lab.judge import Kept, Verdict, calls_in, judge, read_kept
from lab.nodes import DEADLINE_MS, PATHS, Node
from lab.patience import until
from lab.results import Played, note

BEFORE = 200
"""So many records are in the database before a fault begins, and come after it."""


class Story(msgspec.Struct, frozen=True):
    """What came of a fault: all callers, those whose receipts are to be kept twice, and marks."""

    everybody: Verdict
    two_copies: Verdict
    kept: Kept


class World:
    """Three database hosts, three nodes, and the port of nginx before them."""

    def __init__(self, folder: Path, databases: Databases, nodes: list[Node], port: int) -> None:
        self.folder, self.databases, self.nodes, self.port = folder, databases, nodes, port
        self._stories = 0

    def until_whole(self) -> None:
        """Wait until every node is there, answers and has handed all over, and one leads."""
        for node in self.nodes:
            until(node.answers, f"{node.name} answers")
        until(self.leader, "a leader")
        for node in self.nodes:
            until(lambda: node.api("now"), f"{node.name} shows pages")  # noqa: B023
        self.until_handed()

    def play(self, fault: str, act: Callable[[], Any], *, rate: float = 60.0) -> Story:
        """Do something while callers ask, and tell what came of it, also to the results."""
        self._stories += 1
        name = f"f{self._stories}"
        before = self.handed_by_node()
        order = Order(OUTSIDE, self.port, list(PATHS.values()), rate, name, self._stories)
        with Callers(order, self.folder / f"callers-{name}") as callers:
            self.until_more(before, f"calls before: {fault}")
            act()
            self.until_more(self.handed_by_node(), f"calls after: {fault}")
        self.until_handed()
        kept = self._read(lambda connection: read_kept(connection, before))
        calls = kept.calls | self._on_disks(before)
        twice = [each for each in callers.answers if each.path == PATHS["sales"]]
        story = Story(
            judge(callers.answers, calls, DEADLINE_MS), judge(twice, calls, DEADLINE_MS), kept
        )
        note(Played.of(fault, story.everybody, story.two_copies, kept.marked))
        return story

    def _on_disks(self, after: Mapping[int, int]) -> set[str]:
        """The calls that only the disk of a node has whose number another one uses, too."""
        alone = [each for each in self.nodes if each.host.runs and each.conflicts]
        return {
            call
            for node in alone
            for body in node.bodies(after[node.number])
            for call in calls_in(body)
        }

    def until_more(self, before: Mapping[int, int], what: str) -> None:
        """Wait until the database has some records more."""
        wanted = sum(before.values()) + BEFORE
        until(lambda: sum(self.handed_by_node().values()) > wanted, what)

    def until_handed(self) -> None:
        """Wait until the database has all that the nodes have that run, if it may ever have it."""
        for node in self.nodes:
            if node.host.runs:
                until(lambda: node.handed_all(self.handed(node)), f"{node.name} has handed all")  # noqa: B023

    def leader(self) -> Node | None:
        """Who leads by the lease."""
        found = self.rows(
            "SELECT name FROM cluster_lease JOIN cluster_node USING (node)"
            " WHERE expires_at > clock_timestamp()"
        )
        names = {each.name: each for each in self.nodes}
        return names[found[0][0]] if found else None

    def another_leads(self, before: Node) -> Node:
        """Wait until somebody else does."""
        return until(lambda: {self.leader()} - {None, before}, "another leader").pop()

    def epoch(self) -> int:
        return int(self.rows("SELECT max(epoch) FROM cluster_lease")[0][0])

    def handed(self, node: Node) -> int:
        """Up to which number of its journal the database has it."""
        return self.handed_by_node().get(node.number, 0)

    def handed_by_node(self) -> dict[int, int]:
        """The same of all that ever were, by their numbers."""
        return dict(self.rows("SELECT node, seq FROM cluster_handed"))

    def replace(self, node: Node, gone: int) -> None:
        """Have a new node in the place of one that vanished, which had the number `gone`."""
        node.host.mend()
        node.start()
        until(node.answers, f"a new {node.name}")
        self.take_out(gone, next(each for each in self.nodes if each is not node))

    def take_out(self, gone: int, other: Node) -> None:
        """Have another node say that the node of a number is gone for good."""
        asked = "SELECT FROM cluster_node WHERE seen_at < clock_timestamp() - interval '15 s'"
        until(lambda: self.rows(f"{asked} AND node = {gone}"), "the old one is away")
        other.command("cluster", "leave", str(gone), "--anyway")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says; waits while it is away."""
        found: list[tuple[Any, ...]] = self._read(lambda each: each.execute(query).fetchall())
        return found

    def _read(self, read: Callable[[Any], Any]) -> Any:
        def try_it() -> list[Any] | None:
            with suppress(psycopg.Error), closing(self.databases.admin("switchhook")) as found:
                return [read(found)]
            return None

        return until(try_it, "the database")[0]


def all_is_well(story: Story) -> None:
    """Every caller was answered in time, and each answered receipt is there."""
    assert story.everybody.silent == 0
    assert story.everybody.lost == ()
    assert story.everybody.late == 0
