"""Whether a segment is whole, as a database and record by record: for who makes a copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from switchhook.errors import JournalError
from switchhook.exotel.phone_numbers import counted
from switchhook.journal.checking import UNCHECKED, around_hole, fetch, record_of, with_gaps
from switchhook.journal.segment import (
    CHECKED_FORMAT,
    COLUMNS,
    DAMAGE,
    DamagedSegment,
    SegmentFile,
    damaged,
    read_meta,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import apsw

    from switchhook.journal.segment import Record

_ROWS = 500
_MOST_BYTES = 8 << 20
_MOST_COUNTED = 1000


class Verified(NamedTuple):
    """A segment as it was found: what is damaged in it, as a sentence's part, empty where nothing.

    `follows` is the id of the segment that it was begun after, `last` the seq of its last record.
    """

    damage: str
    id: str | None = None
    follows: str | None = None
    last: int = 0


def verify(
    connection: apsw.Connection, file: SegmentFile, until: int, is_refused: Callable[[int], bool]
) -> Verified:
    """Read all of a segment that is the truth, which is up to `until`; it raises nothing of damage.

    `is_refused` says of a missing record that the database had refused it.
    """
    if until < file.first_seq:
        return Verified("")  # a later attempt has all of it
    try:
        meta = read_meta(connection, file.name)
    except JournalError as error:
        return Verified(error.problem)
    crc = "crc" if meta.format >= CHECKED_FORMAT else f"'{UNCHECKED}'"
    sql = f"SELECT {COLUMNS}, {crc} FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"  # noqa: S608 - ours

    def rows(at: int, most: int) -> list[Any]:
        try:
            return fetch(connection.execute(sql, (at, until, most)), _MOST_BYTES)
        except DAMAGE as error:
            raise damaged(file.name, error) from error

    bad: list[Record] = []
    last = file.first_seq - 1
    for record in _records(rows, file, until, is_refused):
        last = record.seq
        if record.damage and len(bad) < _MOST_COUNTED:
            bad.append(record)
    damage = _said(bad, until) or _of_database(connection)
    return Verified(damage, meta.uuid, meta.previous, last)


def _records(
    rows: Callable[[int, int], list[Any]],
    file: SegmentFile,
    until: int,
    is_refused: Callable[[int], bool],
) -> Iterator[Record]:
    """All records up to a seq, with one that stands for those of each hole."""
    seq = file.first_seq
    while seq <= until:
        try:
            found = [record_of(row, file.name) for row in rows(seq, _ROWS)]
        except DamagedSegment:
            found = around_hole(rows, seq, until, _ROWS, file.name)
        if not found:
            return
        end = found[-1].seq
        if end - seq + 1 != len(found):
            found = with_gaps(found, range(seq, end + 1), file.name, is_refused)
        yield from found
        seq = end + 1


def _said(bad: list[Record], until: int) -> str:
    if not bad:
        return ""
    first = bad[0]
    why = first.damage.partition(":")[0]
    if first.seq >= until:
        why = "nothing can be read from some record on"
    elif why.startswith("it"):
        why = f"record {counted(first.seq)}: {why}"
    return f"{why}, and {len(bad) - 1} more like it" if len(bad) > 1 else why


def _of_database(connection: apsw.Connection) -> str:
    """What SQLite says of its file, where each record can be read and is whole."""
    try:
        found = str(connection.execute("PRAGMA integrity_check(1)").get)
    except DAMAGE as error:
        return str(error)
    return "" if found == "ok" else found.replace("\n", " ")
