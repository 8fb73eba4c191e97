"""What runs on all nodes of a cluster, as releases ask and change it, from any of them.

What is told stands in the database (`cluster.told`): it runs, whatever one node's data folder has
until its relay has put it in place. What checks out, and which subjects there are, is told by this
node's own configuration.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.cluster import told
from switchhook.config.kept_text import hash_of
from switchhook.config.released import ReleasedRules
from switchhook.errors import ClusterError, DataFolderError, LedgerError
from switchhook.exotel.times import us_of
from switchhook.postgresql_server import connect, explained
from switchhook.releases.running import RunningText
from switchhook.server.running import BUILT_IN, FolderRunning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from psycopg import Connection

    from switchhook.config import Config
    from switchhook.postgresql_server import Fence, Url
    from switchhook.releases.release import Release

_SILENT_S = 7.0
_SESSION = "SET statement_timeout = '5s'"


def shared_running(
    folder: Path, url: Url, fence: Fence | None = None
) -> Callable[[Callable[[], Config]], SharedRunning]:
    """What runs on all nodes, by a configuration; the leader, who has a fence, also begins it."""
    return partial(SharedRunning, folder, url=url, fence=fence)


class SharedRunning(FolderRunning):
    """`releases.running.Running` of a cluster. Raises LedgerError where its database is away."""

    def __init__(
        self,
        folder: Path,
        config: Callable[[], Config],
        *,
        url: Url,
        fence: Fence | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(folder, config)
        self._url, self._fence, self._now = url, fence, now
        self._folder_rules = ReleasedRules(folder)
        self._lock = threading.Lock()
        self._connection: Connection[Any] | None = None
        self._rows: dict[str, told.ToldRow] = {}

    def texts(self) -> tuple[RunningText, ...]:
        with self._reached() as connection:
            self._read(connection)
            if self._fence is not None:
                self._begin(connection)
        return super().texts()

    def ran(self, subject: str) -> Iterator[RunningText]:
        """As this node's data folder has it, once that runs what all run."""
        with self._reached() as connection:
            self._read(connection)
        runs, here = self._told_text(subject), self._folder_rules.running(subject)
        if runs is None or (here is not None and here.hash == runs.hash):
            yield from super().ran(subject)

    def candidates(self) -> dict[str, int]:
        with self._reached() as connection:
            self._read(connection)
        found = {}
        for subject in self.subjects():
            row = self._rows.get(told.topic_of_candidate(subject))
            if row is None:
                continue
            try:
                candidate = told.read_candidate(row.body)
            except msgspec.DecodeError:
                found[subject] = 0
                continue
            if candidate is not None:
                found[subject] = candidate.number
        return found

    def run(self, release: Release, by: str) -> None:
        at = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        hash = hash_of(release.text)
        text = told.ToldText(release.text, hash, by, at, release.number)
        bodies = {told.topic_of_text(release.subject): told.encode(text)}
        with self._reached() as connection:
            self._read(connection)
            beside = self._rows.get(told.topic_of_candidate(release.subject))
            if beside is not None and _beside(beside) != hash:
                bodies[told.topic_of_candidate(release.subject)] = b""
            self._tell(connection, bodies)

    def propose(self, subject: str, candidate: Release | None) -> None:
        body = b""
        with self._reached() as connection:
            self._read(connection)
            if candidate is not None:
                runs = self._told_text(subject)
                here = self._folder_rules.running(subject) if runs is None else runs
                beside = "" if here is None else here.hash
                proposed = told.ToldCandidate(
                    candidate.number, candidate.hash, candidate.text, beside
                )
                body = told.encode(proposed)
            self._tell(connection, {told.topic_of_candidate(subject): body})

    def _text_of(self, config: Config, subject: str) -> RunningText | None:
        told_text = self._told_text(subject)
        if told_text is not None:
            return told_text
        here = super()._text_of(config, subject)
        # What nobody was told yet is the leader's to tell, and not what this node alone runs.
        ours = self._fence is not None or (here is not None and here.by == BUILT_IN)
        return here if ours else None

    def _told_text(self, subject: str) -> RunningText | None:
        """What all are told to run, as it was read last."""
        row = self._rows.get(told.topic_of_text(subject))
        if row is None or not row.body:
            return None
        try:
            text = told.read_text(row.body)
        except msgspec.DecodeError:
            return None
        return RunningText(
            subject=subject,
            text=text.text,
            hash=text.hash,
            by=text.by,
            at_ms=us_of(datetime.fromisoformat(text.at)) // 1000,
            release=text.release,
        )

    # The database.

    def _begin(self, connection: Connection[Any]) -> None:
        """Tell what runs here of what nobody has told yet: the first leader begins."""
        missing: dict[str, bytes] = {}
        for subject in self.subjects():
            topic = told.topic_of_text(subject)
            if topic in self._rows:
                continue
            try:
                runs = self._folder_rules.running(subject)
                candidate = self._folder_rules.candidate(subject)
            except DataFolderError:  # damaged, and mended by serve: told then
                continue
            if runs is None:
                continue
            text = told.ToldText(runs.text, runs.hash, runs.by, runs.at, runs.release)
            missing[topic] = told.encode(text)
            if candidate is not None and candidate.beside == runs.hash:
                beside = told.ToldCandidate(
                    candidate.number, candidate.hash, candidate.text, candidate.beside
                )
                missing[told.topic_of_candidate(subject)] = told.encode(beside)
        if missing:
            with connection.transaction():
                epoch = self._held(connection)
                for topic in sorted(missing):
                    connection.execute(told.TELL_FIRST, (topic, epoch, missing[topic]))
            self._read(connection)

    def _read(self, connection: Connection[Any]) -> None:
        there = told.versions(connection)
        same = {topic: row for topic, row in self._rows.items() if there.get(topic) == row.version}
        changed = [topic for topic in there if told.is_text(topic) and topic not in same]
        self._rows = same | told.rows(connection, changed)

    def _tell(self, connection: Connection[Any], bodies: Mapping[str, bytes]) -> None:
        with connection.transaction():
            told.tell(connection, bodies, self._held(connection))
            connection.execute(told.NOTIFY)
        self._read(connection)

    def _held(self, connection: Connection[Any]) -> int:
        """Our epoch, which holds until the transaction ends; a command has none. 0 is none."""
        if self._fence is None:
            return 0
        self._fence.hold(connection)
        return self._fence.epoch

    @contextmanager
    def _reached(self) -> Iterator[Connection[Any]]:
        with self._lock:
            try:
                with explained(self._url):
                    if self._connection is None or self._connection.closed:
                        self._connection = connect(self._url, "releases", silent_s=_SILENT_S)
                        self._connection.execute(_SESSION)
                        self._rows = {}
                    yield self._connection
            except ClusterError as error:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                raise LedgerError(error.database, error.problem, error.hint) from error

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()


def _beside(row: told.ToldRow) -> str | None:
    try:
        found = told.read_candidate(row.body)
    except msgspec.DecodeError:
        return None
    return None if found is None else found.beside
