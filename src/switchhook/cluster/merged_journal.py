"""The journal of all nodes, as the leader gave its records their places: read as one.

Who reads it sees one row of records, each with its place for a number; `origin` says which node's
it is, and `steady` where in time it belongs. `placing` gives the places.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from switchhook.cluster.connections import Connections
from switchhook.cluster.view import node_text
from switchhook.errors import ClusterError, JournalError
from switchhook.exotel.times import DAY_MS
from switchhook.journal.reader import MOST_BYTES
from switchhook.journal.segment import Record, content_hash
from switchhook.journal.source import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from psycopg import Connection

    from switchhook.postgresql_server import Url

    T = TypeVar("T")

_MOST_NOTED = 1000
_STEP = 500
"""Records that are fetched at once: what is in memory beyond `max_bytes` is bounded by it."""
_MAX_PLACE = 2**63 - 1

# Each of our questions goes by a key; without figures of its tables the planner may not see that.
_SETTINGS = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"

_PLACE = "SELECT place, node, seq, at, steady FROM cluster_place"
_UP = f"{_PLACE} WHERE place > %s ORDER BY place LIMIT %s"
_DOWN = f"{_PLACE} WHERE place < %s ORDER BY place DESC LIMIT %s"
_SOME = f"{_PLACE} WHERE place = ANY(%s) ORDER BY place"
_LAST = "SELECT place FROM cluster_last_place"
_NEXT = "SELECT place, steady FROM cluster_place WHERE place >= %s ORDER BY place LIMIT 1"

_COLUMNS = "r.node, r.seq, r.kind, r.at, r.mono, r.asked, r.option, r.body, r.damage, r.hash"
# Between two times, which the planner sees: it looks at no other day's partition.
_DATED = f"""SELECT {_COLUMNS} FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
AS w (node, seq, at) JOIN cluster_receipt r USING (node, seq, at) WHERE r.at BETWEEN %s AND %s"""  # noqa: S608 - our words
_UNDATED = f"""SELECT {_COLUMNS} FROM unnest(%s::bigint[], %s::bigint[]) AS w (node, seq)
JOIN cluster_receipt_undated r USING (node, seq)"""  # noqa: S608 - our words
_BYTES = """SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM (
SELECT relid FROM pg_partition_tree('cluster_receipt') WHERE isleaf
UNION ALL SELECT 'cluster_receipt_undated'::regclass
UNION ALL SELECT 'cluster_place'::regclass) AS of_it"""


class PlaceRow(NamedTuple):
    """Where a record stands: its place, whose it is and its number there; times in Unix ms."""

    place: int
    node: int
    seq: int
    at: int
    steady: int


class MergedJournal:
    """See above. Any thread may call it. Raises JournalError.

    `damage` has records that were met and are not to be trusted, with why: the first of them.
    """

    def __init__(self, url: Url, *, yield_cpu: Callable[[], bool] | None = None) -> None:
        self._connections = Connections(url, "journal", settings=_SETTINGS)
        self._yield_cpu = yield_cpu
        self.damage: dict[int, str] = {}

    @property
    def node(self) -> int | None:
        """None: it is of several nodes, and each record says of which."""
        return None

    def read(self, after_seq: int, limit: int, *, max_bytes: int = MOST_BYTES) -> list[Record]:
        """Give the records after a place, ascending, at most `limit` of them.

        Stops early once the bodies reach `max_bytes`, but never before the first record: an
        empty list, and nothing else, means that there is no more.
        """
        return self._run(_UP, after_seq, limit, max_bytes)

    def read_back(
        self, before_seq: int | None, limit: int, *, max_bytes: int = MOST_BYTES
    ) -> list[Record]:
        """Give the records before a place, newest first; None begins at the end.

        Bounded as `read` is.
        """
        return self._run(_DOWN, _MAX_PLACE if before_seq is None else before_seq, limit, max_bytes)

    def get(self, seq: int) -> Record | None:
        """Give one record; None where there is none."""
        return self.get_many([seq]).get(seq)

    def get_many(self, seqs: Iterable[int]) -> dict[int, Record]:
        """Give those of the records that are there and whole, by place."""
        return {record.seq: record for record in self.there(seqs) if not record.damage}

    def there(self, seqs: Iterable[int]) -> list[Record]:
        """Give those of the records that are there, in order, damaged ones too."""
        wanted = sorted(set(seqs))

        def ask(connection: Connection[Any]) -> list[Record]:
            found: list[Record] = []
            for start in range(0, len(wanted), _STEP):
                rows = _rows(connection, _SOME, (wanted[start : start + _STEP],))
                found += self._records(connection, [PlaceRow(*row) for row in rows])
            return found

        return self._ask(ask) if wanted else []

    def seq_of(self, origin: Origin) -> int | None:
        """The place of a node's record; None where it has none, or none any more."""
        sql = "SELECT place FROM cluster_place WHERE node = %s AND seq = %s"
        return self._one(sql, (origin.node, origin.seq))

    def last_seq(self) -> int:
        """The place that was given last; 0 where none was."""
        return self._one(_LAST) or 0

    def first_seq(self) -> int:
        """The first place that is still there; 0 where none is."""
        return self._one("SELECT min(place) FROM cluster_place") or 0

    def size_bytes(self) -> int:
        """Count the bytes of all its tables, with their indexes."""
        return self._one(_BYTES) or 0

    def seek(
        self,
        at_ms: int,
        *,
        low: int = 1,
        high: int | None = None,
        time_of: Callable[[int, int], int] = lambda _seq, at: at,
    ) -> int:
        """Find the first place from `low` to before `high` whose time is not before `at_ms`.

        `high`, or one past the last, where there is none. `time_of` makes a record's time of its
        place and its steady time: times have to ascend in this stretch, which those of a node that
        was away don't. Takes some twenty look-ups, however long the journal is.
        """

        def ask(connection: Connection[Any]) -> int:
            first, end = max(low, 1), (_only(connection, _LAST) or 0) + 1
            found = end = end if high is None else min(high, end)
            while first < end:
                middle = (first + end) // 2
                rows = _rows(connection, _NEXT, (middle,))
                if not rows or rows[0][0] >= end:
                    end = middle
                elif time_of(*rows[0]) >= at_ms:
                    end, found = middle, rows[0][0]
                else:
                    first = rows[0][0] + 1
            return found

        return self._ask(ask)

    def close(self) -> None:
        """Close what is open; a later call opens it again."""
        self._connections.close()

    def _run(self, sql: str, start: int, limit: int, max_bytes: int) -> list[Record]:
        def ask(connection: Connection[Any]) -> list[Record]:
            at, left, found = start, max_bytes, list[Record]()
            while len(found) < limit and left > 0:
                rows = _rows(connection, sql, (at, min(_STEP, limit - len(found))))
                if not rows:
                    break
                at = rows[-1][0]
                some = self._records(connection, [PlaceRow(*row) for row in rows])
                for record in some:
                    if left <= 0:
                        return found
                    found.append(record)
                    left -= len(record.body)
            return found

        return self._ask(ask)

    def _records(self, connection: Connection[Any], places: Sequence[PlaceRow]) -> list[Record]:
        """The records of some places, in their order; what retention removed meanwhile is not."""
        rows = {(row[0], row[1]): row for row in _receipts(connection, places)}
        found = []
        for place in places:
            row = rows.get((place.node, place.seq))
            if row is not None:
                found.append(_record(place, row))
            if self._yield_cpu is not None:
                self._yield_cpu()
        for record in found:
            if record.damage and len(self.damage) < _MOST_NOTED:
                self.damage[record.seq] = record.damage
        return found

    def _one(self, sql: str, parameters: tuple[Any, ...] = ()) -> int | None:
        return self._ask(lambda connection: _only(connection, sql, parameters))

    def _ask(self, question: Callable[[Connection[Any]], T]) -> T:
        try:
            return self._connections.ask(question)
        except ClusterError as error:
            raise JournalError(
                f"of all nodes ({error.database})", error.problem, error.hint
            ) from error


def _receipts(connection: Connection[Any], places: Sequence[PlaceRow]) -> Iterator[Any]:
    """The rows of what stands at some places: by days, then those that no day has."""
    odd: list[PlaceRow] = []
    for start, end, some in _by_days(places):
        columns = ([each[at] for each in some] for at in (1, 2, 3))
        rows = _rows(connection, _DATED, (*columns, start, end))
        yield from rows
        if len(rows) < len(some):
            there = {(row[0], row[1]) for row in rows}
            odd += [each for each in some if (each.node, each.seq) not in there]
    if odd:
        yield from _rows(connection, _UNDATED, tuple([each[at] for each in odd] for at in (1, 2)))


def _by_days(places: Sequence[PlaceRow]) -> Iterator[tuple[int, int, list[PlaceRow]]]:
    """Places by the day of their own time, with its first and its last ms."""
    days: dict[int, list[PlaceRow]] = defaultdict(list)
    for each in places:
        days[each.at // DAY_MS].append(each)
    for day, some in sorted(days.items()):
        yield day * DAY_MS, (day + 1) * DAY_MS - 1, some


def _record(place: PlaceRow, row: Any) -> Record:
    _, seq, kind, at, mono, asked, option, body, damage, known = row
    origin = Origin(place.node, seq)
    if not damage and content_hash(seq, kind, at, mono, asked, option, body) != known:
        damage = f"its hash does not fit: record {seq:,} of {node_text(place.node)} is damaged"
        return Record(place.place, kind, at, None, None, None, body, damage, origin, place.steady)
    return Record(place.place, kind, at, None, asked, option, body, damage, origin, place.steady)


def _rows(connection: Connection[Any], sql: str, parameters: tuple[Any, ...]) -> list[Any]:
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(sql.encode(), parameters, prepare=False).fetchall()


def _only(connection: Connection[Any], sql: str, parameters: tuple[Any, ...] = ()) -> int | None:
    row = connection.execute(sql.encode(), parameters).fetchone()
    return None if row is None else row[0]
