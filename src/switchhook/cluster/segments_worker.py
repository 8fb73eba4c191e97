"""Looks after the closed segments of this node's journal: deletes what the database has.

Since when it has a segment stands in the database itself (`cluster_segment`): where a backup of it
is restored it forgets together with the receipts what came after, and the segment stays.
"""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

from switchhook.cluster.content import Handed, is_same, may_be_masked, numbers_hash
from switchhook.cluster.database_clock import DATABASE_MS, wall_ms
from switchhook.cluster.local_segments import (
    LocalLimits,
    Waiting,
    closed,
    may_go,
    roll_due,
    waiting,
)
from switchhook.errors import ClusterError, in_words, unforeseen
from switchhook.journal.segment import Record
from switchhook.postgresql_server import connect, explained
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from switchhook.cluster.hand_over_state import HandOverState
    from switchhook.journal.closed import ClosedJournal, Segment
    from switchhook.postgresql_server import Url

log = logging.getLogger(__name__)

LOOK_S = 30.0
_STOP_S = 5.0
_NOW = f"SELECT {DATABASE_MS}, coalesce((SELECT confirmed FROM cluster_handed WHERE node = %b), 0)"  # noqa: S608 - ours
_SINCE = """
SELECT segment, last_seq, (extract(epoch FROM confirmed_at) * 1000)::bigint FROM cluster_segment
WHERE node = %b"""
_ROW = " UNION ALL ".join(
    f"SELECT seq, kind, at, mono, asked, option, ''::bytea, damage, hash FROM {table}"  # noqa: S608 - ours
    " WHERE node = %b AND seq = %b"
    for table in ("cluster_receipt", "cluster_receipt_undated")
)
_NOTE = """
INSERT INTO cluster_segment (node, segment, last_seq) VALUES (%b, %b, %b)
ON CONFLICT (node, segment) DO UPDATE SET last_seq = excluded.last_seq, confirmed_at = DEFAULT
WHERE cluster_segment.last_seq <> excluded.last_seq"""
_FORGET = "DELETE FROM cluster_segment WHERE node = %b AND segment <> ALL (%b::text[])"


class ReadJournal(Protocol):
    """The records of this node's journal."""

    def read(self, after_seq: int, limit: int) -> list[Record]: ...
    def size_bytes(self) -> int: ...


class SegmentsWorker:
    """Deletes segments, from `start` to `stop`, by a thread and a connection of its own.

    `state` gives what the shipper says of itself, None where it says nothing.
    """

    def __init__(
        self,
        url: Url,
        node: int,
        sealed: ClosedJournal,
        journal: ReadJournal,
        limits: LocalLimits,
        *,
        state: Callable[[], HandOverState | None] = lambda: None,
        look_s: float = LOOK_S,
    ) -> None:
        self._url, self._node, self._limits = url, node, limits
        self._sealed, self._journal, self._look_s = sealed, journal, look_s
        self._state = state
        self._confirmed: int | None = None
        self._waiting = Waiting()
        self._problem = ""
        self._repeating = Repeating(
            "segments", self._step, every_s=self._look_s, failed=self._failed
        )

    def start(self) -> None:
        self._repeating.start()

    def stop(self) -> None:
        """It waits, but for no commit of the database's."""
        self._repeating.stop(_STOP_S)

    def problems(self) -> Sequence[str]:
        """What does not work here, and what the shipper says does not work, one sentence each."""
        try:
            state = self._state()
        except OSError:
            state = None
        said = [self._problem] if self._problem else []
        if state is not None and state.problem:
            said.append(f"the journal is not handed over: {state.problem}")
        return said

    def waiting(self) -> Waiting:
        """What of the journal the database had yet to get at the last look."""
        return self._waiting

    def look(self) -> None:
        """Do what is to be done. Raises ClusterError, JournalError."""
        segments = self._sealed.segments()
        self._waiting = waiting(segments, self._known())
        roll = roll_due(segments, self._limits, wall_ms())
        if roll is not None:
            self._sealed.ask_roll(roll)
        with explained(self._url), closing(connect(self._url, "segments")) as connection:
            # A note that is lost has its segment stay longer: none waits for a standby.
            connection.execute("SET synchronous_commit = local")
            self._look(connection, segments)

    def _known(self) -> int:
        """Up to where all is known to be handed over; by the shipper, before the database says."""
        if self._confirmed is not None:
            return self._confirmed
        state = self._state()
        return 0 if state is None else state.kept_twice

    def _look(self, connection: Connection[Any], segments: Sequence[Segment]) -> None:
        row = connection.execute(_NOW.encode(), (self._node,)).fetchone()
        assert row is not None
        now_ms, confirmed = row
        self._confirmed, limits = confirmed, self._limits
        self._waiting = waiting(segments, confirmed)
        since = self._since(connection, segments, confirmed)
        while (gone := may_go(segments, since, limits, self._journal.size_bytes(), now_ms)) and (
            not self._repeating.ending
        ):
            self._sealed.delete(gone)
            log.info("%s is deleted here: the database has its records", gone.name)
            segments = segments[1:]
        self._sealed.clear_strays()
        there = [each.name for each in segments]
        connection.execute(_FORGET.encode(), (self._node, there))

    def _since(
        self, connection: Connection[Any], segments: Sequence[Segment], confirmed: int
    ) -> dict[str, int]:
        """Since when the database has each; those that it has by now are noted."""
        noted = {name: (last, ms) for name, last, ms in self._rows(connection)}
        new = [
            each
            for each in closed(segments)
            if each.first_seq <= each.last_seq <= confirmed
            and noted.get(each.name, (0, 0))[0] != each.last_seq
            and self._is_there(connection, each.last_seq)
        ]
        for each in new:
            connection.execute(_NOTE.encode(), (self._node, each.name, each.last_seq))
        if new:
            noted = {name: (last, ms) for name, last, ms in self._rows(connection)}
        return {name: ms for name, (_, ms) in noted.items()}

    def _rows(self, connection: Connection[Any]) -> list[tuple[str, int, int]]:
        return connection.execute(_SINCE.encode(), (self._node,)).fetchall()

    def _is_there(self, connection: Connection[Any], seq: int) -> bool:
        """Whether the database has this very record: a clone may have handed over another."""
        row = connection.execute(_ROW.encode(), (self._node, seq) * 2).fetchone()
        found = self._journal.read(seq - 1, 1)
        if row is None or not found:
            return False
        there = Record(*row[:8])
        handed = Handed(there.seq, row[8], numbers_hash(there), may_be_masked(there.asked))
        return (found[0].seq == seq or bool(found[0].damage)) and is_same(found[0], handed)

    def _step(self) -> None:
        self.look()
        self._say("")

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ClusterError):
            log.debug("segments wait for the database: %s", error)
        else:
            said = f"the journal's segments can't be looked after: {in_words(error)}"
            self._say(said, unforeseen(error))

    def _say(self, problem: str, trace: Exception | None = None) -> None:
        if problem and problem != self._problem:
            log.error("%s", problem, exc_info=trace)
        self._problem = problem
