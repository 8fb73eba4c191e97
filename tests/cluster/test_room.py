"""Room for the nodes' connections: what a server has, and what is said where that is too little."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

import postgresql as found
from switchhook.cluster.room import EACH, LEADS, Room, lack, needed, read_room
from switchhook.postgresql_server import Connector, connect

PAGE = Path(__file__).parents[2] / "docs/many-nodes.md"


@pytest.mark.parametrize(
    ("room", "nodes", "said", "todo", "is_short"),
    [
        (
            Room(most=25, others=2),
            2,
            "2 nodes hold up to 20 connections, and 28 while the lead changes; there is room for"
            " 20: max_connections is 25, of which 3 are reserved and others hold 2",
            "raise max_connections to 33, or have others hold fewer",
            False,
        ),
        (
            Room(most=25, others=30),
            1,
            "1 node holds up to 14 connections, and 22 while the lead changes; there is room for 0:"
            " max_connections is 25, of which 3 are reserved and others hold 30",
            "raise max_connections to 55, or have others hold fewer",
            True,
        ),
        (
            Room(of_user=10),
            1,
            "1 node holds up to 14 connections, and 22 while the lead changes; there is room for"
            " 10: the limit of their user",
            "ALTER ROLE … CONNECTION LIMIT 22",
            True,
        ),
        (
            Room(of_user=50, of_database=20),
            1,
            "1 node holds up to 14 connections, and 22 while the lead changes; there is room for"
            " 20: the limit of their database",
            "ALTER DATABASE … CONNECTION LIMIT 22",
            False,
        ),
    ],
)
def test_what_is_missing_is_said_with_figures(room, nodes, said, todo, is_short):
    assert lack(room, nodes) == (said, todo, is_short)


@pytest.mark.parametrize("nodes", [1, 3, 12])
def test_what_it_says_to_set_is_enough(nodes):
    for others in (0, 7):
        room = Room(most=needed(nodes) + 3 + others, others=others)
        assert lack(room, nodes) is None
        less = lack(Room(most=room.most - 1, others=others), nodes)
        assert less is not None
        assert f"raise max_connections to {room.most}," in less.todo


@pytest.fixture
def server():
    """One that nobody else uses."""
    with found.own_server() as url:
        if url is None:
            pytest.skip(found.NONE)
        yield url.set(drivername="postgresql")


@pytest.mark.process
def test_others_connections_count_whoever_asks_and_the_nodes_own_do_not(server):
    """A user without rights does not see of what kind those of others are."""
    url = found.text_of(server)
    with ExitStack() as held:

        def opened(url, part):
            return held.enter_context(closing(connect(url, part)))

        beside = opened(url, "command")
        beside.execute("CREATE ROLE weak LOGIN CONNECTION LIMIT 7")
        beside.execute("CREATE DATABASE other")
        opened(found.text_of(server.set(database="other")), "command")
        opened(Connector(url, node="one"), "lease")
        for _ in range(2):
            held.enter_context(closing(psycopg.connect(url)))
        asks = opened(found.text_of(server.set(username="weak")), "doctor")
        (most,) = beside.execute("SELECT current_setting('max_connections')::int").fetchone()
        assert read_room(asks) == Room(most=most, others=3, of_user=7)
        beside.execute("ALTER DATABASE postgres CONNECTION LIMIT 20")
        assert read_room(beside) == Room(most=most, others=3, of_database=20)


def test_the_page_says_how_many_to_plan_for():
    page = PAGE.read_text()
    assert f"{EACH} for each node, and {2 * LEADS} more" in page
    assert f"three need {needed(3)}, two {needed(2)}" in page
