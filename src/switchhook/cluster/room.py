"""Room for the nodes' connections at the server that they share: what they need, and what is there.

room = read_room(connection)
room.free, needed(3)       # (95, 34)
lack(room, 3)              # None, or what is missing, and how to mend it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from switchhook.metrics import count_text

if TYPE_CHECKING:
    from psycopg import Connection

EACH, LEADS = 6, 8
"""Connections of a node, and those more of the one that leads, while all is well."""

# Of other users' connections the server tells to whom they are, not of what kind they are.
_ROOM = """
SELECT current_setting('max_connections')::int,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0),
  (SELECT count(*) FROM pg_stat_activity
   WHERE usesysid IS NOT NULL AND datid IS NOT NULL AND pid <> pg_backend_pid()
     AND coalesce(backend_type, 'client backend') = 'client backend'
     AND (datname <> current_database() OR application_name NOT LIKE 'switchhook %')),
  (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
  (SELECT datconnlimit FROM pg_database WHERE datname = current_database())"""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What a server lets in: `most` in all, of which `reserved` are not for the nodes' user.

    `others` are those of others than nodes. `of_user` and `of_database` are limits of their own,
    -1 where there is none.
    """

    most: int = 100
    reserved: int = 3
    others: int = 0
    of_user: int = -1
    of_database: int = -1

    @property
    def free(self) -> int:
        """How many the nodes may have together."""
        limits = [each for each in (self.of_user, self.of_database) if each >= 0]
        return max(min([self.most - self.reserved - self.others, *limits]), 0)


class Lack(NamedTuple):
    """What is missing, and what to do. `is_short` where the nodes can't even run by it."""

    said: str
    todo: str
    is_short: bool


def needed(nodes: int) -> int:
    """Connections of so many nodes while the lead changes: two may hold a leader's for a moment."""
    return EACH * nodes + 2 * LEADS


def lack(room: Room, nodes: int) -> Lack | None:
    """What so many nodes lack; None where there is room for them."""
    most, free = needed(nodes), room.free
    if free >= most:
        return None
    by, rest = count_text(nodes, "node"), most - LEADS
    said = (
        f"{by} hold{'s' if nodes == 1 else ''} up to {rest} connections, and {most} while the lead"
        f" changes; there is room for {free}: {_bounds(room)}"
    )
    return Lack(said, _todo(room, most), free < rest)


def _bounds(room: Room) -> str:
    """What bounds it."""
    if room.free == room.of_user:
        return "the limit of their user"
    if room.free == room.of_database:
        return "the limit of their database"
    return (
        f"max_connections is {room.most}, of which {room.reserved} are reserved and others hold"
        f" {room.others}"
    )


def _todo(room: Room, most: int) -> str:
    if room.free == room.of_user:
        return f"ALTER ROLE … CONNECTION LIMIT {most}"
    if room.free == room.of_database:
        return f"ALTER DATABASE … CONNECTION LIMIT {most}"
    enough = most + room.reserved + room.others
    return f"raise max_connections to {enough}, or have others hold fewer"


def read_room(connection: Connection[Any]) -> Room:
    """What the server behind a connection has. Raises psycopg.Error."""
    row = connection.execute(_ROOM.encode()).fetchone()
    assert row is not None, "it gives one row"
    most, reserved, others, of_user, of_database = row
    return Room(
        most=most, reserved=reserved, others=others, of_user=of_user, of_database=of_database
    )
