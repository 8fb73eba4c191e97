"""Reading the journal, from any process, while it is written, killed and started again."""

from __future__ import annotations

import sys
import threading
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from switchhook.journal.segment import (
    BUSY_MS,
    Record,
    Row,
    SegmentFile,
    damaged,
    file_size,
    folder_size,
    list_segments,
    read_meta,
    unusable,
)

_MAX_SEQ = 2**63 - 1
_STEPS_A_BREATH = 250  # of SQLite's virtual machine: about 20 records
_TRIES = 3
# A folder's time of change is only as fine as the kernel's tick: for this long a second change
# could hide behind the first.
_TICK_NS = 2_000_000_000
# Opening a segment changes the folder too, so a change alone is no reason to list thousands again.
_LOOK_S = 1.0

_UP = """SELECT seq, kind, at, mono, asked, option, body FROM record
WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"""
_DOWN = """SELECT seq, kind, at, mono, asked, option, body FROM record
WHERE seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?"""
_SOME = """SELECT seq, kind, at, mono, asked, option, body FROM record
WHERE seq IN (SELECT value FROM json_each(?))"""
_FIRST_AT = "SELECT seq, at FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT 1"
_FIRST_MONO = """SELECT seq, mono FROM record
WHERE seq BETWEEN ? AND ? AND mono IS NOT NULL ORDER BY seq LIMIT 1"""
_LAST_SEQ = "SELECT max(seq) FROM record"
_ASKED_START = """SELECT seq FROM record INDEXED BY record_asked
WHERE asked IS NOT NULL AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1 OFFSET ?"""
_ASKED_COUNT = """SELECT count(*) FROM record INDEXED BY record_asked
WHERE asked IS NOT NULL AND seq BETWEEN ? AND ?"""
# Half the time of making a Python object of each value: the numbers come as one run of bytes.
_ASKED = """SELECT group_concat(
  printf('%016x%016x%016x%016x%016x', seq, asked, coalesce(option, -1), coalesce(mono, -1), at), '')
FROM (SELECT seq, asked, option, mono, at FROM record INDEXED BY record_asked
  WHERE asked IS NOT NULL AND seq BETWEEN ? AND ? ORDER BY seq LIMIT ?)"""
_ASKED_ROWS = 5_000  # keeps what is in memory at a time below a megabyte


class Asked(NamedTuple):
    """The questions that were asked last, in the order of the journal: one array a column.

    `option` and `mono` are -1 where the record has none; `mono` and `at` are in ms.
    """

    seq: array[int]
    asked: array[int]
    option: array[int]
    mono: array[int]
    at: array[int]


class _Listing:
    """The segments as they were at one moment."""

    def __init__(self, segments: list[SegmentFile]) -> None:
        self.segments = segments
        self._first_seqs = [segment.first_seq for segment in segments]

    def __len__(self) -> int:
        return len(self.segments)

    def place(self, seq: int) -> int:
        """Find the segment that holds `seq`, or the first one after it; there must be one."""
        return max(bisect_right(self._first_seqs, seq) - 1, 0)

    def span(self, place: int) -> tuple[int, int]:
        """Give the first and last seq for which a segment is the truth."""
        last = self._first_seqs[place + 1] - 1 if place + 1 < len(self.segments) else _MAX_SEQ
        return self._first_seqs[place], last


class JournalReader:
    """Reads a journal and never holds a transaction open; any thread may call it.

    Segments that come and go are noticed. A journal that nobody has begun yet is empty. What
    can't be read raises JournalError with the segment's name. `breathe` is called now and then
    while the database works, so that others may have the processor; it gives False.
    """

    def __init__(
        self,
        folder: Path,
        *,
        vfs: str | None = None,
        open_segments: int = 8,
        breathe: Callable[[], bool] | None = None,
    ) -> None:
        self._folder = folder
        self._vfs = vfs
        self._breathe = breathe
        self._limit = open_segments
        self._lock = threading.RLock()
        self._connections: OrderedDict[SegmentFile, apsw.Connection] = OrderedDict()
        self._listing = _Listing([])
        self._changed_ns = self._listed_ns = 0
        self._look_at = 0.0  # by the monotonic clock

    def read(self, after_seq: int, limit: int, *, max_bytes: int = 32 << 20) -> list[Record]:
        """Give the records after `after_seq`, ascending, at most `limit` of them.

        Stops early once the bodies reach `max_bytes`, but never before the first record: an
        empty list, and nothing else, means that there is no more.
        """
        with self._lock:
            found: list[Record] = []
            seq = after_seq + 1
            while len(found) < limit and max_bytes > 0 and (listing := self._segments_for(seq)):
                place = listing.place(seq)
                first, last = listing.span(place)
                rows = self._rows(
                    listing.segments[place],
                    _UP,
                    (max(seq, first), last, limit - len(found)),
                    max_bytes,
                )
                found += [Record(*row) for row in rows]
                max_bytes -= sum(len(row[6]) for row in rows)
                if last == _MAX_SEQ:
                    break
                seq = last + 1
            return found

    def read_back(
        self, before_seq: int | None, limit: int, *, max_bytes: int = 32 << 20
    ) -> list[Record]:
        """Give the records before `before_seq`, newest first; None begins at the end.

        Bounded as `read` is.
        """
        with self._lock:
            found: list[Record] = []
            seq = (_MAX_SEQ if before_seq is None else before_seq) - 1
            listing = self._segments_for(seq)
            place = listing.place(seq) if listing else -1
            while place >= 0 and len(found) < limit and max_bytes > 0:
                first, last = listing.span(place)
                rows = self._rows(
                    listing.segments[place],
                    _DOWN,
                    (first, min(seq, last), limit - len(found)),
                    max_bytes,
                )
                found += [Record(*row) for row in rows]
                max_bytes -= sum(len(row[6]) for row in rows)
                place -= 1
            return found

    def get(self, seq: int) -> Record | None:
        """Give one record; None where there is none."""
        return self.get_many([seq]).get(seq)

    def get_many(self, seqs: Iterable[int]) -> dict[int, Record]:
        """Give those of the records that are there, by seq."""
        wanted = sorted(set(seqs))
        with self._lock:
            listing = self._segments_for(wanted[-1]) if wanted else _Listing([])
            if not listing:
                return {}
            by_place = defaultdict(list)
            for seq in wanted:
                by_place[listing.place(seq)].append(seq)
            return {
                row[0]: Record(*row)
                for place, members in by_place.items()
                for row in self._rows(listing.segments[place], _SOME, (str(members),))
            }

    def last_seq(self) -> int:
        """Give the seq of the newest record; 0 in an empty journal."""
        with self._lock:
            listing = self._segments_for(_MAX_SEQ)
            if not listing:
                return 0
            newest = listing.segments[-1]
            rows = self._rows(newest, _LAST_SEQ, ())
            return rows[0][0] if rows and rows[0][0] is not None else newest.first_seq - 1

    def first_seq(self) -> int:
        """Give the seq that the oldest segment still there begins at; 0 if there is none."""
        with self._lock:
            listing = self._segments_for(_MAX_SEQ)
            return listing.segments[0].first_seq if listing else 0

    @property
    def node(self) -> int | None:
        """The node whose journal it is; None before it is begun."""
        with self._lock:
            listing = self._segments_for(_MAX_SEQ)
            if not listing:
                return None
            rows = self._rows(listing.segments[-1], "SELECT value FROM meta WHERE key = 'node'", ())
            return rows[0][0] if rows else None

    def size_bytes(self) -> int:
        """Count the bytes of all the journal's files."""
        return folder_size(self._folder)

    def seek(
        self,
        at_ms: int,
        *,
        low: int = 1,
        high: int | None = None,
        time_of: Callable[[int, int], int] = lambda _seq, at: at,
    ) -> int:
        """Find the first seq from `low` to before `high` whose time is not before `at_ms`.

        `high`, or one past the last, where there is none. `time_of` makes a record's time of its
        seq and its `at`: times have to ascend in this stretch, which those of a clock that steps
        don't. Takes some twenty look-ups, however long the journal is.
        """
        with self._lock:
            low, end = max(self.first_seq(), low), self.last_seq() + 1
            end = end if high is None else min(high, end)

            def reached(seq: int) -> tuple[int, bool] | None:
                found = self._first(_FIRST_AT, seq)
                return found and (found[0], time_of(*found) >= at_ms)

            return self._bisect(low, end, reached)

    def seek_mono(self, mono_ms: int, low: int) -> int:
        """Find the first seq from `low` whose `mono` is not before `mono_ms`, or one past the last.

        All from `low` on have to be of one start of the machine.
        """
        with self._lock:

            def reached(seq: int) -> tuple[int, bool] | None:
                found = self._first(_FIRST_MONO, seq)
                return found and (found[0], found[1] >= mono_ms)

            return self._bisect(max(self.first_seq(), low), self.last_seq() + 1, reached)

    def _bisect(self, low: int, end: int, reached: Callable[[int], tuple[int, bool] | None]) -> int:
        """The first seq that is reached: `reached` gives the first record there, and whether."""
        high = end
        while low < high:
            middle = (low + high) // 2
            found = reached(middle)
            if found is None or found[0] >= high or found[1]:
                high = middle
            else:
                low = found[0] + 1
        found = reached(low) if low < end else None
        return min(found[0], end) if found else end

    def load_asked(self, limit: int = 500_000, *, since_seq: int = 0) -> Asked:
        """Give the newest `limit` questions, of those from `since_seq` on.

        Reads no body: 500,000 take about 0.3 s and 40 bytes each.
        """
        asked = Asked(array("q"), array("q"), array("q"), array("q"), array("q"))
        with self._lock:
            for segment, first, last in self._asked_spans(limit, since_seq):
                while True:
                    values = self._rows(segment, _ASKED, (first, last, _ASKED_ROWS))
                    if not values or not values[0][0]:
                        break
                    numbers = array("q", bytes.fromhex(values[0][0]))
                    if sys.byteorder == "little":
                        numbers.byteswap()
                    for offset, column in enumerate(asked):
                        column.extend(numbers[offset::5])
                    first = asked.seq[-1] + 1
        return asked

    def close(self) -> None:
        """Close what is open; a later call opens it again."""
        with self._lock:
            while self._connections:
                self._drop(next(iter(self._connections)))

    def _asked_spans(self, limit: int, oldest: int) -> list[tuple[SegmentFile, int, int]]:
        """Find which part of which segments holds the newest `limit` questions, in order."""
        spans: list[tuple[SegmentFile, int, int]] = []
        listing = self._segments_for(_MAX_SEQ)
        for place in reversed(range(len(listing))):
            first, last = listing.span(place)
            if limit <= 0 or last < oldest:
                break
            segment, first = listing.segments[place], max(first, oldest)
            start = self._rows(segment, _ASKED_START, (first, last, limit - 1))
            if start:
                first, limit = start[0][0], 0
            elif count := self._rows(segment, _ASKED_COUNT, (first, last)):
                limit -= count[0][0]
            spans.append((segment, first, last))
        return spans[::-1]

    def _first(self, sql: str, seq: int) -> tuple[int, int] | None:
        while listing := self._segments_for(seq):
            place = listing.place(seq)
            first, last = listing.span(place)
            rows = self._rows(listing.segments[place], sql, (max(seq, first), last))
            if rows:
                return rows[0][0], rows[0][1]
            if last == _MAX_SEQ:
                break
            seq = last + 1
        return None

    def _segments_for(self, seq: int) -> _Listing:
        """Give the segments; sure to be the latest ones where that could matter to `seq`."""
        listing = self._listing
        # What is before the newest segment that we know, no later one can change.
        self._refresh(sure=not listing or seq >= listing.segments[-1].first_seq)
        return self._listing

    def _refresh(self, *, sure: bool) -> None:
        now = time.monotonic()
        if not sure and now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            self._listing = _Listing([])
            return
        if changed_ns == self._changed_ns and not (
            sure and self._listed_ns - changed_ns <= _TICK_NS
        ):
            return
        self._changed_ns, self._listed_ns = changed_ns, time.time_ns()
        segments = list_segments(self._folder)
        if segments != self._listing.segments:
            self._listing = _Listing(segments)
            for gone in self._connections.keys() - set(segments):
                self._drop(gone)

    def _rows(
        self,
        segment: SegmentFile,
        sql: str,
        bindings: tuple[int | str, ...],
        max_bytes: int | None = None,
    ) -> list[Any]:
        """Fetch what `sql` finds, until bodies reach `max_bytes`; nothing of a segment now gone."""
        problem: apsw.Error | None = None
        for _ in range(_TRIES):
            try:
                cursor = self._connection(segment).execute(sql, bindings)
                return cursor.fetchall() if max_bytes is None else _fetch(cursor, max_bytes)
            except (apsw.CorruptError, apsw.NotADBError) as error:
                self._drop(segment)
                raise damaged(segment.name, error) from error
            except apsw.Error as error:  # the writer is just recovering it, or it was moved away
                self._drop(segment)
                if not Path(segment.path).exists():
                    self._changed_ns, self._look_at = 0, 0.0
                    return []
                problem = error
        raise unusable(segment.name, problem) from problem

    def _connection(self, segment: SegmentFile) -> apsw.Connection:
        connection = self._connections.get(segment)
        if connection is not None:
            self._connections.move_to_end(segment)
            return connection
        while len(self._connections) >= self._limit:
            self._drop(next(iter(self._connections)))
        # Reading needs the index of the log, which is a file to write: so not SQLITE_OPEN_READONLY.
        connection = apsw.Connection(
            segment.path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=self._vfs, statementcachesize=16
        )
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.pragma("query_only", 1)
            if self._breathe is not None:
                connection.set_progress_handler(self._breathe, _STEPS_A_BREATH)
            read_meta(connection, segment.name)
        except BaseException:
            connection.close()
            raise
        self._connections[segment] = connection
        return connection

    def _drop(self, segment: SegmentFile) -> None:
        connection = self._connections.pop(segment, None)
        if connection is not None:
            # Records in the log are the writer's to copy. An empty log and its index are litter,
            # which SQLite clears away if nobody else has the segment open.
            busy = file_size(segment.path + "-wal") > 0
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(busy))
            connection.close()


def _fetch(cursor: apsw.Cursor, max_bytes: int) -> list[Row]:
    rows: list[Row] = []
    for row in cursor:
        rows.append(row)
        max_bytes -= len(row[6])
        if max_bytes <= 0:
            break
    cursor.close()  # ends the read transaction, also where rows are left
    return rows
