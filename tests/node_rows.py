"""Rows of nodes as those write them, and views of nodes, for tests."""

from __future__ import annotations

from contextlib import closing, contextmanager

from switchhook.cluster import tables
from switchhook.cluster.view import ClusterView, Lead, Leader, NodeView
from switchhook.postgresql_server import connect

NOW_MS = 1_795_000_000_000
A, B, C = 11, 4_026_531_840, 33


def view(*nodes, **said):
    """Three nodes that are well; A leads."""
    return ClusterView(
        **{
            "id": "c1",
            "read_ms": NOW_MS,
            "leader": Leader(7, A, NOW_MS - 90_000, 9.0),
            "led": (Lead(7, A, NOW_MS - 90_000),),
            "nodes": nodes or (node(A, "a"), node(B, "b"), node(C, "c")),
            "days_ahead": 7,
            **said,
        }
    )


def node(number, name, **said):
    return NodeView(
        **{
            "node": number,
            "name": name,
            "address": f"http://10.0.0.{number % 100}:8081",
            "release": "1.4.0",
            "joined_ms": NOW_MS - 3_600_000,
            "seen_ago_s": 0.4,
            "last_seq": 1_000,
            "handed_seq": 1_000,
            "handed_ago_s": 0.2,
            **said,
        }
    )


@contextmanager
def cluster(url, *nodes, leads=None):
    """A connection to a cluster of nodes by number and name, seen just now."""
    with closing(connect(url)) as connection:
        tables.bring_up(connection)
        connection.execute("INSERT INTO cluster (one, id, key) VALUES (1, 'c1', '\\x01')")
        for number, name in nodes:
            connection.execute(
                "INSERT INTO cluster_node (node, name, address, release)"
                " VALUES (%s, %s, 'http://10.0.0.11:8081', '1.4.0')",
                (number, name),
            )
        if leads is not None:
            lead(connection, leads)
        yield connection


def lead(connection, node):
    """Have a node lead, as the lease does it."""
    changed = connection.execute(
        "UPDATE cluster_lease SET epoch = epoch + 1, node = %s, since = clock_timestamp(),"
        " expires_at = clock_timestamp() + interval '10 s', wanted = NULL",
        (node,),
    ).rowcount
    if not changed:
        connection.execute(
            "INSERT INTO cluster_lease VALUES"
            " (1, %s, clock_timestamp(), clock_timestamp() + interval '10 s')",
            (node,),
        )


def is_away(connection, node, seconds=60):
    asked = "UPDATE cluster_node SET seen_at = clock_timestamp() - make_interval(secs => %s)"
    connection.execute(f"{asked} WHERE node = %s", (seconds, node))
