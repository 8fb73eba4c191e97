"""A node that left: how it stands, what it says of itself, and when its row goes."""

from __future__ import annotations

import pytest

from handed_over import FENCE, now_ms, record
from switchhook.cluster.leaving import (
    Standing,
    forget_left,
    moment_text,
    runs_on_text,
    standing_at,
    standing_of,
    twin_text,
    unknown_text,
)
from switchhook.cluster.membership import Membership
from switchhook.errors import NotLeaderError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.postgresql_server import Fence
from switchhook.system.logs import safe

LONG_AGO = "clock_timestamp() - interval '2 days'"


def leave(shared, node, at=LONG_AGO):
    shared.connection.execute(
        f"UPDATE cluster_node SET state = 'left', left_at = {at}, seen_at = {at}, member = 'm'"
        f" WHERE node = {node}".encode()
    )


def nodes(shared):
    return [row[0] for row in shared.connection.execute("SELECT node FROM cluster_node ORDER BY 1")]


@pytest.fixture
def three(shared):
    """Nodes 1 to 3; of 2 and 3 there are receipts, and both left two days ago."""
    for node in (1, 2, 3):
        shared.node(node, f"n{node}")
        shared.hand_over(node, [record(1, now_ms())])
    shared.place()
    leave(shared, 2)
    leave(shared, 3)
    return shared


def test_one_goes_when_nothing_of_it_is_kept(three):
    assert forget_left(three.connection, FENCE) == []
    three.connection.execute("DELETE FROM cluster_place WHERE node = 2")  # as retention does it
    three.connection.execute("INSERT INTO cluster_segment VALUES (2, 's', 1), (3, 's', 1)")
    assert forget_left(three.connection, FENCE) == ["n2"]
    assert nodes(three) == [1, 3]
    rows = three.connection.execute("SELECT node FROM cluster_segment").fetchall()
    assert rows == [(3,)]
    # A folder that comes back goes on where it was, and hands over nothing twice.
    rows = three.connection.execute("SELECT seq FROM cluster_handed WHERE node = 2").fetchall()
    assert rows == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE cluster_node SET state = 'active', left_at = NULL WHERE node = 2",
        "UPDATE cluster_node SET left_at = clock_timestamp() WHERE node = 2",
        "UPDATE cluster_node SET seen_at = clock_timestamp() WHERE node = 2",
        "UPDATE cluster_handed SET seq = 2 WHERE node = 2",
        "INSERT INTO cluster_erasure (erasure, node, wish) VALUES ('e', 2, 'a number')",
    ],
)
def test_one_stays_while_it_runs_or_anything_waits_for_it(three, change):
    three.connection.execute("DELETE FROM cluster_place WHERE node = 2")
    three.connection.execute(change.encode())
    assert forget_left(three.connection, FENCE) == []
    assert nodes(three) == [1, 2, 3]


def test_who_leads_no_more_forgets_nobody(three):
    three.connection.execute("DELETE FROM cluster_place WHERE node = 2")
    with pytest.raises(NotLeaderError):
        forget_left(three.connection, Fence(7))
    assert nodes(three) == [1, 2, 3]


def test_how_a_folder_s_node_stands(three):
    assert not standing_of(three.connection, 2, "another").known
    assert not standing_of(three.connection, 9, "m").known
    left = standing_of(three.connection, 2, "m")
    assert (left.known, left.name) == (True, "n2")
    assert left.left_ms == pytest.approx(now_ms() - 2 * 86_400_000, abs=60_000)
    three.connection.execute("UPDATE cluster_node SET state = 'active' WHERE node = 2")
    assert standing_of(three.connection, 2, "m").left_ms is None


def test_a_database_that_is_away_says_nothing(three):
    note = Membership("m", "c1", 2)
    found = standing_at(three.url, note, 10)
    assert isinstance(found, Standing)
    assert found.left_ms is not None
    assert standing_at("postgresql://nobody@127.0.0.1:1/nothing", note, 10) is None


def test_what_is_said_is_whole_in_logs_and_messages():
    assert moment_text(1_795_000_000_000) == "2026-11-18 11:06 UTC"
    who = "mumbai-2 (node 4,026,531,840)"
    for said in (runs_on_text(1_795_000_000_000), unknown_text(who), twin_text(who)):
        assert mask_text(said) == safe(said) == said
