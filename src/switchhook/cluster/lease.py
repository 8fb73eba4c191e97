"""The lease: which node leads, by a row of the database that runs out unless it is renewed.

Whoever finds it run out takes it with the next epoch; all that a leader writes for all nodes
carries its epoch (`postgresql_server.Fence`). The database's clock alone says when it has run out.
The holder counts from before it asked, by its own monotonic clock, and stops a second early: a node
whose clock steps, or that has lost the database, leads no longer than it may.

    lease = Lease(url, node)
    lease.turn()         # twice a second: reads the row, and renews or takes it where that is due
    lease.held           # the epoch that we lead by, None where we don't
    lease.leader         # who leads, as it was read last
    lease.give_up()      # once nothing is written for all any more
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from switchhook.cluster.database_clock import steady_s
from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from switchhook.postgresql_server import Url

TTL_S, RENEW_S, MARGIN_S = 10.0, 2.0, 1.0
TURN_S = 0.5
"""How often to look."""
GRACE_S = 3.0
"""So long the node that is wanted has to take a lease that was given up, before any other may."""
ALIVE_S = 5.0
"""A node whose row is no older is there."""
ANSWER_S = 4.0
"""A database that answers nothing for so long is away: there is time to try again."""
LOCK_WAIT = "500ms"
"""A take-over waits so long for what a leader of before has begun to write, and tries again."""

_LOOK = """
SELECT l.epoch, l.node, (extract(epoch FROM l.since) * 1000)::bigint,
  coalesce(extract(epoch FROM l.expires_at - clock_timestamp())::float8, 0), l.wanted,
  coalesce(n.name, ''), coalesce(n.address, ''),
  coalesce((SELECT state FROM cluster_node WHERE node = %(me)s), 'left'),
  ARRAY(SELECT node FROM cluster_node WHERE state = 'active' AND node <> %(me)s
    AND seen_at > clock_timestamp() - make_interval(secs => %(alive)s))
FROM (SELECT 1) AS one LEFT JOIN cluster_lease l ON true LEFT JOIN cluster_node n ON n.node = l.node
ORDER BY l.epoch DESC LIMIT 1"""
_RENEW = """
UPDATE cluster_lease SET expires_at = clock_timestamp() + make_interval(secs => %(ttl)s)
WHERE epoch = %(epoch)s AND node = %(me)s AND expires_at > clock_timestamp()"""
_TAKE = """
UPDATE cluster_lease SET epoch = epoch + 1, node = %(me)s, since = clock_timestamp(),
  expires_at = clock_timestamp() + make_interval(secs => %(ttl)s), wanted = NULL
WHERE epoch = %(epoch)s AND expires_at <= clock_timestamp() RETURNING epoch"""
_FIRST = """
INSERT INTO cluster_lease (epoch, node, since, expires_at)
SELECT 1, %(me)s, clock_timestamp(), clock_timestamp() + make_interval(secs => %(ttl)s)
WHERE NOT EXISTS (SELECT 1 FROM cluster_lease) RETURNING epoch"""
_GIVE_UP = """
UPDATE cluster_lease SET expires_at = clock_timestamp() WHERE epoch = %(epoch)s AND node = %(me)s"""


class Seen(NamedTuple):
    """The lease, and who could have it, as the database says at one moment.

    `epoch` and `node` are None before anybody led; `left_s` is below 0 once it has run out.
    `state` is this node's, `others` are those that are there and could lead.
    """

    epoch: int | None
    node: int | None
    since_ms: int | None
    left_s: float
    wanted: int | None
    name: str
    address: str
    state: str
    others: tuple[int, ...]


class Act(Enum):
    """What to do about it."""

    WAIT = "wait"
    TAKE = "take"
    RENEW = "renew"
    HAND_ON = "hand on"
    """Renew it while what is being done ends, then give it up: another is to lead."""


def decide(seen: Seen, me: int, held: int | None) -> Act:
    """What a node does that holds the lease by the epoch `held`, or doesn't."""
    if held is not None and (seen.epoch, seen.node) == (held, me) and seen.left_s > 0:
        return Act.HAND_ON if seen.state == "left" or _is_for_another(seen) else Act.RENEW
    if seen.left_s > 0 or seen.state == "left" or (seen.state == "draining" and seen.others):
        return Act.WAIT
    if seen.wanted in seen.others and seen.left_s > -GRACE_S:
        return Act.WAIT
    return Act.TAKE


def _is_for_another(seen: Seen) -> bool:
    """Whether who leads should not; only where somebody else can."""
    return bool(seen.others) and (seen.state != "active" or seen.wanted in seen.others)


class Held(msgspec.Struct, frozen=True):
    """A lease that is ours; `until_s` is the end of it by our own clock."""

    epoch: int
    until_s: float


class Leader(msgspec.Struct, frozen=True):
    """Who leads; `until_s` is by our own clock how long that is sure to hold."""

    node: int
    name: str
    address: str
    epoch: int
    since_ms: int
    until_s: float


class Lease:
    """One node's part in it; one thread takes turns, any may ask. See above."""

    def __init__(
        self, url: Url, node: int, *, ttl_s: float = TTL_S, now_s: Callable[[], float] = steady_s
    ) -> None:
        self._url, self._node, self._ttl_s, self.now_s = url, node, ttl_s, now_s
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._held: Held | None = None
        self._leader: Leader | None = None
        self._renewed_s = self._rests_until_s = 0.0
        self.must_hand_on = False
        """Whether another is to lead: end what is being done for all, then `give_up`."""
        self.problem: ClusterError | None = None
        """Why the last turn failed."""

    @property
    def held(self) -> Held | None:
        """Our right to act for all nodes, as long as it lasts."""
        held = self._held
        return held if held is not None and self.now_s() < held.until_s else None

    @property
    def leader(self) -> Leader | None:
        """Who leads; None where nobody does, or that can't be known."""
        leader = self._leader
        return leader if leader is not None and self.now_s() < leader.until_s else None

    def turn(self, *, may_lead: bool = True) -> None:
        """Look, and do what is due; who may not lead only looks, and hands on what it holds.

        It may wait for the database. Raises ClusterError.
        """
        with self._lock, self._noting():
            connection = self._connected()
            asked_s = self.now_s()
            seen = self._look(connection)
            if not may_lead:
                seen = seen._replace(state="left")
            self._leader = _leader_of(seen, asked_s)
            held = self._held
            act = decide(seen, self._node, None if held is None else held.epoch)
            self.must_hand_on = act is Act.HAND_ON
            if act in {Act.RENEW, Act.HAND_ON} and held is not None:
                if asked_s - self._renewed_s >= RENEW_S:
                    self._renew(connection, held.epoch)
                return
            self._held = None
            if act is Act.TAKE and asked_s >= self._rests_until_s:
                self._take(connection, seen.epoch)

    def give_up(self, rest_s: float = 0.0) -> None:
        """Let another lead, and don't try for `rest_s`. What is held by nobody does no harm.

        Where the database can't be reached it runs out by itself.
        """
        with self._lock:
            held, self._held, self.must_hand_on = self._held, None, False
            self._rests_until_s = self.now_s() + rest_s
            if held is None:
                return
            with suppress(ClusterError), self._noting():
                self._connected().execute(_GIVE_UP, {"epoch": held.epoch, "me": self._node})

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._drop()

    def _look(self, connection: psycopg.Connection[Any]) -> Seen:
        row = connection.execute(_LOOK, {"me": self._node, "alive": ALIVE_S}).fetchone()
        assert row is not None, "of one row joined to another there is one"
        *seen, others = row
        return Seen._make((*seen, tuple(others)))

    def _renew(self, connection: psycopg.Connection[Any], epoch: int) -> None:
        """Where a standby of the database did not hear of it in time, it ends early: that is safe.

        So it waits for none, and the pages stay while there are no standbys.
        """
        asked = {"epoch": epoch, "me": self._node, "ttl": self._ttl_s}
        asked_s = self.now_s()
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = local")
            renewed = connection.execute(_RENEW, asked).rowcount
        self._hold(epoch if renewed else None, asked_s)

    def _take(self, connection: psycopg.Connection[Any], epoch: int | None) -> None:
        asked = {"epoch": epoch, "me": self._node, "ttl": self._ttl_s}
        asked_s = self.now_s()
        with connection.transaction():
            if epoch is None:
                connection.execute("LOCK TABLE cluster_lease IN SHARE ROW EXCLUSIVE MODE")
            row = connection.execute(_FIRST if epoch is None else _TAKE, asked).fetchone()
        self._hold(None if row is None else row[0], asked_s)

    def _hold(self, epoch: int | None, asked_s: float) -> None:
        self._renewed_s = asked_s
        until_s = asked_s + self._ttl_s - MARGIN_S
        self._held = None if epoch is None else Held(epoch, until_s)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            connection = connect(self._url, "lease", silent_s=ANSWER_S)
            self._connection = connection
            connection.execute(f"SET lock_timeout = '{LOCK_WAIT}'".encode())
        return self._connection

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """What fails is told, and the next turn begins with a connection of its own."""
        try:
            with explained(self._url):
                yield
        except ClusterError as error:
            self.problem = error
            self._drop()
            raise
        self.problem = None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _leader_of(seen: Seen, asked_s: float) -> Leader | None:
    if seen.epoch is None or seen.node is None or seen.left_s <= 0:
        return None
    until_s = asked_s + seen.left_s
    return Leader(seen.node, seen.name, seen.address, seen.epoch, seen.since_ms or 0, until_s)


def want(connection: psycopg.Connection[Any], node: int | None) -> bool:
    """Have a node lead, as soon as who leads has ended what it does; None takes that back.

    Gives whether there is a lease. Raises psycopg.Error.
    """
    asked = {"node": node}
    return bool(connection.execute("UPDATE cluster_lease SET wanted = %(node)s", asked).rowcount)
