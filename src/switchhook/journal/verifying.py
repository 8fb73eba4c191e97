"""Whether a segment is whole, as a database and record by record: for who makes a copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from switchhook.errors import JournalError
from switchhook.exotel.phone_numbers import counted
from switchhook.journal.checking import rows_of, walk
from switchhook.journal.segment import DAMAGE, SegmentFile, read_meta

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from switchhook.journal.segment import Record

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
    rows = rows_of(connection, meta, file.name, until)
    bad: list[Record] = []
    last = file.first_seq - 1
    for records in walk(rows, range(file.first_seq, until + 1), file.name, is_refused):
        last = records[-1].seq
        bad += [each for each in records if each.damage][: _MOST_COUNTED - len(bad)]
    damage = _said(bad, until) or _of_database(connection)
    return Verified(damage, meta.uuid, meta.previous, last)


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
