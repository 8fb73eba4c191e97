"""The journal of all nodes for who looks through all of it, and masks: in stretches of places.

A stretch is closed once it is full, or ends where somebody asked for it: nothing comes into it any
more, as places are given at the end alone. What is masked is in the tables of days, wherever its
place is.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from switchhook.cluster.days import day_of, table_of
from switchhook.errors import ClusterError, JournalError
from switchhook.journal.checking import UNREADABLE
from switchhook.journal.closed import Segment, SegmentState
from switchhook.journal.masking import ERASED_ASKED, Mask
from switchhook.journal.sealed import Scanned
from switchhook.journal.segment import content_hash
from switchhook.journal.source import moment_of
from switchhook.postgresql_server import connect, explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from psycopg import Connection

    from switchhook.cluster.merged_journal import MergedJournal
    from switchhook.journal.closed import RefusedBodies
    from switchhook.postgresql_server import Fence, Url

STRETCH = 50_000
_MAX_PLACE = 2**63 - 1
_ROWS = 500
_MOST_ENDS = 64
_UNDATED = "cluster_receipt_undated"

_TO_MASK = """SELECT p.node, p.seq, p.at FROM cluster_place p WHERE p.place = ANY(%s)"""
_COLUMNS = "kind, mono, asked, option, body, damage, hash"


class NothingRefused:
    """What the database refused is with the node whose record it was."""

    def names(self) -> list[str]:
        return []

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)

    def mask(self, name: str, mask: Callable[[bytes], tuple[bytes, int]]) -> int:
        del mask
        raise FileNotFoundError(name)


class SearchedJournal:
    """See above; one thread of the leader uses it. Raises JournalError."""

    def __init__(self, journal: MergedJournal, url: Url, fence: Fence) -> None:
        self._journal, self._url, self._fence = journal, url, fence
        self.refused: RefusedBodies = NothingRefused()
        self._ends: tuple[int, ...] = ()  # the last that were asked for
        self._times: dict[int, int] = {}
        self._changed: dict[str, set[str]] = {}  # tables with rows that were masked, by stretch

    def segments(self) -> tuple[Segment, ...]:
        """All stretches in order, the one that is not full yet last."""
        first, last = self._journal.first_seq(), self._journal.last_seq()
        if not first:
            return ()
        size = self._journal.size_bytes() // max(last - first + 1, 1)
        found: list[tuple[int, int, SegmentState]] = []
        at = first
        while at <= last:
            full = (at - 1) // STRETCH * STRETCH + STRETCH
            end = min((each for each in self._ends if at <= each < full), default=full)
            state = SegmentState.OPEN if end > last else SegmentState.SEALED
            found.append((at, min(end, last), state))
            at = found[-1][1] + 1
        self._look({place for stretch in found for place in stretch[:2]})
        return tuple(
            Segment(
                f"of all nodes, from record {at:,}",
                state,
                at,
                end,
                self._times.get(at),
                self._times.get(end),
                (end - at + 1) * size,
            )
            for at, end, state in found
        )

    def _look(self, places: set[int]) -> None:
        """See when the ends of stretches are from; what is gone has no time."""
        wanted = sorted(places - self._times.keys())
        if wanted:
            for record in self._journal.there(wanted):
                self._times[record.seq] = moment_of(record)

    def delete(self, segment: Segment) -> int:
        """Never: whole days are removed."""
        problem = "is a part of several days"
        raise JournalError(segment.name, problem, "have retention remove whole days")

    def removed(self, seq: int) -> bool:
        """Whether a record is gone with its day: then it has no place any more."""
        with self._connected() as connection:
            asked = "SELECT 1 FROM cluster_place WHERE place = %s"
            return connection.execute(asked, (seq,)).fetchone() is None

    def clear_strays(self) -> None:
        """There are none."""

    def scan(
        self,
        name: str,
        count: Callable[[bytes], int],
        *,
        after_seq: int = 0,
        until_seq: int = _MAX_PLACE,
        max_bytes: int = 1 << 20,
    ) -> Scanned:
        """Look through some of a stretch; `count` says how often a body is hit.

        To be called again with `after_seq` until `last_seq` is None.
        """
        segment = self._named(name)
        at, end = max(segment.first_seq - 1, after_seq), min(segment.last_seq, until_seq)
        hits: list[tuple[int, int]] = []
        damaged: list[tuple[int, int]] = []
        records = size = 0
        while at < end:
            some = self._journal.read(at, min(_ROWS, end - at), max_bytes=max_bytes)
            for each in some:
                if each.seq > end:
                    return Scanned(records, hits, None, damaged)
                at = each.seq
                if each.damage:
                    damaged.append((each.seq, each.seq))
                if times := count(each.body):
                    hits.append((each.seq, times))
                records += each.kind != UNREADABLE
                size += len(each.body)
            if not some:
                break
            if size >= max_bytes:
                return Scanned(records, hits, at if at < end else None, damaged)
        return Scanned(records, hits, None, damaged)

    def bodies(self, name: str, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Those of the records that are there, in order."""
        del name
        for each in self._journal.there(seqs):
            yield each.seq, each.body

    def mask(self, name: str, seqs: Iterable[int], mask: Mask) -> int:
        """Replace the bodies of records; gives how often `mask` struck.

        All or none; may be called again for the same. The rows as they were stay in their tables'
        files until `rewrite`.
        """
        wanted = sorted(seqs)
        changed = self._changed.setdefault(name, set())
        with self._connected() as connection, connection.transaction():
            self._fence.hold(connection)
            rows = connection.execute(_TO_MASK, (wanted,)).fetchall()
            return sum(_mask_row(connection, row, mask, changed) for row in rows)

    def leftovers(
        self, name: str, count: Callable[[bytes], int], pause: Callable[[], None] = lambda: None
    ) -> int:
        """How many tables still have masked rows as they were: no server shows us its files."""
        del count, pause
        return len(self._changed.get(name, ()))

    def rewrite(self, name: str) -> None:
        """Write the tables anew that masked rows are in; who writes or reads them waits."""
        changed = self._changed.get(name, set())
        for table in sorted(changed):
            with self._connected() as connection:
                connection.execute("SET statement_timeout = 0")
                connection.execute(f"VACUUM FULL {table}".encode())
            changed.discard(table)

    def adopt(self, segment: Segment) -> str:
        """There is nothing to adopt."""
        return segment.name

    def ask_roll(self, seq: int) -> None:
        """Have a stretch end with a place: what came later is another's business."""
        if seq not in self._ends:
            self._ends = (*self._ends, seq)[-_MOST_ENDS:]

    def _named(self, name: str) -> Segment:
        for each in self.segments():
            if each.name == name:
                return each
        raise JournalError(name, "is gone", "nothing needs to be done: it was deleted meanwhile")

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        try:
            with (
                explained(self._url),
                closing(connect(self._url, "erasing", silent_s=None)) as connection,
            ):
                connection.execute("SET lock_timeout = '10s'; SET statement_timeout = '60s'")
                yield connection
        except ClusterError as error:
            name = f"of all nodes ({error.database})"
            raise JournalError(name, error.problem, error.hint) from error


def _mask_row(
    connection: Connection[Any], place: tuple[int, int, int], mask: Mask, changed: set[str]
) -> int:
    """Mask one record where it stands; gives how often. What was damaged stays so."""
    node, seq, at = place
    for table, key in (("cluster_receipt", (node, seq, at)), (_UNDATED, (node, seq))):
        where = "node = %s AND seq = %s" + (" AND at = %s" if len(key) > 2 else "")
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM {table} WHERE {where} FOR UPDATE".encode(),  # noqa: S608 - ours
            key,
        ).fetchone()
        if row is None:
            continue
        kind, mono, asked, option, old, damage, known = row
        body, times = mask(old)
        new_asked = None if asked is None else ERASED_ASKED
        hash = known
        if not damage:
            whole = content_hash(seq, kind, at, mono, asked, option, old) == known
            new = content_hash(seq, kind, at, mono, new_asked, option, body)
            hash = new if whole else new ^ 1
        connection.execute(
            f"UPDATE {table} SET body = %s, asked = %s, hash = %s WHERE {where}".encode(),  # noqa: S608 - ours
            (body, new_asked, hash, *key),
        )
        changed.add(table if table == _UNDATED else table_of(day_of(at)))
        return times
    return 0
