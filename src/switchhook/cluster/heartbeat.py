"""What a node says of itself each second, in its own row of the database, and the time there.

Whether it is there is for others to see by the row's age, which the database's clock tells.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.cluster import tables
from switchhook.cluster.database_clock import DATABASE_MS, DatabaseClock, steady_s, wall_ms
from switchhook.cluster.lease import ANSWER_S
from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect, explained
from switchhook.system.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from switchhook.postgresql_server import Url

BEAT_S = 1.0
_BRING_UP_S = 30.0
"""A step that changes the tables may take so long."""
TWINS_S = 10.0
"""So long ago another process may have written our row for it to be there now."""

_BEAT = f"""
WITH before AS (
  SELECT process FROM cluster_node WHERE node = %(node)s AND member = %(member)s
), beat AS (
  UPDATE cluster_node SET seen_at = clock_timestamp(), name = %(name)s, address = %(address)s,
    release = %(release)s, process = %(process)s, last_seq = %(last_seq)s,
    segments = %(segments)s, waiting_bytes = %(waiting_bytes)s, one_copy = %(one_copy)s,
    problems = %(problems)s, machine = %(machine)s, clock_ms = %(clock_ms)s
  WHERE node = %(node)s AND member = %(member)s
  RETURNING CASE WHEN state = 'left'
    THEN (extract(epoch FROM coalesce(left_at, seen_at)) * 1000)::bigint END AS left_ms
)
SELECT {DATABASE_MS},
  (SELECT oldest <= %(known)s FROM cluster_version), before.process, beat.left_ms
FROM (SELECT) AS one LEFT JOIN before ON true LEFT JOIN beat ON true"""  # noqa: S608 - ours

# A beat has no need to outlive the server, nor to wait for its standbys. Who holds the row for long
# is another matter than a server that answers nothing.
_SESSION = "SET synchronous_commit = off; SET lock_timeout = '2s'"


class NodeNow(msgspec.Struct, frozen=True, kw_only=True):
    """A node as it is: see `cluster_node` in `tables`."""

    name: str
    address: str
    release: str
    process: str
    last_seq: int = 0
    segments: int = 0
    waiting_bytes: int = 0
    one_copy: int = 0
    problems: Sequence[str] = ()
    machine: Machine = Machine()


class Heartbeat:
    """The row of one node; one thread beats, any may ask.

    `member` is what the cluster knows the data folder by: without a row of that nothing is said.
    """

    def __init__(
        self,
        url: Url,
        node: int,
        member: str,
        look: Callable[[], NodeNow],
        *,
        now_s: Callable[[], float] = steady_s,
        wall_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._url, self._node, self._member, self._look = url, node, member, look
        self._now_s, self._clock = now_s, DatabaseClock(now_s, wall_ms)
        self._connection: psycopg.Connection[Any] | None = None
        self.known: bool | None = None
        """Whether the cluster has this node, and tables that it can use; None before it said so."""
        self.is_there: bool | None = None
        """Whether the cluster has a row of this data folder, as it said last."""
        self._others: list[float] = []  # when rows of other processes were found
        self.left_ms: int | None = None
        """When this node left, as the cluster said last; None where it takes part."""
        self.problem: ClusterError | None = None
        """Why the last beat failed."""

    def now_ms(self) -> int:
        """Unix time by the database's clock, which goes on while it is away; ours before that."""
        return self._clock.now_ms()

    def beat(self) -> None:
        """Say it once. Raises ClusterError."""
        try:
            with explained(self._url):
                self._beat()
        except ClusterError as error:
            self.problem = error
            self.close()
            raise

    def _beat(self) -> None:
        if self._connection is None:
            self._bring_up()
            self._connection = connect(self._url, "heartbeat", silent_s=ANSWER_S, probe=True)
            self._connection.execute(_SESSION)
            self._clock.ask(self._connection)
        now = self._look()
        said = msgspec.structs.asdict(now)
        said["problems"], said["machine"] = list(now.problems), msgspec.json.encode(now.machine)
        whose = {"node": self._node, "member": self._member, "known": tables.VERSION}
        given = {**said, **whose, "clock_ms": self._clock.own_ahead_ms()}
        asked_s = self._now_s()
        row = self._connection.execute(_BEAT, given).fetchone()
        assert row is not None, "one joined to others is one"
        at_ms, usable, before, self.left_ms = row
        self._clock.heard(asked_s, at_ms)
        self._notice(before, said["process"], asked_s)
        self.is_there = before is not None
        self.known = self.is_there and usable
        if not usable:
            raise tables.too_new(self._connection)
        self.problem = None

    def _notice(self, before: str | None, process: str, now_s: float) -> None:
        """Note whether another process wrote our row since we did."""
        beaten = self.is_there is not None
        if beaten and before not in (None, process):
            self._others.append(now_s)
        self._others = [at_s for at_s in self._others if now_s - at_s < TWINS_S]

    @property
    def has_twin(self) -> bool:
        """Whether another machine writes the same row: it runs on a copy of the data folder.

        Once is nothing: a database that was restored has what was written before this start.
        """
        return len(self._others) > 1

    def _bring_up(self) -> None:
        """The first that a node does: nothing else of it may meet tables of another release."""
        with closing(
            connect(self._url, "heartbeat", silent_s=_BRING_UP_S, probe=True)
        ) as connection:
            try:
                tables.bring_up(connection, begin=False)
            except ClusterError:
                self.known = False
                raise

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
