"""The lab: hosts on one bridge, made once for all its tests."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab import results
from lab.balancer import balancer
from lab.databases import Databases
from lab.exotel import Exotel
from lab.hosts import OUTSIDE, make_bridge
from lab.nodes import ANSWER, Node
from lab.patience import until
from lab.world import World
from nginx import port_of
from webhook import Receiver, receiving

LONGEST_S = 300
"""A test that takes longer says how long: `@pytest.mark.seconds(600)`."""


@pytest.fixture(scope="session")
def folder() -> Path:
    """The disks of all hosts; `scripts/cluster-lab` makes it, and removes it in any case."""
    found = Path(os.environ["SWITCHHOOK_LAB"])
    make_bridge()
    return found


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test takes so long at most, the healing before it with it: the others have their turn."""
    marked = request.node.get_closest_marker("seconds")
    seconds = marked.args[0] if marked else LONGEST_S

    def over(*_: object) -> None:
        pytest.fail(f"it took longer than {seconds} s")

    signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def all_databases(folder: Path) -> Iterator[Databases]:
    made = Databases(folder)
    try:
        made.start()
        yield made
    finally:
        for host in made.hosts:
            host.kill()


@pytest.fixture
def databases(all_databases: Databases) -> Databases:
    """They are whole, whatever the test before has left."""
    all_databases.heal()
    return all_databases


@pytest.fixture(scope="session")
def exotel(folder: Path) -> Iterator[Exotel]:
    made = Exotel()
    yield made
    made.close()


@pytest.fixture(scope="session")
def told(folder: Path) -> Iterator[Receiver]:
    """Whoever is told of alerts."""
    with receiving(host=OUTSIDE) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def entry(folder: Path) -> socket.socket:
    """Where callers reach nginx, which takes it over."""
    return socket.create_server((OUTSIDE, 0))


@pytest.fixture(scope="session")
def all_nodes(
    folder: Path, all_databases: Databases, exotel: Exotel, told: Receiver, entry: socket.socket
) -> Iterator[list[Node]]:
    """Three nodes that answer and hand over."""
    ports = {"entry": port_of(entry), "exotel": exotel.port, "told": told.port}
    made = [Node(f"node{n}", 20 + n, folder, all_databases.url, **ports) for n in (1, 2, 3)]
    try:
        for node in made:
            node.start()
            until(node.answers, f"{node.name} answers")
        token = made[0].command("tokens", "make", "lab", "--scope", "admin").split()[-1]
        for node in made:
            node.token = token
            until(partial(node.api, "now"), f"{node.name} shows pages")
        yield made
    finally:
        for node in made:
            node.host.kill()


@pytest.fixture(scope="session")
def whole_world(
    folder: Path, all_databases: Databases, all_nodes: list[Node], entry: socket.socket
) -> Iterator[World]:
    """All of it, with nginx before it."""
    addresses = [f"{each.host.address}:{ANSWER}" for each in all_nodes]
    port = port_of(entry)
    with balancer(folder / "nginx", addresses, entry):
        yield World(folder, all_databases, all_nodes, port)


@pytest.fixture
def world(whole_world: World, databases: Databases) -> World:
    """It is whole, whatever the test before has left."""
    for node in whole_world.nodes:
        node.heal()
    whole_world.until_whole()
    return whole_world


@pytest.fixture
def nodes(world: World) -> list[Node]:
    return world.nodes


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What passed is what the page shows."""
    print(f"\n{results.table(results.of_this_run())}")
    if exitstatus == 0 and results.of_this_run().faults + results.of_this_run().costs:
        results.write()
