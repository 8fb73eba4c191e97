"""What keeps a journal's segments in shape while nobody waits for it.

A thread of its own, of low priority, with connections of its own: it copies the write-ahead log
into the segment, makes the next segment ahead of need, seals the ones that are full, measures the
folder, and hears when the console asks for the open one to be sealed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import apsw
import msgspec

from switchhook.errors import JournalError
from switchhook.exotel.phone_numbers import counted
from switchhook.journal.commit import OpenSegment, must_abandon
from switchhook.journal.segment import (
    ROLL,
    SegmentFile,
    SegmentMeta,
    Synchronous,
    asked_roll,
    connect,
    create_segment,
    file_size,
    folder_size,
    read_meta,
    remove_segment_files,
)
from switchhook.sqlite_file import RawFile
from switchhook.system.priority import take_usual_turns

_NICENESS = 10
LOOK_S = 0.25
"""How often to look whether another process asks for something, while there is nothing to do."""


class JournalEvent(msgspec.Struct, frozen=True):
    """Something an operator may want to know; `str()` says it in one sentence.

    `name` is one of rolled, sealed, abandoned (segments), failing, recovered (writing), refused,
    lost, unwritten (records), cut_short (a segment's log), near_ceiling, at_ceiling (the folder),
    upkeep_failed. `count` is of records, commits or bytes; for a refused record it is its seq.
    """

    name: str
    segment: str = ""
    detail: str = ""
    count: int = 0

    @property
    def trouble(self) -> bool:
        """Whether somebody should act; the others are the course of things."""
        return self.name not in ("rolled", "sealed", "recovered")

    @property
    def happened(self) -> bool:
        """Whether it is said for good, each time; else it is how things stand, until it is over."""
        return self.name in ("abandoned", "refused", "cut_short", "upkeep_failed")

    def __str__(self) -> str:
        place = f" (segment {self.segment})" if self.segment else ""
        detail = f": {self.detail}" if self.detail else ""
        return (
            _SENTENCES[self.name].format(count=counted(self.count), seq=self.count) + place + detail
        )


_SENTENCES = {
    "rolled": "a new segment was begun",
    "sealed": "a full segment was sealed",
    "abandoned": "a segment was abandoned for a new one",
    "failing": "records can't be written and wait in memory",
    "recovered": "records are written again",
    "refused": "a record was refused by the database and its bytes are in refused/{seq}.bin",
    "lost": "records are lost",
    "unwritten": "{count} records were still in memory at the end and are lost",
    "cut_short": "{count} commits or more can't be read behind a damaged place of a log: restore"
    " that segment from a backup",
    "near_ceiling": "the journal nears its ceiling, with {count} bytes",
    "at_ceiling": "the journal has reached its ceiling of {count} bytes",
    "upkeep_failed": "a segment could not be looked after",
}


class Upkeep:
    """Looks after the segments of one journal, one task after the other."""

    def __init__(
        self,
        folder: Path,
        *,
        node: int,
        vfs: str | None,
        synchronous: Synchronous,
        ceiling_bytes: int,
        observe: Callable[[JournalEvent], None],
        roll: Callable[[int], None],
    ) -> None:
        """`roll` asks for the open segment to be left if it holds a seq."""
        self.measured_bytes = folder_size(folder)
        self._folder = folder
        self._node = node
        self._vfs = vfs
        self._synchronous: Synchronous = synchronous
        self._alarm_bytes = ceiling_bytes * 8 // 10
        self._alarmed = False
        self._observe = observe
        self._roll = roll
        self._prepared: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._kept: tuple[OpenSegment, apsw.Connection, RawFile] | None = None
        self._thread = threading.Thread(target=self._run, name="journal-upkeep", daemon=True)
        self._thread.start()
        self._tasks.put(self._measure)

    def checkpoint(self, segment: OpenSegment) -> None:
        """Ask for the log to be copied into the segment."""
        self._tasks.put(partial(self._checkpoint, segment))

    def prepare_next(self) -> None:
        """Ask for a segment to be made ahead."""
        self._tasks.put(self._prepare)

    def seal(self, segment: OpenSegment) -> None:
        """Ask for a full segment to be sealed and closed; the caller writes to it no more."""
        self._tasks.put(partial(self._seal, segment.connection, segment.name))

    def seal_leftovers(self, segments: list[SegmentFile]) -> None:
        """Ask for those to be sealed which a crash left open; the last of them is not one."""
        self._tasks.put(partial(self._seal_leftovers, segments))

    def let_go(self, segment: OpenSegment) -> None:
        """Ask for a segment to be closed as it is; the caller writes to it no more."""
        self._tasks.put(partial(self._let_go, segment))

    def take_prepared(self) -> str | None:
        """Give the path of the segment made ahead, once; None if there is none."""
        try:
            return self._prepared.get_nowait()
        except queue.Empty:
            return None

    def measure(self) -> int:
        """Count the folder's bytes again; alarm once when they near the ceiling."""
        self.measured_bytes = size = folder_size(self._folder)
        if size < self._alarm_bytes // 2:  # well below, so that one alarm stays one
            self._alarmed = False
        elif size >= self._alarm_bytes and not self._alarmed:
            self._alarmed = True
            self._observe(JournalEvent("near_ceiling", count=size))
        return size

    def close(self, timeout: float) -> None:
        """Finish what was asked for and end, in at most `timeout` seconds."""
        self._tasks.put(self._drop_kept)
        self._tasks.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        _lower_priority()
        while (task := self._next_task()) is not None:
            try:
                task()
            except (apsw.Error, OSError, JournalError) as error:
                self._observe(
                    JournalEvent("upkeep_failed", detail=str(error) or type(error).__name__)
                )
        while (path := self.take_prepared()) is not None:
            remove_segment_files(path)

    def _next_task(self) -> Callable[[], None] | None:
        """What was asked for; a look at what other processes ask for where nothing was."""
        try:
            return self._tasks.get(timeout=LOOK_S)
        except queue.Empty:
            return self._look_for_roll

    def _look_for_roll(self) -> None:
        seq = asked_roll(self._folder)
        if seq is not None:
            # Whoever asked will ask again if we end before it is done.
            (self._folder / ROLL).unlink(missing_ok=True)
            self._roll(seq)

    def _measure(self) -> None:
        self.measure()

    def _prepare(self) -> None:
        self._prepared.put(create_segment(self._folder, node=self._node, vfs=self._vfs))

    def _checkpoint(self, segment: OpenSegment) -> None:
        if segment.condemned:
            return
        if self._kept is None or self._kept[0] is not segment:
            self._drop_kept()
            connection = connect(segment.file.path, vfs=self._vfs, synchronous=self._synchronous)
            self._kept = (segment, connection, RawFile(segment.file.path, vfs=self._vfs))
        _, connection, file = self._kept
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            # Where commits went on meanwhile, SQLite neither synced the file nor may begin the
            # log anew. Sync here what was copied, and the writer's own pass over the few frames
            # that are left is short.
            file.sync()
            segment.closing_pass_due = True
        except apsw.Error as error:
            segment.condemned = must_abandon(error)
            raise
        finally:
            segment.log_bytes = 0
            segment.checkpoint_asked = False
        self.measure()

    def _seal(self, connection: apsw.Connection, name: str) -> None:
        self._drop_kept()
        try:
            connection.execute("UPDATE meta SET value = 1 WHERE key = 'sealed'")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            connection.close()
        self._observe(JournalEvent("sealed", name))
        self.measure()

    def _seal_leftovers(self, segments: list[SegmentFile]) -> None:
        for file, successor in pairwise(segments):
            if not (Path(file.path).exists() and Path(successor.path).exists()):
                continue  # the console has deleted it meanwhile
            has_log = bool(file_size(file.path + "-wal"))
            # A log tells without opening thousands; a crash between roll and seal, the last.
            if not has_log and successor is not segments[-1]:
                continue
            after = self._meta(successor)
            if after.previous_abandoned or after.first_seq is None:
                continue  # an fsync failed in it, or may have: its log must stay as it is
            if has_log or not self._meta(file).sealed:
                self._seal(connect(file.path, vfs=self._vfs), file.name)

    def _meta(self, file: SegmentFile) -> SegmentMeta:
        connection = connect(file.path, vfs=self._vfs)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        try:
            return read_meta(connection, file.name)
        finally:
            connection.close()

    def _let_go(self, segment: OpenSegment) -> None:
        self._drop_kept()
        _close(segment, segment.connection)

    def _drop_kept(self) -> None:
        if self._kept is not None:
            segment, connection, file = self._kept
            self._kept = None
            _close(segment, connection)
            file.close()


def _close(segment: OpenSegment, connection: apsw.Connection) -> None:
    if segment.condemned:
        # The log is all that is known to be whole: leave it beside the file.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process's
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        take_usual_turns()
