"""The database as it was before, put in the place of what came since, with callers all along."""

from __future__ import annotations

import pytest

from lab.callers import Callers, Order
from lab.judge import calls_in
from lab.nodes import ANSWER, PATHS, Node
from lab.patience import until, while_
from lab.world import World, all_is_well

pytestmark = pytest.mark.process

SMALL = """
[journal]
segment_mb = 1
"""
"""So that a segment is soon full."""


def test_a_dump_is_restored(world: World):
    databases = world.databases
    file = world.folder / "dump"

    def act() -> None:
        databases.dump(file)
        while_(5)
        databases.restore(file)

    all_is_well(world.play("the database is restored from a dump of some seconds before", act))


def test_it_is_recovered_to_a_moment_before(world: World, forgetful: Node):
    """By a base backup and the archived log. What can't be had again is named, and no more."""
    world.databases.back_up()
    ((moment, had),) = world.rows(
        f"SELECT clock_timestamp()::text, seq FROM cluster_handed WHERE node = {forgetful.number}"
    )
    order = Order(forgetful.host.address, ANSWER, [PATHS["plain"]], 100.0, "gone")
    with Callers(order, world.folder / "callers-gone"):
        until(lambda: forgetful.oldest() > had + 1, f"{forgetful.name} deletes a segment")
    oldest = forgetful.oldest()
    assert calls_between(world, forgetful, had, oldest)
    forgetful.configure(world.databases.url, SMALL)
    forgetful.restart()
    world.until_whole()

    def act() -> None:
        world.databases.recover(moment)

    story = world.play("the database is recovered to a moment before by its archived log", act)
    all_is_well(story)
    assert not calls_between(world, forgetful, had, oldest)
    said = f"records {had + 1:,} to {oldest - 1:,} are missing: neither the database"
    damaged = "SELECT damage FROM cluster_receipt_undated WHERE damage <> ''"
    assert [said in each for (each,) in world.rows(damaged)] == [True]
    until(lambda: said in str(health_of_the_lead(world)), "the console names them")


def health_of_the_lead(world: World) -> list[str]:
    leader = world.leader()
    return leader.health() if leader else []


@pytest.fixture
def forgetful(world: World):
    """A node whose closed segments go as soon as the database has them."""
    node = world.nodes[2]
    at_once = "recovery_window_h = 0\n"
    node.configure(world.databases.url, SMALL, cluster=at_once)
    node.restart()
    return node


def calls_between(world: World, node: Node, after: int, before: int) -> set[str]:
    """The calls that the database has of a node's records between two."""
    rows = world.rows(
        "SELECT body FROM cluster_receipt"
        f" WHERE node = {node.number} AND seq > {after} AND seq < {before}"
    )
    return {call for (body,) in rows for call in calls_in(bytes(body))}
