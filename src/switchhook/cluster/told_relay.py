"""What all are told, brought to one node: its facts file, and what runs in its data folder.

    relay = ToldRelay(url, node, FactsFile(data_folder, boot), rules, shown)
    relay.once(limit_s)             # before anything runs on the folder
    relay.start(); relay.stop(); relay.problems()

One thread and one connection, which listens: a NOTIFY is a hint to look now, and it looks four
times a second without one. On a new connection it reads everything. Where the database is away,
what was told holds or runs out, as on one machine whose console is away.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from switchhook.capacity.facts_document import NOTHING, Document
from switchhook.cluster import told
from switchhook.cluster.runs import Runs, encoded
from switchhook.errors import ClusterError, SwitchhookError
from switchhook.postgresql_server import connect, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import Connection

    from switchhook.cluster.told import ToldRow
    from switchhook.postgresql_server import Url

log = logging.getLogger(__name__)

POLL_S = 0.25
_AGAIN_S = 0.5
_SILENT_S = 5.0
_SESSION = f"SET statement_timeout = '3s'; SET synchronous_commit = local; LISTEN {told.CHANNEL}"
_REPORT = "UPDATE cluster_node SET told_version = %s, acked = %s, runs = %s WHERE node = %s"


class Facts(Protocol):
    """The node's own facts file: capacity.facts_file.FactsFile. Raises OSError."""

    def tell_all(self, document: Document, now_ms: int) -> None: ...


class Rules(Protocol):
    """What runs in the node's data folder. Raises SwitchhookError."""

    def settle(self, rows: Mapping[str, ToldRow], offer: Callable[[str, int, bytes], bool]) -> None:
        """Have what is told run here; rows of texts and candidates by topic.

        What changed here, where nobody told anything since, is offered to all: topic, version and
        body; whether it was taken.
        """

    def runs(self) -> Runs:
        """What runs here."""

    @property
    def problems(self) -> Sequence[str]: ...


class Shown(Protocol):
    """Keeps what the leader's console said at a time, as JSON. Raises DecodeError, OSError."""

    def __call__(self, name: str, body: bytes, at_ms: int) -> None: ...


class ToldRelay:
    """See above."""

    def __init__(
        self,
        url: Url,
        node: int,
        facts: Facts,
        rules: Rules,
        shown: Shown,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._url, self._node, self._facts, self._rules = url, node, facts, rules
        self._shown = shown
        self._now_ms, self._mono_ms = now_ms, mono_ms
        self._connection: Connection[Any] | None = None
        self._document = NOTHING
        self._had: dict[str, int] = {}
        self._texts: dict[str, ToldRow] = {}
        self._reported: object = None
        self._problems: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="told relay", daemon=True)

    def once(self, limit_s: float) -> bool:
        """Bring here what all are told now; False, with the problem, where that takes too long.

        For a folder on which nothing runs yet, in place of `start`. Nothing is offered to anybody.
        """
        found: list[tuple[Mapping[str, ToldRow], told.Clocks]] = []

        def read() -> None:
            try:
                with explained(self._url):
                    found.append(self._read())
            except ClusterError as error:
                self._problems["read"] = f"what all nodes are told can't be read: {error.problem}"
            finally:
                self._close()

        reader = threading.Thread(target=read, name="told once", daemon=True)
        reader.start()
        reader.join(limit_s)
        for rows, clocks in found[:1]:  # who reads later than that brings nothing here
            self._take(rows, clocks, lambda *_: False)
            return True
        if "read" not in self._problems:
            said = f"the database did not answer within {limit_s:g} s"
            self._problems["read"] = f"what all nodes are told can't be read: {said}"
        return False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """It waits."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._close()

    def problems(self) -> Sequence[str]:
        """What does not reach this node, a sentence each."""
        return (*self._problems.values(), *self._rules.problems)

    @property
    def version(self) -> int:
        """The newest version that this node has."""
        return max(self._had.values(), default=0)

    # How it goes on.

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with explained(self._url):
                    self.turn()
                    self._rest()
            except ClusterError as error:
                self._lost(f"what all nodes are told can't be read: {error.problem}")
            except Exception as error:
                # Nothing else would bring it back; what was told holds or runs out meanwhile.
                if "failed" not in self._problems:
                    log.exception("what all nodes are told can't be brought here; tried again")
                why = f"{type(error).__name__}, see its log"
                self._problems["failed"] = f"what all nodes are told can't be brought here: {why}"
                self._lost("")
            else:
                self._problems.pop("failed", None)

    def _lost(self, problem: str) -> None:
        if problem and problem != self._problems.get("read"):
            log.warning("%s", problem)
        if problem:
            self._problems["read"] = problem
        self._close()
        self._ending.wait(_AGAIN_S)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rest(self) -> None:
        """Wait for a hint, a quarter of a second at most."""
        assert self._connection is not None
        for _ in self._connection.notifies(timeout=POLL_S, stop_after=1):
            return

    def turn(self) -> None:
        """Look once, and do what follows. Raises ClusterError, psycopg.Error."""
        found, clocks = self._read()
        self._take(found, clocks, self._offer)
        self._report()

    def _read(self) -> tuple[dict[str, ToldRow], told.Clocks]:
        """What is told anew, and the clocks as they were just before."""
        connection = self._reached()
        clocks = self._clocks(connection)
        there = told.versions(connection)
        self._problems.pop("read", None)
        changed = [
            topic
            for topic, version in there.items()
            if self._had.get(topic) != version and told.node_of(topic) in {None, self._node}
        ]
        return told.rows(connection, changed), clocks

    def _take(
        self,
        found: Mapping[str, ToldRow],
        clocks: told.Clocks,
        offer: Callable[[str, int, bytes], bool],
    ) -> None:
        self._take_facts(found, clocks)
        self._take_texts(found, offer)
        self._take_shown(found, clocks)
        for topic, row in found.items():
            if told.is_text(topic) or self._problems.get("facts") is None:
                self._had[topic] = row.version

    def _reached(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, "relay", silent_s=_SILENT_S)
            self._connection.execute(_SESSION)
            self._had, self._reported = {}, None  # the database may have gone back
        return self._connection

    def _clocks(self, connection: Connection[Any]) -> told.Clocks:
        """The clocks now; ours were looked at first, so that what is told is rather too old."""
        now_ms, mono_ms = self._now_ms(), self._mono_ms()
        row = connection.execute(told.NOW_MS).fetchone()
        assert row is not None
        return told.Clocks(row[0], now_ms, mono_ms)

    def _take_facts(self, found: Mapping[str, ToldRow], clocks: told.Clocks) -> None:
        """Put what is new into the facts file."""
        document = self._document
        for topic, row in found.items():
            try:
                document = told.taken(document, topic, row.body, clocks, self._node)
                self._problems.pop(topic, None)
            except msgspec.DecodeError:
                said = f"what all nodes are told of {told.words_of(topic)} is of another release"
                self._problems[topic] = f"{said}; run one release on all nodes"
        if document is self._document and "facts" not in self._problems:
            return
        try:
            self._facts.tell_all(document, self._now_ms())
        except OSError as error:
            why = (error.strerror or "error").lower()
            self._problems["facts"] = f"this node's answer side can't be told what holds: {why}"
            return
        self._document = document
        self._problems.pop("facts", None)

    def _take_texts(
        self, found: Mapping[str, ToldRow], offer: Callable[[str, int, bytes], bool]
    ) -> None:
        """Have the folder run what is told."""
        self._texts |= {topic: row for topic, row in found.items() if told.is_text(topic)}
        try:
            self._rules.settle(self._texts, offer)
        except SwitchhookError as error:
            self._problems["rules"] = f"what all nodes run can't be put in place here: {error}"
        else:
            self._problems.pop("rules", None)

    def _take_shown(self, found: Mapping[str, ToldRow], clocks: told.Clocks) -> None:
        """Have commands here show what the leader's console says; its own they have already."""
        for topic, row in found.items():
            name = told.shown_of(topic)
            if name is None:
                continue
            with suppress(msgspec.DecodeError, OSError):  # it grows old, and is said to be
                said = told.read_shown(row.body)
                if said.node != self._node:
                    self._shown(name, bytes(said.body), clocks.here(said.told_ms).at_ms)

    def _offer(self, topic: str, version: int, body: bytes) -> bool:
        assert self._connection is not None
        with self._connection.transaction():
            done = self._connection.execute(told.TELL_AFTER, (body, topic, version)).rowcount
            if done:
                self._connection.execute(told.NOTIFY)
        return bool(done)

    def _report(self) -> None:
        connection = self._connection
        assert connection is not None
        acked = self._had.get(told.topic_of_node(self._node), 0)
        report = self.version, acked, encoded(self._rules.runs())
        if report != self._reported:
            connection.execute(_REPORT, (*report, self._node))
            self._reported = report
