"""What is told of records that are damaged: by their checksum, or as SQLite can't read them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import apsw

from switchhook.exotel.phone_numbers import counted
from switchhook.journal.segment import DamagedSegment, Record, fits

UNREADABLE = -1
"""The kind of what stands for records that can't be read at all; its seq is that of the last."""

_MOST_REFUSED = 1000

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
            what = f"records {expected} to {last} are" if len(missing) > 1 else "it is"
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
    span = f"records {counted(seq)} to record {counted(good - 1)} can't be read"
    what = "it can't be read" if good - 1 == seq else span
    damage = f"{what}: journal/{segment} is damaged"
    return [Record(good - 1, UNREADABLE, 0, None, None, None, b"", damage)]


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
