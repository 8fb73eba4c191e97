"""Two releases beside each other, each leading the other, and the way back, under callers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import next_release
from lab.nodes import Node
from lab.patience import until, while_
from lab.world import Story, World

pytestmark = pytest.mark.process

RATE = 500.0
SOME_S = 3.0
"""For so long at least two releases do what they do beside each other."""
BOTH = {next_release.THIS, next_release.NEXT}


@pytest.mark.seconds(600)
def test_nodes_are_upgraded_in_turn_and_gone_back_from(world: World):
    new = next_release.build(world.folder / "next")

    def upgrade() -> None:
        change_all(world, new)

    def go_back() -> None:
        change_all(world, None)

    story = world.play(
        "each node in turn is upgraded to the next release, at 500 a second", upgrade, rate=RATE
    )
    all_are_answered_and_kept(story)
    assert releases(world.nodes[0]) == {next_release.NEXT}
    story = world.play(
        "each node in turn goes back to the release before, at 500 a second", go_back, rate=RATE
    )
    all_are_answered_and_kept(story)
    assert releases(world.nodes[0]) == {next_release.THIS}


def all_are_answered_and_kept(story: Story) -> None:
    assert story.everybody.silent == 0
    assert story.everybody.lost == ()


def change_all(world: World, release: Path | None) -> None:
    """One node after the other, by docs/operations.md, the one that leads last.

    Between the first and the others each release leads the other.
    """
    leader = until(world.leader, "a leader")
    first, *others = (each for each in world.nodes if each is not leader)
    change(world, first, release)
    show_both(world, 1)
    for flag, leads in enumerate((first, leader), 2):
        have_lead(world, leads)
        show_both(world, flag)
    for node in (*others, leader):
        change(world, node, release)


def change(world: World, node: Node, release: Path | None) -> None:
    """Drain it, put another release in its place, and have it take part again."""
    another = next(each for each in world.nodes if each is not node)
    assert another.post("nodes/drain", {"node": node.name}).status == 200
    until(lambda: world.leader() not in {None, node}, f"{node.name} leads no more")
    node.release = release
    node.restart()
    until(lambda: another.api("now"), "pages are there")
    assert another.post("nodes/drain", {"node": node.name, "back": True}).status == 200
    # An upgrade goes on when the balancer has it back.
    handed = world.handed(node)
    until(lambda: world.handed(node) > handed + 50, f"{node.name} is asked again")


def have_lead(world: World, node: Node) -> None:
    assert node.post("nodes/lead", {"node": node.name}).status == 200
    until(lambda: world.leader() is node, f"{node.name} leads")
    until(lambda: node.api("now"), "it shows pages")


def show_both(world: World, flag: float) -> None:
    """Every node names both releases, and has what is set on any."""
    for node in world.nodes:
        until(lambda: releases(node) == BOTH, f"{node.name} shows both releases")  # noqa: B023
    for node in {each.release: each for each in world.nodes}.values():
        said = node.command("cluster", "nodes").split()
        assert set(said) >= BOTH, said
    wish = {"value": flag, "reason": "both are to have it"}
    assert world.nodes[0].post("flags/lab", wish, "PUT").status == 200
    for node in world.nodes:
        until(lambda: flag_of(node) == flag, f"{node.name} has the flag")  # noqa: B023
    while_(SOME_S)


def flag_of(node: Node) -> float | None:
    found = node.api("flags/lab")
    return found and float(found["value"])


def releases(node: Node) -> set[str]:
    """Those that a page of it names."""
    found = node.api("nodes") or {"nodes": []}
    return {each["release"] for each in found["nodes"] if each["state"] != "left"}
