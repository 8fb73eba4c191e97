"""Reading the journal, from any process, while it is written, killed and started again."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from switchhook.errors import JournalError
from switchhook.journal.asked import AskedQuestions, asked_spans
from switchhook.journal.checking import around_hole, is_whole, record_of, some_of, with_gaps
from switchhook.journal.connections import SegmentConnections
from switchhook.journal.listing import MAX_SEQ, Listing
from switchhook.journal.refused import RefusedRecords
from switchhook.journal.segment import (
    DamagedSegment,
    Record,
    SegmentFile,
    folder_size,
    list_segments,
    unusable,
)
from switchhook.journal.source import Origin

_MOST_NOTED = 1000
# A folder's time of change is only as fine as the kernel's tick: for this long a second change
# could hide behind the first.
_TICK_NS = 2_000_000_000
# Opening a segment changes the folder too, so a change alone is no reason to list thousands again.
_LOOK_S = 1.0

_UP = """SELECT seq, kind, at, mono, asked, option, body, {crc} FROM record
WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"""
_DOWN = """SELECT seq, kind, at, mono, asked, option, body, {crc} FROM record
WHERE seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT ?"""
_SOME = """SELECT seq, kind, at, mono, asked, option, body, {crc} FROM record
WHERE seq IN (SELECT value FROM json_each(?))"""
_FIRST_AT = "SELECT seq, at FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT 1"
_FIRST_MONO = """SELECT seq, mono FROM record
WHERE seq BETWEEN ? AND ? AND mono IS NOT NULL ORDER BY seq LIMIT 1"""
_LAST_SEQ = "SELECT max(seq) FROM record"
_META = "SELECT value FROM meta WHERE key = '{}'"
# Not from the index alone: callers are answered from it, so the record's checksum has to fit.
_ASKED = """SELECT seq, kind, at, mono, asked, option, body, {crc} FROM record NOT INDEXED
WHERE seq BETWEEN ? AND ? AND asked IS NOT NULL ORDER BY seq LIMIT ?"""
MOST_BYTES = 8 << 20
"""Bodies that are read at a time: whoever parses them holds several times as much."""
_ASKED_ROWS = 500  # keeps what is in memory at a time below a megabyte or so


class JournalReader:
    """Reads a journal and never holds a transaction open; any thread may call it.

    Segments that come and go are noticed. A journal that nobody has begun yet is empty. What
    can't be read raises JournalError with the segment's name. `yield_cpu` is called now and then
    while the database works, so that others may have the processor; it gives False.
    """

    def __init__(
        self,
        folder: Path,
        *,
        vfs: str | None = None,
        open_segments: int = 8,
        yield_cpu: Callable[[], bool] | None = None,
    ) -> None:
        self._folder = folder
        self._open = SegmentConnections(vfs=vfs, limit=open_segments, yield_cpu=yield_cpu)
        self._lock = threading.RLock()
        self._listing = Listing([])
        self._changed_ns = self._listed_ns = 0
        self._look_at = 0.0  # by the monotonic clock
        self.damage: dict[int, str] = {}
        """Records that were met and are not to be trusted, with why: the first of them."""

    def read(self, after_seq: int, limit: int, *, max_bytes: int = MOST_BYTES) -> list[Record]:
        """Give the records after `after_seq`, ascending, at most `limit` of them.

        Stops early once the bodies reach `max_bytes`, but never before the first record: an
        empty list, and nothing else, means that there is no more.
        """
        with self._lock:
            found: list[Record] = []
            seq = after_seq + 1
            while len(found) < limit and max_bytes > 0 and (listing := self._segments_for(seq)):
                place = listing.place(seq)
                _, last = listing.span(place)
                records = self._records(listing, place, seq, limit - len(found), max_bytes)
                found += records
                max_bytes -= sum(len(record.body) for record in records)
                if last == MAX_SEQ:
                    break
                seq = last + 1
            return found

    def read_back(
        self, before_seq: int | None, limit: int, *, max_bytes: int = MOST_BYTES
    ) -> list[Record]:
        """Give the records before `before_seq`, newest first; None begins at the end.

        Bounded as `read` is.
        """
        with self._lock:
            found: list[Record] = []
            seq = (MAX_SEQ if before_seq is None else before_seq) - 1
            listing = self._segments_for(seq)
            place = listing.place(seq) if listing else -1
            while place >= 0 and len(found) < limit and max_bytes > 0:
                first, last = listing.span(place)
                rows = self._open.rows(
                    listing.segments[place],
                    _DOWN,
                    (first, min(seq, last), limit - len(found)),
                    max_bytes,
                )
                records = [record_of(row, listing.segments[place].name) for row in rows]
                self._note(records)
                found += records
                max_bytes -= sum(len(record.body) for record in records)
                place -= 1
            return found

    def get(self, seq: int) -> Record | None:
        """Give one record; None where there is none."""
        return self.get_many([seq]).get(seq)

    def get_many(self, seqs: Iterable[int]) -> dict[int, Record]:
        """Give those of the records that are there and whole, by seq."""
        wanted = sorted(set(seqs))
        with self._lock:
            listing = self._segments_for(wanted[-1]) if wanted else Listing([])
            if not listing:
                return {}
            by_place = defaultdict(list)
            for seq in wanted:
                by_place[listing.place(seq)].append(seq)
            found = []
            for place, members in by_place.items():
                segment = listing.segments[place]
                newest = listing.span(place)[1] == MAX_SEQ  # its writer leaves it by itself
                ask = partial(_some, self._open, segment)
                found += some_of(ask, members, segment.name, whole=newest)
            self._note(found)
            return {record.seq: record for record in found if not record.damage}

    def seq_of(self, origin: Origin) -> int | None:
        """The number of a record by where it came from: its own, of this node; else None."""
        return origin.seq if origin.node == self.node else None

    def last_seq(self) -> int:
        """Give the seq of the newest record; 0 in an empty journal."""
        with self._lock:
            listing = self._segments_for(MAX_SEQ)
            if not listing:
                return 0
            newest = listing.segments[-1]
            rows = self._open.rows(newest, _LAST_SEQ, ())
            return rows[0][0] if rows and rows[0][0] is not None else newest.first_seq - 1

    def first_seq(self) -> int:
        """Give the seq that the oldest segment still there begins at; 0 if there is none."""
        with self._lock:
            listing = self._segments_for(MAX_SEQ)
            return listing.segments[0].first_seq if listing else 0

    @property
    def node(self) -> int | None:
        """The node whose journal it is; None before it is begun."""
        with self._lock:
            listing = self._segments_for(MAX_SEQ)
            if not listing:
                return None
            rows = self._open.rows(listing.segments[-1], _META.format("node"), ())
            return rows[0][0] if rows else None

    def segment_of(self, seq: int) -> tuple[str, int]:
        """The identity of the segment that a record is in, and the last seq that it can hold.

        Empty where that can't be read.
        """
        with self._lock:
            listing = self._segments_for(seq)
            if not listing:
                return "", MAX_SEQ
            place = listing.place(seq)
            try:
                rows = self._open.rows(listing.segments[place], _META.format("uuid"), ())
            except JournalError:
                rows = []
            return (rows[0][0] if rows else ""), listing.span(place)[1]

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

            return _bisect(low, end, reached)

    def seek_mono(self, mono_ms: int, low: int) -> int:
        """Find the first seq from `low` whose `mono` is not before `mono_ms`, or one past the last.

        All from `low` on have to be of one start of the machine.
        """
        with self._lock:

            def reached(seq: int) -> tuple[int, bool] | None:
                found = self._first(_FIRST_MONO, seq)
                return found and (found[0], found[1] >= mono_ms)

            return _bisect(max(self.first_seq(), low), self.last_seq() + 1, reached)

    def load_asked(self, limit: int = 500_000, *, since_seq: int = 0) -> AskedQuestions:
        """Give the newest `limit` questions, of those from `since_seq` on.

        Leaves out those whose checksum does not fit: they are asked anew. 500,000 take about
        2 s, and 40 bytes each.
        """
        asked = AskedQuestions.none()
        with self._lock:
            listing = self._segments_for(MAX_SEQ)
            for segment, first, last in asked_spans(self._open, listing, limit, since_seq):
                while rows := self._open.rows(segment, _ASKED, (first, last, _ASKED_ROWS)):
                    first = rows[-1][0] + 1
                    for row in rows:
                        if is_whole(row):
                            asked.remember(row)
        return asked

    def close(self) -> None:
        """Close what is open; a later call opens it again."""
        with self._lock:
            for segment in list(self._open.connections):
                self._open.drop(segment)

    def _first(self, sql: str, seq: int) -> tuple[int, int] | None:
        while listing := self._segments_for(seq):
            place = listing.place(seq)
            first, last = listing.span(place)
            rows = self._open.rows(listing.segments[place], sql, (max(seq, first), last))
            if rows:
                return rows[0][0], rows[0][1]
            if last == MAX_SEQ:
                break
            seq = last + 1
        return None

    def _segments_for(self, seq: int) -> Listing:
        """Give the segments; sure to be the latest ones where that could matter to `seq`."""
        listing = self._listing
        # What is before the newest segment that we know, no later one can change.
        self._refresh(sure=not listing or seq >= listing.segments[-1].first_seq)
        return self._listing

    def _refresh(self, *, sure: bool) -> None:
        if self._open.gone:
            self._open.gone = False
            self._changed_ns, self._look_at = 0, 0.0
        now = time.monotonic()
        if not sure and now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            self._listing = Listing([])
            return
        except OSError as error:
            raise unusable(str(self._folder), (error.strerror or str(error)).lower()) from error
        if changed_ns == self._changed_ns and not (
            sure and self._listed_ns - changed_ns <= _TICK_NS
        ):
            return
        self._changed_ns, self._listed_ns = changed_ns, time.time_ns()
        segments = list_segments(self._folder)
        if segments != self._listing.segments:
            self._listing = Listing(segments)
            for gone in self._open.connections.keys() - set(segments):
                self._open.drop(gone)

    def _records(
        self, listing: Listing, place: int, seq: int, limit: int, max_bytes: int
    ) -> list[Record]:
        """The records of a segment from `seq` on; what is damaged in it stands there as such."""
        segment, (first, last) = listing.segments[place], listing.span(place)
        seq = max(seq, first)

        def some(at: int, most: int) -> list[Any]:
            return self._open.rows(segment, _UP, (at, last, most), max_bytes)

        try:
            found = [record_of(row, segment.name) for row in some(seq, limit)]
        except DamagedSegment:
            if last == MAX_SEQ:  # its writer leaves it by itself
                raise
            found = around_hole(some, seq, last, limit, segment.name)
        end = found[-1].seq if found else seq - 1
        whole = end - seq + 1 == len(found)
        if end < last < MAX_SEQ and len(found) < limit and _follows(self._open, listing, place):
            more = some(end + 1, 1) if sum(len(each.body) for each in found) >= max_bytes else []
            whole, end = whole and bool(more), end if more else last
        if not whole:
            refused = RefusedRecords(self._folder)
            found = with_gaps(found, range(seq, end + 1), segment.name, refused.holds)
        self._note(found)
        return found

    def _note(self, found: list[Record]) -> None:
        for record in found:
            if record.damage and len(self.damage) < _MOST_NOTED:
                self.damage[record.seq] = record.damage


def _some(opened: SegmentConnections, segment: SegmentFile, seqs: list[int]) -> list[Any]:
    return opened.rows(segment, _SOME, (str(seqs),))


def _bisect(low: int, end: int, reached: Callable[[int], tuple[int, bool] | None]) -> int:
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


def _follows(opened: SegmentConnections, listing: Listing, place: int) -> bool:
    """Whether the segment after a place was begun after the one there: none is between."""
    try:
        uuid = opened.rows(listing.segments[place], _META.format("uuid"), ())
        previous = opened.rows(listing.segments[place + 1], _META.format("previous"), ())
    except JournalError:
        return False
    return bool(uuid) and uuid == previous
