"""Faults, with callers all along: each is answered, and no answered receipt is lost."""

from __future__ import annotations

import shutil
import signal
import time
from functools import partial

import pytest

from faketime import FakeTime
from lab.databases import PORT, Databases
from lab.exotel import PEOPLE, WAY, Exotel, number
from lab.nodes import Node
from lab.patience import until, while_
from lab.told import refused, untold
from lab.world import World, all_is_well
from webhook import Receiver

pytestmark = pytest.mark.process

ONE_COPY = "receipts are kept once, not twice"
"""What a node says of itself while answers leave so."""


def test_nothing_happens(world: World):
    all_is_well(world.play("nothing", lambda: None))


def test_the_primary_is_killed(world: World):
    killed = world.databases.primary()

    def kill() -> None:
        world.databases.kill_postgresql(killed)
        until(lambda: world.databases.primary() not in {None, killed}, "another primary")

    all_is_well(world.play("the database's primary is killed", kill))


def test_the_primarys_link_goes_down(world: World):
    cut = world.databases.primary()

    def act() -> None:
        cut.cut()
        until(lambda: world.databases.primary() not in {None, cut}, "another primary")

    all_is_well(world.play("its link is down", act))


def test_one_standby_is_cut_off(world: World):
    standby = world.databases.standbys()[0]

    def act() -> None:
        standby.cut()
        while_(12)

    all_is_well(world.play("one standby is cut off", act))


def test_both_standbys_are_cut_off(world: World):
    standbys = world.databases.standbys()

    def act() -> None:
        for each in standbys:
            each.cut()
        while_(10)
        for each in standbys:
            each.mend()

    story = world.play("both standbys are cut off for 10 s", act)
    all_is_well(story)
    assert story.kept.marked > 0


def test_the_leading_node_is_killed(world: World, told: Receiver):
    """While it tells of another's file, and nobody answers it."""
    leader = until(world.leader, "a leader")
    broken = untold(told, [each for each in world.nodes if each is not leader])
    epoch = world.epoch()

    def act() -> None:
        with refused(told, broken) as telling:
            leader.host.kill()
            world.another_leads(leader)
            telling.until_came(2)
        leader.start()  # what it had not handed over by then is on its disk

    all_is_well(world.play("the leading node's programs are killed", act))
    assert world.epoch() == epoch + 1


def freeze_and_wake(world: World) -> Node:
    """The leading console stands still until another leads, then goes on; gives whose it was."""
    leader = until(world.leader, "a leader")
    (supervisor,) = leader.host.processes
    supervisor.send_signal(signal.SIGSTOP)  # it would replace a console that hangs
    leader.signal(signal.SIGSTOP, "console")
    until(lambda: world.leader() not in {None, leader}, "another leader")
    leader.signal(signal.SIGCONT, "console")
    supervisor.send_signal(signal.SIGCONT)
    until(partial(leader.api, "now"), "the one of before shows pages")
    return leader


def test_the_leader_freezes_and_wakes(world: World, told: Receiver):
    """While it tells of another's file, and nobody answers it."""
    leader = until(world.leader, "a leader")
    broken = untold(told, [each for each in world.nodes if each is not leader])
    epoch, leaders = world.epoch(), []

    def act() -> None:
        with refused(told, broken) as telling:
            leaders.append(freeze_and_wake(world))
            telling.until_came(2)

    story = world.play("the leader freezes, and wakes when another leads", act)
    all_is_well(story)
    assert world.epoch() == epoch + 1
    assert world.leader() is not leaders[0]


@pytest.mark.seconds(900)
def test_no_promise_is_kept_twice(world: World, exotel: Exotel):
    """Who calls people back is frozen, woken and killed meanwhile."""
    asked = world.nodes[0]
    for at in range(PEOPLE):
        said = {"account": "main", "number": number(at), "reason": "a trial"}
        assert asked.post("promises", said).status == 201
    said = {"account": "main", "reason": "a trial"}
    assert asked.post("promises/allow-dialling", said).status == 200
    until(lambda: exotel.seen.doubles.placed > 2, "people are called")

    def act() -> None:
        for _ in range(2):
            freeze_and_wake(world)
        leader = until(world.leader, "a leader")
        leader.host.kill()
        until(lambda: world.leader() not in {None, leader}, "another leader")
        leader.start()
        until(leader.answers, f"{leader.name} answers again")

    def over() -> bool:
        found = asked.api("promises/summary")  # of those that are not over
        return found is not None and not any(found["states"].values())

    story = world.play("the leader freezes twice and dies while people are called", act)
    until(over, "every promise ended", 600.0)
    assert not exotel.seen.doubles.any, exotel.seen.doubles.text()
    all_is_well(story)


def test_a_node_and_its_disk_vanish(world: World):
    gone = next(each for each in world.nodes if each is not world.leader())

    numbers = []

    def act() -> None:
        numbers.append(gone.vanish())
        while_(5)

    story = world.play("a node and its disk vanish", act)
    world.replace(gone, *numbers)
    assert story.everybody.silent == 0  # nginx asks the next one
    assert story.two_copies.lost == ()


def test_a_clock_in_1970(world: World):
    node = world.nodes[2]

    def act() -> None:
        set_clock(node, -time.time() + 5_000_000)
        until_named(world, "The clock of node node3 is", "days behind the database's")
        until_alert(world, "node-clock")

    all_is_well(world.play("a node's clock says 1970", act))
    assert world.rows("SELECT count(*) FROM cluster_receipt_undated")[0][0] > 0
    assert world.nodes[0].api("nodes")["cluster"]["undated"] > 0


def test_a_clock_a_day_ahead(world: World):
    node = world.nodes[2]

    def act() -> None:
        set_clock(node, 86_400)
        until_named(world, "The clock of node node3 is 24 h ahead of the database's")
        until_alert(world, "node-clock")

    all_is_well(world.play("a node's clock is a day ahead", act))


def set_clock(node: Node, seconds: float) -> None:
    """Start a node anew whose clock is off by so many seconds."""
    fake = FakeTime(node.host.folder)
    fake.step(int(seconds))
    node.environ = fake.environ
    node.restart()


def until_named(world: World, *words: str) -> None:
    """Wait until `cluster status`, which says what /nodes says, has all of this in one line."""

    def named() -> bool:
        said = world.nodes[0].command("cluster", "status", codes=(0, 1)).splitlines()
        return any(all(each in line for each in words) for line in said)

    until(named, f"it is said: {' … '.join(words)}")


def until_alert(world: World, rule: str) -> None:
    """Wait until an alert fires."""

    def fires() -> bool:
        found = world.nodes[0].api("alerts")
        return found is not None and rule in str(found["alerts"])

    until(fires, f"the alert {rule} fires")


def test_a_database_that_is_slow(world: World):
    node = world.nodes[1]

    def act() -> None:
        set_delay(world.databases, node, 0.3)
        said = f"{ONE_COPY}: the database takes longer than callers can wait"
        until(lambda: said in node.problems(), f"{node.name} names it")

    story = world.play("a node's way to the database is slow by 300 ms", act)
    all_is_well(story)
    assert story.kept.marked > 0


def set_delay(databases: Databases, node: Node, seconds: float) -> None:
    """Start a node anew whose way to the database takes so many seconds longer."""
    ways = [(WAY + n, each.address, PORT, seconds) for n, each in enumerate(databases.hosts, 1)]
    node.ways += ways
    here = ",".join(f"127.0.0.1:{port}" for port, *_ in ways)
    node.configure(f"{databases.url.partition('@')[0]}@{here}/switchhook")
    node.restart()


def test_a_full_database(world: World):
    databases = world.databases

    def act() -> None:
        databases.fill()
        for node in world.nodes:
            until(lambda: ONE_COPY in node.problems(), f"{node.name} names it")  # noqa: B023
        databases.empty()

    story = world.play("the database's disks are full", act)
    all_is_well(story)
    assert story.kept.marked > 0


@pytest.fixture
def twin(world: World):
    made = Node("twin", 31, world.folder, world.databases.url)
    yield made
    made.host.kill()


def test_a_node_that_was_cloned(world: World, twin: Node):
    """One of the two has to go for good, and so both do."""
    node = world.nodes[2]

    def act() -> None:
        node.stop()
        shutil.copytree(node.data, twin.data, symlinks=True)
        for each in (node, twin):
            each.start()
            until(each.answers, f"{each.name} answers")
        until_named(world, "Two machines run as node node3")
        until_alert(world, "node-cloned")

    story = world.play("a node is cloned", act)
    twin.host.kill()
    world.replace(node, node.vanish())
    all_is_well(story)  # what one of them may not hand over is on its disk
