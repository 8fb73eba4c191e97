"""What is told of records that are damaged: by their checksum, or as SQLite can't read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from switchhook.exotel.phone_numbers import counted
from switchhook.journal.segment import (
    CHECKED_FORMAT,
    COLUMNS,
    DAMAGE,
    DamagedSegment,
    Record,
    SegmentMeta,
    damaged,
    fits,
)

if TYPE_CHECKING:
    from switchhook.journal.source import JournalRecord

UNREADABLE = -1
"""The kind of what stands for records that can't be read at all; its seq is that of the last."""

_MOST_REFUSED = 1000
_MOST_BYTES = 8 << 20

UNCHECKED = "none"
"""In the place of a checksum where a segment's records have none."""

Rows = Callable[[int, int], list[Any]]
"""Gives rows from a seq on, at most so many; DamagedSegment where some of them can't be read."""


def is_whole(row: Any) -> bool:
    """Whether a record's checksum, in the last of its columns, fits it; True where it has none."""
    return row[7] == UNCHECKED or fits(row)


def record_of(row: Any, segment: str) -> Record:
    """A record from its columns and its checksum."""
    if is_whole(row):
        return Record(*row[:7])
    seq, kind, at = (value if isinstance(value, int) else UNREADABLE for value in row[:3])
    body = row[6] if isinstance(row[6], bytes) else b""
    damage = f"its checksum does not fit: journal/{segment} is damaged there"
    return Record(seq, kind, at, None, None, None, body, damage)


def damaged_in(records: Iterable[JournalRecord], first: int) -> Iterator[tuple[int, int]]:
    """The first and the last seq of each row of damaged ones among records from `first` on."""
    for each in records:
        if each.damage:  # what can't be read stands for all before it, too
            yield first if each.kind == UNREADABLE else each.seq, each.seq
        first = each.seq + 1


def lost(seq: int, segment: str) -> Record:
    """What stands for a record that can't be read."""
    damage = f"it can't be read: journal/{segment} is damaged"
    return Record(seq, UNREADABLE, 0, None, None, None, b"", damage)


def some_of(
    ask: Callable[[list[int]], list[Any]], seqs: list[int], segment: str, *, whole: bool
) -> list[Record]:
    """Some records of a segment, asked for by their seqs; what can't be read stands there as such.

    If `whole`, DamagedSegment where any of them can't.
    """
    try:
        return [record_of(row, segment) for row in ask(seqs)]
    except DamagedSegment:
        if whole:
            raise
    if len(seqs) == 1:
        return [lost(seqs[0], segment)]
    half = len(seqs) // 2
    parts = (seqs[:half], seqs[half:])
    return [each for part in parts for each in some_of(ask, part, segment, whole=whole)]


def with_gaps(
    found: list[Record], seqs: range, segment: str, is_refused: Callable[[int], bool]
) -> list[Record]:
    """The records with one damaged record for each run of `seqs` that is missing.

    Seqs count on by one, but for records that were refused: their bytes are kept beside the
    journal, and were told of.
    """
    filled: list[Record] = []

    def fill(until: int) -> None:
        missing = range(expected, until)
        if missing and not all(map(is_refused, missing[:_MOST_REFUSED])):
            last = missing[-1]
            what = f"records {expected:,} to {last:,} are" if len(missing) > 1 else "it is"
            said = f"{what} missing: journal/{segment} is damaged"
            filled.append(Record(last, UNREADABLE, 0, None, None, None, b"", said))

    expected = seqs.start
    for record in found:
        if record.kind != UNREADABLE:  # which stands for all before it, too
            fill(record.seq)
        filled.append(record)
        expected = record.seq + 1
    fill(seqs.stop)
    return filled


def rows_of(connection: apsw.Connection, meta: SegmentMeta, name: str, until: int) -> Rows:
    """The rows of a segment up to a seq, a few megabytes at a time."""
    crc = "crc" if meta.format >= CHECKED_FORMAT else f"'{UNCHECKED}'"
    sql = f"SELECT {COLUMNS}, {crc} FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"  # noqa: S608 - ours

    def rows(at: int, most: int) -> list[Any]:
        try:
            return fetch(connection.execute(sql, (at, until, most)), _MOST_BYTES)
        except DAMAGE as error:
            raise damaged(name, error) from error

    return rows


def walk(
    rows: Rows, seqs: range, segment: str, is_refused: Callable[[int], bool], limit: int = 500
) -> Iterator[list[Record]]:
    """The records of `seqs`, some at a time, with one that stands for those of each hole.

    What is missing at the end is not told of: nobody knows here how far the segment goes.
    """
    seq = seqs.start
    while seq < seqs.stop:
        try:
            found = [record_of(row, segment) for row in rows(seq, limit)]
        except DamagedSegment:
            found = around_hole(rows, seq, seqs.stop - 1, limit, segment)
        if not found:
            return
        end = found[-1].seq
        if end - seq + 1 != len(found):
            found = with_gaps(found, range(seq, end + 1), segment, is_refused)
        yield found
        seq = end + 1


def around_hole(rows: Rows, seq: int, last: int, limit: int, segment: str) -> list[Record]:
    """What can be read from `seq` on before a hole; one record in its place where it begins there.

    Finds the hole's end in some forty look-ups, as if there were no second one in it.
    """
    while limit > 1:
        limit //= 2
        with suppress(DamagedSegment):
            return [record_of(row, segment) for row in rows(seq, limit)]
    bad, good, step = seq, 0, 1
    while not good and bad < last:
        at = min(bad + step, last)
        try:
            found = rows(at, 1)
            good = found[0][0] if found else last + 1
        except DamagedSegment:
            bad, step = at, 2 * step
    good = good or last + 1
    while good - bad > 1:
        middle = (bad + good) // 2
        try:
            found = rows(middle, 1)
            # Where the record in the middle is no more there is the next one, not nearer.
            good = middle if not found or found[0][0] <= middle else min(good, middle)
        except DamagedSegment:
            bad = middle
    hole = lost(good - 1, segment)
    if good - 1 == seq:
        return [hole]
    what = f"records {counted(seq)} to record {counted(good - 1)} can't be read"
    return [msgspec.structs.replace(hole, damage=f"{what}: journal/{segment} is damaged")]


def fetch(cursor: apsw.Cursor, max_bytes: int) -> list[Any]:
    """The rows of a record each, until their bodies reach `max_bytes`."""
    rows: list[Any] = []
    for row in cursor:
        rows.append(row)
        max_bytes -= len(row[6]) if isinstance(row[6], bytes) else 0
        if max_bytes <= 0:
            break
    cursor.close()  # ends the read transaction, also where rows are left
    return rows
