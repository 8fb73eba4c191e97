"""A node that left the cluster: what is said while it runs all the same, and when its row goes.

Callers are answered by whoever runs, and what is kept of them is handed over. But a node that left
never leads, gets no room to let callers in, and nobody expects it to be there: so it is told of.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from switchhook.errors import ClusterError
from switchhook.exotel.times import EPOCH
from switchhook.postgresql_server import connect, explained

if TYPE_CHECKING:
    from psycopg import Connection

    from switchhook.cluster.membership import Membership
    from switchhook.postgresql_server import Fence

log = logging.getLogger(__name__)

JOIN_AGAIN = "switchhook cluster join"
"""Takes the node of a data folder back, on its own machine, whether it runs or not."""
ALONE_AGAIN = "on an empty data folder, with a configuration without [cluster]"

_STATE = """
SELECT state, (extract(epoch FROM coalesce(left_at, seen_at)) * 1000)::bigint, name
FROM cluster_node WHERE node = %s AND member = %s"""
# What retention removed of a node has no place any more; what was handed over and has none yet is
# kept all the same. A wish that waits for it is kept too: its proof names the node.
_NOTHING_KEPT = """
SELECT n.node, n.name FROM cluster_node n
LEFT JOIN cluster_handed h USING (node) LEFT JOIN cluster_placed p USING (node)
WHERE n.state = 'left' AND n.left_at < clock_timestamp() - interval '1 day'
  AND n.seen_at < clock_timestamp() - interval '1 day'
  AND coalesce(h.seq, 0) <= coalesce(p.seq, 0)
  AND NOT EXISTS (SELECT FROM cluster_place WHERE cluster_place.node = n.node)
  AND NOT EXISTS (SELECT FROM cluster_erasure e WHERE e.node = n.node AND e.wish <> '')"""
_FORGET = """
WITH segments AS (DELETE FROM cluster_segment WHERE node = ANY(%(nodes)s)),
  conflicts AS (DELETE FROM cluster_conflict WHERE node = ANY(%(nodes)s))
DELETE FROM cluster_node WHERE node = ANY(%(nodes)s) AND state = 'left'"""


class Standing:
    """What the cluster says of the node of a data folder: whether it has it, and when it left."""

    def __init__(self, name: str = "", left_ms: int | None = None, *, known: bool = True) -> None:
        self.name, self.left_ms, self.known = name, left_ms, known


def standing_of(connection: Connection[Any], node: int, member: str) -> Standing:
    """How the node of a data folder stands. Raises psycopg.Error."""
    row = connection.execute(_STATE, (node, member)).fetchone()
    if row is None:
        return Standing(known=False)
    state, at_ms, name = row
    return Standing(name, at_ms if state == "left" else None)


def standing_at(url: str, note: Membership, limit_s: float) -> Standing | None:
    """The same by the database at a URL; None where that does not say so in time."""
    found: list[Standing] = []

    def look() -> None:
        with suppress(ClusterError), explained(url), closing(connect(url)) as connection:
            found.append(standing_of(connection, note.node, note.member))

    looking = threading.Thread(target=look, name="standing", daemon=True)
    looking.start()
    looking.join(limit_s)
    return found[0] if found else None


def forget_left(connection: Connection[Any], fence: Fence) -> list[str]:
    """Remove the rows of nodes that left, of which nothing is kept any more; their names.

    How far their journals were handed over stays: a folder that comes back goes on there.
    Raises psycopg.Error, NotLeaderError.
    """
    found = connection.execute(_NOTHING_KEPT).fetchall()
    if not found:
        return []
    with connection.transaction():
        fence.hold(connection)
        connection.execute(_FORGET.encode(), {"nodes": [node for node, _ in found]})
    names = [name for _, name in found]
    log.info("nodes that left and of which nothing is kept are forgotten: %s", ", ".join(names))
    return names


def moment_text(at_ms: int) -> str:
    """Unix ms as `2026-11-29 10:00 UTC`, for sentences that are read on any machine."""
    return f"{EPOCH + timedelta(milliseconds=at_ms):%Y-%m-%d %H:%M} UTC"


def runs_on_text(left_ms: int) -> str:
    """What a node that left says of itself while it runs."""
    return (
        f"this node answers callers, yet it left the cluster on {moment_text(left_ms)}: it never"
        f" leads, and lets nobody in by admission (stop it, or take it back: `{JOIN_AGAIN}`)"
    )


def unknown_text(who: str) -> str:
    """What is said of a node that the cluster does not know, though its data folder joined it."""
    return (
        f"the cluster does not know {who}: the database was restored to a time before it joined, or"
        " it left long ago. It answers callers, hands over what it keeps, and never leads"
    )


def twin_text(who: str) -> str:
    """What a node says of itself while another machine runs as the same node."""
    return (
        f"another machine runs as {who}, too: the data folder of one is a copy of the other's (stop"
        " the machine with the copy, and start it with an empty data folder)"
    )
