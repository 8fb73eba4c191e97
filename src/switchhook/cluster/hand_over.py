"""One node's journal, handed over to the database record by record, each exactly once.

How far it is stands in the database alone (`cluster_handed`), and moves in the statement that puts
the records there: it moves from where it was last seen, or nothing happens. So a statement whose
end nobody heard of, a second shipper, a restored backup and a fail-over that lost something are all
one case: look where the database is, and go on there.

One statement does all of it, as each way there and back is time that a caller may wait for: COPY
would take five. A backlog goes at about two thirds of a plain COPY's rate (`make bench`), which is
many times what a node receives.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from switchhook.cluster import tables
from switchhook.cluster.content import (
    Handed,
    content_hash,
    is_same,
    may_be_masked,
    numbers_hash,
)
from switchhook.cluster.database_clock import DATABASE_MS, DatabaseClock
from switchhook.cluster.days import day_of, days_ahead, is_near
from switchhook.cluster.partitions import days_there, make_days
from switchhook.errors import ClusterError, DivergedError
from switchhook.journal.checking import UNREADABLE
from switchhook.journal.record_kind import RecordKind
from switchhook.journal.segment import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection
    from psycopg.errors import Diagnostic

log = logging.getLogger(__name__)

MOST_RECORDS, MOST_BYTES = 256, 1 << 19
"""Of one statement: more would be no faster, and take more memory."""
_LOOK_MS = 3_600_000  # the tables of the days ahead are looked after so often
_COLUMNS = "node, seq, at, segment, kind, mono, asked, option, body, damage, hash"
_REFUSED = "the database refused"
_SMALLEST, _BIGGEST = -(2**15), 2**15 - 1

_WHOSE = """
SELECT (SELECT id FROM cluster), (
  SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid IN (
    'cluster_handed'::regclass, 'cluster_receipt'::regclass,
    'cluster_receipt_undated'::regclass))"""
_FIRST = """
INSERT INTO cluster_handed (node, seq, segment, hash, numbers) VALUES (%b, 0, '', 0, 0)
ON CONFLICT DO NOTHING"""
_WHERE = "SELECT seq, hash, numbers FROM cluster_handed WHERE node = %b"
_MOVE = f"""
WITH moved AS (
  UPDATE cluster_handed SET seq = %b, segment = %b, hash = %b, numbers = %b,
    confirmed = least(%b, greatest(confirmed, %b)),
    clock_ms = %b, at = clock_timestamp(), one_copy = one_copy + %b
  WHERE node = %b AND seq = %b AND hash = %b RETURNING node
), come AS (
  SELECT moved.node, each.* FROM moved, unnest(
    %b::bigint[], %b::bigint[], %b::text[], %b::smallint[], %b::bigint[], %b::bigint[],
    %b::bigint[], %b::bytea[], %b::text[], %b::bigint[], %b::boolean[]
  ) AS each (seq, at, segment, kind, mono, asked, option, body, damage, hash, near)
), dated AS (
  INSERT INTO cluster_receipt ({_COLUMNS}) SELECT {_COLUMNS} FROM come WHERE near
), undated AS (
  INSERT INTO cluster_receipt_undated ({_COLUMNS}) SELECT {_COLUMNS} FROM come WHERE NOT near
)
SELECT count(*), {DATABASE_MS} FROM moved"""  # noqa: S608 - ours
_ABOVE = """
SELECT greatest(
  (SELECT max(seq) FROM cluster_receipt WHERE node = %b AND seq > %b),
  (SELECT max(seq) FROM cluster_receipt_undated WHERE node = %b AND seq > %b))"""
_THERE = " UNION ALL ".join(
    f"SELECT seq, kind, at, mono, asked, option, ''::bytea, damage, hash FROM {table}"  # noqa: S608 - ours
    " WHERE node = %b AND seq BETWEEN %b AND %b"
    for table in ("cluster_receipt", "cluster_receipt_undated")
)
_CONFLICT = """
INSERT INTO cluster_conflict (node, seq, hash, segment) VALUES (%b, %b, %b, %b)
ON CONFLICT DO NOTHING"""


class OwnJournal(Protocol):
    """The journal of the node that hands over."""

    @property
    def node(self) -> int | None: ...
    def read(self, after_seq: int, limit: int, *, max_bytes: int = ...) -> list[Record]: ...
    def first_seq(self) -> int: ...
    def last_seq(self) -> int: ...
    def segment_of(self, seq: int) -> tuple[str, int]: ...


class MovedError(Exception):
    """The database is not where it was left: somebody else handed over, or it was set back."""


class HandOver:
    """Hands records over on one connection, of which it is the only user.

    `begin` first; after any error but MovedError the connection is to be closed. `cluster` is the
    id of that which the node belongs to. `now_ms` is the system's clock, `mono_ms` one that never
    steps.
    """

    def __init__(
        self,
        connection: Connection[Any],
        journal: OwnJournal,
        node: int,
        cluster: str,
        *,
        now_ms: Callable[[], int],
        mono_ms: Callable[[], int],
    ) -> None:
        from psycopg.types.numeric import Int8BinaryDumper

        self._connection, self._journal = connection, journal
        self._node, self._cluster = node, cluster
        self._mono_ms = mono_ms
        self._clock = DatabaseClock(lambda: mono_ms() / 1000, now_ms)
        self._at = Handed(0, 0, 0)
        self._confirmed = self._noted = self._above = 0
        self._days: frozenset[int] = frozenset()
        self._looked_ms = 0
        self._warned = False
        # Else each size of numbers is a type of its own, and each mixture another statement.
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        connection.add_notice_handler(self._noticed)

    @property
    def seq(self) -> int:
        """Up to where everything is handed over."""
        return self._at.seq

    @property
    def settled(self) -> bool:
        """Whether the database knows that all it has is kept twice; it learns that by the next."""
        return self._noted >= self.seq

    def begin(self) -> None:
        """Find where the database is, and that it is this journal which it has.

        Raises DivergedError where it has another one, ClusterError where it is another cluster's;
        psycopg.Error, JournalError.
        """
        self._execute("SET lock_timeout = '2s'")
        tables.bring_up(self._connection, begin=False)
        self._check_database()
        # What is promised must not hang on a default that somebody has set for speed.
        row = self._execute("SHOW synchronous_commit")
        if row is not None and row[0] in ("off", "local"):
            self._execute("SET synchronous_commit = on")
        row = self._execute(_WHERE, self._node)
        if row is None:
            self._execute(_FIRST, self._node)
            row = self._execute(_WHERE, self._node)
        assert row is not None
        self._at = Handed(*row)
        self._verify()
        above = self._execute(_ABOVE, *(self._node, self._at.seq) * 2)
        self._above = (above and above[0]) or 0
        self._look_after_days()

    def _check_database(self) -> None:
        """Whether it is this cluster's, and whole. Raises ClusterError."""
        row = self._execute(_WHOSE)
        assert row is not None
        if row == (self._cluster, 3):
            return
        problem, hint = "it is another cluster's", "set cluster.database to that which was joined"
        if row[0] in (None, self._cluster):
            # What is put there before its keys are would be there twice once they come.
            problem, hint = "it is not whole", "wait until its restore is done, or restore it"
        raise ClusterError(self._connection.info.dbname, problem, hint)

    def following(self) -> list[Record]:
        """Some of the records that come next; empty where there are none. Raises JournalError.

        What neither the database nor the journal has any more comes as one that is damaged.
        """
        found = self._journal.read(self.seq, MOST_RECORDS, max_bytes=MOST_BYTES)
        first = self.seq + 1
        if not found or found[0].seq == first or not self.seq:
            return found
        begins = self._journal.first_seq()
        if begins <= first:
            return found
        said = (
            f"records {first:,} to {begins - 1:,} are missing: neither the database that the nodes"
        )
        said += " share nor this node's journal has them any more"
        log.error("%s", said)
        return [Record(begins - 1, UNREADABLE, 0, None, None, None, b"", said), *found]

    def hand_over(self, records: Sequence[Record]) -> bool:
        """Put records there that follow; whether all is known to be kept twice that is there now.

        With none the same is asked of what is there. Raises MovedError where the database is
        somewhere else by now: `begin` again; DivergedError as `begin`; psycopg.Error.
        Of records that the database refuses only some are put there; the others come again.
        """
        from psycopg.errors import DataError, IntegrityError

        if self._mono_ms() >= self._looked_ms + _LOOK_MS:
            self._look_after_days()
        last = self._last(records)
        new = self._not_there(records) if records and records[0].seq <= self._above else records
        self._make_days(new)
        self._warned, asked_s = False, self._mono_ms() / 1000
        try:
            row = self._execute(_MOVE, *self._arguments(last, records, new))
        except IntegrityError as error:  # a day's table was removed, or a row came beside us
            raise MovedError from error
        except DataError as error:
            return self.hand_over(self._narrowed(records, error))
        if row is None or not row[0]:
            raise MovedError
        self._clock.heard(asked_s, row[1])
        self._at, self._noted = last, self._confirmed
        # A commit waits until a standby has the log up to its own place in it, and with that all
        # that was committed before: a clean one tells of those before it that were not, too.
        if not self._warned:
            self._confirmed = last.seq
        return not self._warned

    def _narrowed(self, records: Sequence[Record], error: Exception) -> Sequence[Record]:
        """Fewer of some records that the database refuses; of one what it can't refuse.

        One record must not hold up all that come after it. Raises the error where that is refused.
        """
        if len(records) > 1:
            return records[: len(records) // 2]
        if not records or records[0].damage.startswith(_REFUSED):
            raise error
        reason = str(error).partition("\n")[0]
        said = f"{_REFUSED} record {records[0].seq:,}: {reason}"
        log.error("%s; it stands there without its content, which is in this node's journal", said)
        bare = Record(
            *(records[0].seq, records[0].kind, records[0].at), None, None, None, b"", said
        )
        return [bare]

    def _arguments(
        self, last: Handed, records: Sequence[Record], new: Sequence[Record]
    ) -> tuple[object, ...]:
        """What `_MOVE` takes."""
        segments = self._segments(new or records[-1:])
        return (
            *(last.seq, segments[-1] if segments else "", last.hash, last.numbers),
            *(last.seq, self._confirmed, self._clock.own_ahead_ms()),
            sum(each.kind == RecordKind.ONE_COPY for each in new),
            *(self._node, self._at.seq, self._at.hash),
            [each.seq for each in new],
            [each.at for each in new],
            segments if new else [],
            [each.kind if _SMALLEST <= each.kind <= _BIGGEST else UNREADABLE for each in new],
            [each.mono for each in new],
            [each.asked for each in new],
            [each.option for each in new],
            [each.body for each in new],
            [each.damage.replace("\0", "") for each in new],
            [content_hash(each) for each in new],
            [day_of(each.at) in self._days for each in new],
        )

    def _last(self, records: Sequence[Record]) -> Handed:
        if not records:
            return self._at
        last = records[-1]
        return Handed(last.seq, content_hash(last), numbers_hash(last))

    def _segments(self, records: Sequence[Record]) -> list[str]:
        """The identity of each record's segment."""
        found: list[str] = []
        name, until = "", -1
        for record in records:
            if record.seq > until:
                name, until = self._journal.segment_of(record.seq)
            found.append(name)
        return found

    def _verify(self) -> None:
        """Whether the last record that the database has is the one here. Raises DivergedError."""
        seq = self._at.seq
        if not seq or self._journal.first_seq() > seq:
            return  # what was handed over may be gone from here
        last = self._journal.last_seq()
        if last < seq:
            ours = self._journal.read(last - 1, 1)[-1:] if last else []
            self._diverge(ours[0] if ours else None, last)
        found = self._journal.read(seq - 1, 1)
        ours = [each for each in found if each.seq == seq or each.damage]
        if not ours or not is_same(ours[0], self._at):
            self._diverge(ours[0] if ours else None, seq)

    def _not_there(self, records: Sequence[Record]) -> list[Record]:
        """Those that the database lacks, where it has more than it says. Raises DivergedError."""
        span = (self._node, records[0].seq, records[-1].seq)
        rows = self._connection.execute(_THERE.encode(), span * 2).fetchall()
        there = {row[0]: _handed(row) for row in rows}
        for record in records:
            handed = there.get(record.seq)
            if handed is not None and not is_same(record, handed):
                self._diverge(record, record.seq)
        return [each for each in records if each.seq not in there]

    def _diverge(self, record: Record | None, seq: int) -> None:
        """Note it for all nodes, and stop."""
        hash = content_hash(record) if record is not None else 0
        segment, _ = self._journal.segment_of(seq)
        self._execute(_CONFLICT, self._node, seq, hash, segment)
        raise DivergedError(self._node, seq, self._at.seq)

    def _look_after_days(self) -> None:
        """Have the tables of the days to come; those that were made or dropped are known then."""
        self._clock.ask(self._connection)
        self._days = days_there(self._connection)
        self._looked_ms = self._mono_ms()
        self._have(days_ahead(self._today()))

    def _make_days(self, records: Sequence[Record]) -> None:
        """Have a table for each day of some records, but those of a clock that is wrong."""
        today = self._today()
        self._have(frozenset(day for each in records if is_near(day := day_of(each.at), today)))

    def _have(self, days: frozenset[int]) -> None:
        if days - self._days:
            make_days(self._connection, days)
            self._days = days_there(self._connection)

    def _today(self) -> int:
        """By the database's clock: what this machine's says may be what is wrong."""
        return day_of(self._clock.now_ms())

    def _noticed(self, notice: Diagnostic) -> None:
        # "canceling wait for synchronous replication", in whatever language: the rows are there,
        # and no standby has them. Any other warning in such a statement is taken for it.
        if notice.severity_nonlocalized == "WARNING":
            self._warned = True

    def _execute(self, sql: str, *arguments: object) -> tuple[Any, ...] | None:
        cursor = self._connection.execute(sql.encode(), arguments or None)
        return cursor.fetchone() if cursor.description else None


def _handed(row: Sequence[Any]) -> Handed:
    record = Record(*row[:8])
    return Handed(record.seq, row[8], numbers_hash(record), may_be_masked(record.asked))
