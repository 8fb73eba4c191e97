"""What each node of a cluster does, whether it leads or not, from `start` to `stop`.

Its heartbeat, its part in the lease, and the parts that are given to it: what the leader tells, its
own segments, its own erasures, its own alarm. Nothing of it is on the event loop.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

from switchhook.cluster.heartbeat import BEAT_S, Heartbeat, NodeNow
from switchhook.cluster.lease import TURN_S, Lease
from switchhook.cluster.leaving import JOIN_AGAIN, runs_on_text, twin_text, unknown_text
from switchhook.cluster.view import node_text
from switchhook.errors import ClusterError, SwitchhookError
from switchhook.postgresql_server import is_silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from switchhook.cluster.membership import Membership
    from switchhook.postgresql_server import Connector

log = logging.getLogger("switchhook.node")

END_S = 1.0
"""A thread that has not ended by then is left behind: the process ends it."""


class NodePart(Protocol):
    """Something that each node does. `stop` waits, in a thread."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def problems(self) -> Sequence[str]:
        """What doesn't work, one sentence each."""


class NodeSide:
    """Heartbeat, lease and parts, all of which reach the database by `connector`.

    Where the heartbeat gets no answer nobody waits for one any more, until it gets one again.
    `note` is its place in the cluster, `name` what people call it. `look` gives the node as it is,
    with the problems it is given. `turned` is called by another thread, after each turn of the
    lease.
    """

    def __init__(
        self,
        connector: Connector,
        note: Membership,
        name: str,
        look: Callable[[Sequence[str]], NodeNow],
        parts: Sequence[NodePart],
        turned: Callable[[], None],
    ) -> None:
        self._node, self._name = note.node, name
        self._connector, self._parts, self._turned = connector, parts, turned
        self.lease = Lease(connector, note.node)
        self.heartbeat = Heartbeat(connector, note.node, note.member, lambda: look(self.problems()))
        self._stopping = threading.Event()
        self._begun = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
            threading.Thread(target=self._turn, name="lease", daemon=True),
        ]

    def problems(self) -> list[str]:
        """What doesn't work, one sentence each."""
        return [*self._standing(), *(said for part in self._parts for said in part.problems())]

    def _standing(self) -> list[str]:
        """What is odd about this node as one of the cluster's."""
        beat, who = self.heartbeat, f"{self._name} ({node_text(self._node)})"
        found = [] if beat.left_ms is None else [runs_on_text(beat.left_ms)]
        if beat.is_there is False:
            found.append(f"{unknown_text(who)} (take it back: `{JOIN_AGAIN}`)")
        if beat.has_twin:
            found.append(twin_text(who))
        return found

    @property
    def away(self) -> ClusterError | None:
        """Why the cluster's database is of no use just now."""
        return self.heartbeat.problem or self.lease.problem

    def start(self) -> None:
        for part in self._parts:
            part.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """It waits, for none of them long. Whoever holds the lease gives it up before."""
        self._stopping.set()
        self._connector.close()
        stops = [
            threading.Thread(target=part.stop, name="end of a part", daemon=True)
            for part in self._parts
        ]
        for stop in stops:
            stop.start()
        end_s = time.monotonic() + END_S
        for thread in (*self._threads, *stops):
            thread.join(max(end_s - time.monotonic(), 0.0))

    def _beat(self) -> None:
        said, stood = "", list[str]()
        for _ in self._every(BEAT_S):
            problem, silent = "", False
            try:
                self.heartbeat.beat()
            except SwitchhookError as error:  # its own journal may fail, too
                problem, silent = str(error), is_silent(error.__cause__)
            if silent:
                self._connector.silent()
            else:
                self._connector.answers()
            if problem and problem != said:
                log.error("the cluster is not told that this node is there: %s", problem)
            said = problem
            stands = self._standing()
            for each in stands:
                if each not in stood:
                    log.error("%s", each)
            if stood and not stands:
                log.info("this node is one of the cluster's as it should be again")
            stood = stands
            self._begun.set()
        self.heartbeat.close()

    def _turn(self) -> None:
        self._begun.wait()  # who was not seen yet can't be one that others wait for
        said = ""
        for _ in self._every(TURN_S):
            problem = ""
            try:
                beat = self.heartbeat
                if beat.is_there is not False and beat.known is False:
                    self.lease.give_up()  # its tables are of a release that is too new
                else:
                    self.lease.turn(may_lead=beat.is_there is not False)
            except ClusterError as error:
                problem = str(error)
            if problem and problem != said:
                log.error("this node can't lead: %s", problem)
            said = problem
            self._turned()
        self.lease.close()

    def _every(self, seconds: float) -> Iterator[None]:
        yield None
        while not self._stopping.wait(seconds):
            yield None
