"""The store in PostgreSQL: folded into by the node that leads, asked by any thread."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from switchhook.errors import ClusterError
from switchhook.exotel.phone_numbers import counted
from switchhook.postgresql_server import explained, name_of
from switchhook.store.maintenance import OpenTables
from switchhook.store.postgresql import schema
from switchhook.store.postgresql.connections import connect_writing
from switchhook.store.postgresql.reading import LAST_SEQ, PostgresqlReader
from switchhook.store.postgresql.statements import PREFIX
from switchhook.store.postgresql.tables import MovedError, PostgresqlTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg import Connection

    from switchhook.journal.source import JournalSource
    from switchhook.postgresql_server import Fence, Url
    from switchhook.streams.parsed_record import ParsedRecord

_LOOK_S = 3600.0
"""Between two looks for tables that no release uses any more."""
_NUMBERS = ("caller", "mention", "facet", "stream", "receipt")
"""The tables in whose deleted rows a number may still stand."""


class PostgresqlStore(PostgresqlReader):
    """The store in a database that all nodes share.

    `open` it to fold; to ask is possible at any time once somebody has. With a fence whatever is
    written is refused where another node leads: NotLeaderError, and nothing is written. What else
    fails is a ClusterError; the connection is opened anew at the next call, and what is remembered
    of the tables is read anew.
    """

    def __init__(
        self,
        url: Url,
        journal: JournalSource,
        *,
        fence: Fence | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, journal)
        self._fence, self._steady = fence, steady
        self._connection: Connection[Any] | None = None
        self._folding: OpenTables | None = None
        self._writing = threading.RLock()
        self._problem: ClusterError | None = None
        self._looked: float | None = None

    @property
    def problem(self) -> ClusterError | None:
        """Why it can't be folded into now; None where all is well."""
        return self._problem

    def open(self) -> None:
        """Make the tables where they are missing, and see that they are of this journal."""
        with self._writing:
            self._leave()
            self.mend()

    def close(self) -> None:
        """Close all connections."""
        with self._writing:
            self._leave()
        self._readers.close()

    def mend(self) -> None:
        """Open what a failure closed; now and then clear away what no release uses any more.

        To be called often: it costs nothing where all is well.
        """
        with self._changing():
            pass
        if self._looked is None or self._steady() - self._looked >= _LOOK_S:
            self._looked = self._steady()
            with self._changing(), self._fenced() as connection:
                schema.drop_unused(connection)

    def begin_again(self) -> None:
        """Empty the tables, whatever is in them: who leads folds the whole journal into them."""
        with self._saying():
            self._connect()
            with self._fenced() as connection:
                schema.create(connection)
                schema.empty(connection)
            self._folding = None

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._folding = None

    @contextmanager
    def _changing(self) -> Iterator[OpenTables]:
        """The tables, open for folding."""
        with self._saying():
            yield self._current()

    @contextmanager
    def _saying(self) -> Iterator[None]:
        """What fails closes the connection, and is said."""
        with self._writing:
            try:
                with explained(self._url):
                    yield
            except MovedError:
                self._folding = None
                raise
            except ClusterError as error:
                self._leave()
                self._problem = error
                raise
            self._problem = None

    def _current(self) -> OpenTables:
        connection = self._connect()
        if self._folding is None:
            with self._fenced():
                schema.create(connection)
            self._check(connection)
            tables = PostgresqlTables(connection, name_of(self._url), self._fence)
            self._folding = OpenTables(tables, self._journal)
        return self._folding

    def _connect(self) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._leave()
            self._connection = connect_writing(self._url)
        return self._connection

    @contextmanager
    def _fenced(self) -> Iterator[Connection[Any]]:
        """A transaction of whoever leads."""
        assert self._connection is not None, "only what is open is changed"
        with self._connection.transaction():
            if self._fence is not None:
                self._fence.hold(self._connection)
            yield self._connection

    def _check(self, connection: Connection[Any]) -> None:
        """ClusterError where the tables can't have been folded from this journal."""
        tables = PostgresqlTables(connection, name_of(self._url), None)
        progress, last = tables.progress(), self._journal.last_seq()
        if not progress.seq:
            return
        problem, seq = "", counted(progress.seq)
        if progress.node != self._journal.node:
            whose, ours = map(_whose, (progress.node, self._journal.node))
            problem = f"the store is folded from the journal of {whose}, this is that of {ours}"
        elif last < progress.seq:
            problem = f"the store is folded up to {seq}, but the journal ends at {counted(last)}"
        else:
            record = self._journal.get_many([progress.seq]).get(progress.seq)
            if record is not None and record.at != progress.at:
                problem = f"the store is folded from another journal: record {seq} differs"
        if problem:
            hint = "run `switchhook rebuild`, which makes it again from the journal"
            raise ClusterError(name_of(self._url), problem, hint)

    def fold(self, after: int, records: Sequence[ParsedRecord]) -> None:
        """Take the records after `after` in, unless somebody did meanwhile."""
        try:
            with self._changing() as folding:
                if after != folding.position:  # somebody else folded: what we remember is old
                    self._folding = None
                    folding = self._current()
                if records and after == folding.position:
                    folding.fold(records)
        except MovedError:
            return

    def erase_number(self, number: str | None, seqs: Sequence[int]) -> int:
        """Forget a number in E.164, if any, after the journal did: fold these records anew.

        Records that the store knows to name it are folded anew, too. Gives how many were found.
        What is deleted is taken out of the tables' files as well, where nobody still reads it.
        """
        with self._changing() as folding, self._durable() as connection:
            found = folding.records_of_number(number) if number else seqs
            folding.refold(sorted({*found, *seqs}))
            names = ", ".join(f"{PREFIX}{table}" for table in _NUMBERS)
            connection.execute(f"VACUUM (INDEX_CLEANUP ON) {names}".encode())
        return len(found)

    @contextmanager
    def _durable(self) -> Iterator[Connection[Any]]:
        """What is written meanwhile is there for good once it is said to be."""
        assert self._connection is not None, "only what is open is changed"
        self._connection.execute("SET synchronous_commit TO DEFAULT")
        try:
            yield self._connection
        finally:
            if not self._connection.closed:
                self._connection.execute("SET synchronous_commit = off")

    def holds_number(self, number: str, until_seq: int = LAST_SEQ) -> int:
        """How many records are known to name a number in E.164.

        What records after `until_seq` told of it is no remnant.
        """
        with self._changing() as folding:
            return sum(seq <= until_seq for seq in folding.records_of_number(number))

    def remove(self, before_ms: int, most: int) -> int:
        """Let go of at most `most` streams first told of before a time, and of what is older.

        Gives how many streams went; none where there is none so old.
        """
        with self._changing() as folding:
            seq, at = folding.oldest_kept(before_ms, most)
            return folding.drop_before(seq, at)

    def keep_stories(self, after_seq: int, before_seq: int, limit: int = 1000) -> int | None:
        """Write down streams that one receipt told, before the journal lets go of that.

        Gives the seq to go on after; None at the end.
        """
        with self._changing() as folding:
            return folding.keep_stories(after_seq, before_seq, limit)


def _whose(node: int | None) -> str:
    """Whose journal it is, by the node's number."""
    return "all nodes" if node is None else f"node {counted(node)}"
