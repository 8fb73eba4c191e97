"""The segment being written: how a group of records gets into it, and what an error means."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter

import apsw

from switchhook.journal.refused import RefusedRecords
from switchhook.journal.segment import (
    STATEMENT_ROWS,
    Row,
    SegmentFile,
    checksum,
    file_size,
)
from switchhook.sqlite_file import transaction

# What is wrong with a record itself, said by SQLite or by apsw while it binds the values.
REFUSALS = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.RangeError,
    apsw.TooBigError,
    OverflowError,
    TypeError,
    ValueError,
)

# Trouble that may pass: the same segment is tried again.
_PASSING = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
    apsw.IOError,
)
# ... but for these: what was written may be gone from the page cache, though a second fsync would
# succeed; or the file itself is bad or gone.
_LASTING = {
    apsw.SQLITE_IOERR_FSYNC,
    apsw.SQLITE_IOERR_DIR_FSYNC,
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_DATA,
    apsw.SQLITE_IOERR_CORRUPTFS,
    apsw.SQLITE_READONLY_DBMOVED,
}
_ROW_OVERHEAD = 80  # columns, index entry and cell headers of one record
_BODY = itemgetter(6)
# A cached statement keeps what was bound to it last, and there is one for each number of rows.
_CACHED_BYTES = 256 << 10
_COMMIT_OVERHEAD = 3 * 4096  # a commit logs the last leaf of table and index, whatever is in them


def must_abandon(error: Exception) -> bool:
    """Tell whether a segment can't be trusted with another write after this error."""
    if not isinstance(error, apsw.Error):
        return False
    return not isinstance(error, _PASSING) or getattr(error, "extendedresult", 0) in _LASTING


class OpenSegment:
    """The segment being written, with the writer's connection to it.

    `stored_bytes` is about what the file will weigh, `log_bytes` about what its write-ahead log
    has grown by since the last checkpoint; both are reckoned, as asking for them would cost the
    interpreter's lock in every group. `checked` is whether its records have checksums: one without
    is not written on. `claim` is what the first commit adds to what the segment
    says of itself, None where records are in it already.
    """

    def __init__(
        self,
        file: SegmentFile,
        identity: str,
        connection: apsw.Connection,
        claim: dict[str, int | str] | None,
        *,
        checked: bool = True,
    ) -> None:
        self.file = file
        self.identity = identity
        self.connection = connection
        self.log_bytes = file_size(file.path + "-wal")
        self.stored_bytes = file_size(file.path) + self.log_bytes
        self.checkpoint_asked = False
        self.closing_pass_due = False
        self.next_asked = False
        self.condemned = False  # an fsync failed: nothing more may be written or checkpointed
        self.checked = checked
        self._claim = claim

    @property
    def name(self) -> str:
        return self.file.name

    def leave_log(self) -> None:
        """Close it, and let its log stay as it is."""
        self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self.connection.close()

    def insert(self, rows: Sequence[Row]) -> None:
        """Write all rows, durably, or none."""
        if self._claim is None and len(rows) <= STATEMENT_ROWS:
            self._insert(rows)
        else:
            with transaction(self.connection):
                self._write_claim()
                for start in range(0, len(rows), STATEMENT_ROWS):
                    self._insert(rows[start : start + STATEMENT_ROWS])
            self._claim = None
        self._count(rows)

    def insert_singly(self, rows: Sequence[Row], aside: RefusedRecords) -> dict[int, Exception]:
        """Write what can be written, durably; gives why each of the others was refused, by seq.

        The bytes of those are durable in `aside` before the rest is.
        """
        refused: dict[int, Exception] = {}
        with transaction(self.connection):
            self._write_claim()
            for row in rows:
                try:
                    self._insert((row,))
                except REFUSALS as error:
                    refused[row[0]] = error
                    aside.set_aside(row[0], _bytes_of(row))
        self._claim = None
        self._count(row for row in rows if row[0] not in refused)
        return refused

    def try_disk(self) -> None:
        """Write something small, durably."""
        self.connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('trial', ?)", (time.time_ns() // 1_000_000,)
        )
        self._count(())

    def checkpoint(self) -> None:
        """Copy what is left of the log, so that the next commit begins it anew."""
        self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _insert(self, rows: Sequence[Row]) -> None:
        values = chain.from_iterable(map(_checked, rows))
        small = sum(map(len, map(_BODY, rows))) <= _CACHED_BYTES
        self.connection.execute(_insert_of(len(rows)), tuple(values), can_cache=small)

    def _write_claim(self) -> None:
        if self._claim is not None:
            self.connection.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", self._claim.items()
            )

    def _count(self, rows: Iterable[Row]) -> None:
        lengths = [*map(len, map(_BODY, rows))]
        grown = sum(lengths) + _ROW_OVERHEAD * len(lengths)
        self.stored_bytes += grown
        self.log_bytes += grown + _COMMIT_OVERHEAD


def _checked(row: Row) -> tuple[int | bytes | None, ...]:
    try:
        return (*row, checksum(*row))
    except (TypeError, struct.error):  # it is refused: the columns take nothing that has none
        return (*row, 0)


@cache
def _insert_of(rows: int) -> str:
    return "INSERT INTO record VALUES " + ",".join(["(?,?,?,?,?,?,?,?)"] * rows)  # noqa: S608 - constants


def _bytes_of(row: Row) -> bytes:
    body: object = row[6]
    return body if isinstance(body, bytes) else repr(body).encode("utf-8", "backslashreplace")
