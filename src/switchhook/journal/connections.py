"""Connections to a few segments at a time, for reading."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from switchhook.journal.checking import UNCHECKED, fetch
from switchhook.journal.segment import (
    BUSY_MS,
    CHECKED_FORMAT,
    DAMAGE,
    SegmentFile,
    damaged,
    file_size,
    read_meta,
    unusable,
)

_STEPS_BETWEEN_YIELDS = 250  # of SQLite's virtual machine: about 20 records
_TRIES = 3


class _Open(NamedTuple):
    """A connection to a segment, and where its rows have their checksum."""

    connection: apsw.Connection
    crc: str


class SegmentConnections:
    """Opens segments as they are asked; `gone` is whether one was found to be there no more."""

    def __init__(
        self,
        *,
        vfs: str | None,
        limit: int,
        yield_cpu: Callable[[], bool] | None,
    ) -> None:
        self.connections: OrderedDict[SegmentFile, _Open] = OrderedDict()
        self._vfs, self._limit, self._yield_cpu = vfs, limit, yield_cpu
        self.gone = False

    def rows(
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
                connection, crc = self._connection(segment)
                cursor = connection.execute(sql.replace("{crc}", crc), bindings)
                return cursor.fetchall() if max_bytes is None else fetch(cursor, max_bytes)
            except DAMAGE as error:
                self.drop(segment)
                raise damaged(segment.name, error) from error
            except apsw.Error as error:  # the writer is just recovering it, or it was moved away
                self.drop(segment)
                if not Path(segment.path).exists():
                    self.gone = True
                    return []
                problem = error
        raise unusable(segment.name, problem) from problem

    def _connection(self, segment: SegmentFile) -> _Open:
        opened = self.connections.get(segment)
        if opened is not None:
            self.connections.move_to_end(segment)
            return opened
        while len(self.connections) >= self._limit:
            self.drop(next(iter(self.connections)))
        # Reading needs the index of the log, which is a file to write: so not SQLITE_OPEN_READONLY.
        connection = apsw.Connection(
            segment.path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=self._vfs, statementcachesize=16
        )
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.pragma("query_only", 1)
            if self._yield_cpu is not None:
                connection.set_progress_handler(self._yield_cpu, _STEPS_BETWEEN_YIELDS)
            meta = read_meta(connection, segment.name)
        except BaseException:
            connection.close()
            raise
        crc = "crc" if meta.format >= CHECKED_FORMAT else f"'{UNCHECKED}'"
        opened = self.connections[segment] = _Open(connection, crc)
        return opened

    def drop(self, segment: SegmentFile) -> None:
        opened = self.connections.pop(segment, None)
        if opened is not None:
            connection = opened.connection
            # Records in the log are the writer's to copy. An empty log and its index are litter,
            # which SQLite clears away if nobody else has the segment open.
            busy = file_size(segment.path + "-wal") > 0
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(busy))
            connection.close()
