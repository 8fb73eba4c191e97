"""What writes `cluster_told` for the leader: one thread, one connection, all that is due at once.

It commits without a standby's word, as all of it is told again by the next leader: where no standby
is there, figures go on. Whoever lost the connection tells everything anew; the database may have
gone back.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.capacity.facts_document import NOTHING, GoesBy, Node
from switchhook.cluster import told
from switchhook.errors import ClusterError, NotLeaderError
from switchhook.postgresql_server import connect, explained

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from switchhook.postgresql_server import Fence, Url

    Change = Callable[[told.Content | None], tuple[told.Content, bool] | None]
    """From what is told of a topic to what is to be told, and whether a person did it."""

log = logging.getLogger(__name__)

LOOK_S = 0.25
WAIT_S = 2.0
"""How long whoever sets something by hand waits until it is told."""
AWAY_S = 3.5
"""A node that has not been heard of for so long is away."""
SETTLED_MS = 300
"""An answer process looks ten times a second: by then it goes by what its node has."""
_SILENT_S = 5.0
_SESSION = "SET statement_timeout = '3s'"
_LOCAL = "SET LOCAL synchronous_commit = local"
_NODES = """
SELECT node, acked, last_seq, extract(epoch FROM clock_timestamp() - seen_at)::float8 * 1000
FROM cluster_node
WHERE state <> 'left' AND seen_at > clock_timestamp() - make_interval(secs => %s)
"""


class _Sent(msgspec.Struct):
    """A version of what one node was told, and since when we know that it has it.

    It goes by it where `settled`: its journal's last record was told later than that.
    """

    version: int
    has: GoesBy
    seen_ms: float | None = None
    settled: bool = False


class ToldWriter:
    """From its first `put` to `close`. Any thread."""

    def __init__(
        self,
        url: Url,
        fence: Fence,
        *,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._url, self._fence, self._mono_ms = url, fence, mono_ms
        self._changed = threading.Condition()
        self._content: dict[str, told.Content] = {}
        self._waiting: set[str] = set()
        self._notify = False
        self._sent: dict[int, deque[_Sent]] = defaultdict(lambda: deque(maxlen=200))
        self._live: tuple[int, ...] = ()
        self._connection: Connection[Any] | None = None
        self._loaded = self._ending = False
        self._thread: threading.Thread | None = None
        self.problem = ""

    def put(self, topic: str, change: Change) -> None:
        """Have a topic told as `change` says; None of it changes nothing.

        What a person did is told when it returns; of the rest that it can be told.
        Raises OSError where it isn't.
        """
        with self._changed:
            found = change(self._content.get(topic))
            acted = False
            if found is not None:
                self._content[topic], acted = found
                self._waiting.add(topic)
                self._notify |= acted
                self._begin()
                self._changed.notify_all()
            # What could not be told in time before is waited for again.
            if acted or (topic in self._waiting and isinstance(self._content[topic], bytes)):
                self._wait(topic)
            elif self.problem:
                raise OSError(errno.EIO, self.problem)

    def _wait(self, topic: str) -> None:
        """Wait until a topic is told; the lock is held. Raises OSError where it isn't in time."""
        self._changed.wait_for(
            lambda: topic not in self._waiting or self._ending or self.problem, WAIT_S
        )
        if topic in self._waiting:
            raise OSError(errno.EIO, self.problem or "the database takes its time")

    # Who is there.

    def nodes(self) -> dict[int, tuple[GoesBy, ...]]:
        """The nodes that are there, and what each is known to go by, or to have gone by before."""
        with self._changed:
            return {
                node: tuple(each.has for each in self._sent[node] if each.settled)
                for node in self._live
            }

    def before(self) -> dict[int, Node]:
        """What each node was told before us, its moments by our clocks; empty where unknown."""
        with self._changed:
            self._begin()
            self._changed.wait_for(lambda: self._loaded or self._ending, WAIT_S)
            nodes = ((told.node_of(topic), each) for topic, each in self._content.items())
            return {node: each for node, each in nodes if isinstance(each, Node) and node}

    def close(self) -> None:
        """End it; it waits."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(WAIT_S * 2)

    # How it is told.

    def _begin(self) -> None:
        if self._thread is None and not self._ending:
            self._thread = threading.Thread(target=self._run, name="told facts", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ending or self._waiting, LOOK_S)
                if self._ending:
                    break
            problem = self._turn()
            with self._changed:
                if problem and problem != self.problem:
                    log.warning("the nodes can't be told: %s", problem)
                self.problem = problem
                self._changed.notify_all()
                if problem:  # it is tried again, not at once
                    self._changed.wait_for(lambda: self._ending, LOOK_S)
        if self._connection is not None:
            self._connection.close()

    def _turn(self) -> str:
        """Tell what is due, and see who is there; why it failed, if so."""
        try:
            with explained(self._url):
                connection = self._reached()
                self._tell_due(connection)
                self._look_at_nodes(connection)
        except ClusterError as error:
            if isinstance(error, NotLeaderError):
                return str(error)
            self._forget()
            return f"{error.problem} ({error.hint})"
        except Exception as error:
            # Nothing else would bring it back; what was told holds or runs out meanwhile.
            if not self.problem:
                log.exception("the nodes can't be told; it is tried again")
            self._forget()
            return f"telling them failed: {type(error).__name__}"
        return ""

    def _forget(self) -> None:
        """Let go of the connection; a new one has everything told anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _reached(self) -> Connection[Any]:
        """The connection; where it is new, everything is due again."""
        if self._connection is None or self._connection.closed:
            connection = connect(self._url, "facts", silent_s=_SILENT_S)
            self._connection = connection
            connection.execute(_SESSION)
            if not self._loaded:
                self._load(connection)
            with self._changed:
                self._waiting |= self._content.keys()
        return self._connection

    def _load(self, connection: Connection[Any]) -> None:
        """Read what each node was told by who led before: it goes by that for a moment yet."""
        topics = [each for each in told.versions(connection) if told.node_of(each) is not None]
        found = told.rows(connection, topics)
        clocks = self._clocks(connection)
        with self._changed:
            for topic, row in found.items():
                node = told.node_of(topic)
                assert node is not None
                before = told.taken(NOTHING, topic, row.body, clocks, node).nodes[node]
                self._content[topic] = _later(before, self._content.get(topic))
            self._loaded = True
            self._changed.notify_all()

    def _clocks(self, connection: Connection[Any]) -> told.Clocks:
        """The clocks now; ours may be a little late, and moments by them rather too old."""
        row = connection.execute(told.NOW_MS).fetchone()
        assert row is not None
        return told.Clocks(row[0], time.time_ns() // 1_000_000, self._mono_ms())

    def _tell_due(self, connection: Connection[Any]) -> None:
        with self._changed:
            content = {topic: self._content[topic] for topic in self._waiting}
            notify = self._notify
        if not content:
            return
        versions = {}
        with connection.transaction():
            connection.execute(_LOCAL)
            self._fence.hold(connection)
            # Asked for after what is told, so that whatever held us up makes it older, not newer.
            clocks = self._clocks(connection)
            for topic in sorted(content):
                body = told.encoded(content[topic], clocks)
                row = connection.execute(told.TELL, (topic, self._fence.epoch, body)).fetchone()
                assert row is not None
                versions[topic] = row[0]
            if notify:
                connection.execute(told.NOTIFY)
        with self._changed:
            for topic, version in versions.items():
                each, node = content[topic], told.node_of(topic)
                if self._content[topic] is each:
                    self._waiting.discard(topic)
                if node is not None and isinstance(each, Node):
                    has = GoesBy(each.members_told.mono_ms or 0, each.budgets_told.mono_ms or 0)
                    self._sent[node].append(_Sent(version, has))
            self._notify &= bool(self._waiting)

    def _look_at_nodes(self, connection: Connection[Any]) -> None:
        found = connection.execute(_NODES, (AWAY_S,)).fetchall()
        now_ms = self._mono_ms()
        with self._changed:
            self._live = tuple(node for node, *_ in found)
            for node, acked, last_seq, age_ms in found:
                for each in self._sent[node]:
                    if each.version == acked and each.seen_ms is None:
                        each.seen_ms = now_ms
                    if each.settled or each.seen_ms is None:
                        continue
                    if now_ms - age_ms >= each.seen_ms + SETTLED_MS:
                        each.has = msgspec.structs.replace(each.has, through=last_seq)
                        each.settled = True


def _later(before: Node, after: object) -> Node:
    """What a node was told before us, with what we have said since in its place."""
    if not isinstance(after, Node):
        return before
    members, budgets = after.members_told.at_ms, after.budgets_told.at_ms
    return Node(
        after.members if members else before.members,
        after.members_told if members else before.members_told,
        after.budgets if budgets else before.budgets,
        after.budgets_told if budgets else before.budgets_told,
    )
