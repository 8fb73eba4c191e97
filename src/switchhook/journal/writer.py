"""Writing the journal: queued by the event loop, made durable in groups by one thread.

A record gets its number when it is queued. One commit, with one fsync, makes all durable that came
meanwhile; then each is told of in the loop's thread. What fails is tried again, for however long.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw

from switchhook.errors import JournalError
from switchhook.journal.backlog import Backlog, BacklogEntry, Done
from switchhook.journal.commit import REFUSALS, OpenSegment, must_abandon
from switchhook.journal.health import Health
from switchhook.journal.opening import find_end
from switchhook.journal.segment import (
    Synchronous,
    connect,
    create_segment,
    place_segment,
    read_meta,
)
from switchhook.journal.upkeep import JournalEvent, Upkeep

MIB = 1 << 20
GIB = 1 << 30
_LAST_TRY_S = 1.0


def _at_once(function: Callable[[], None]) -> None:
    function()


class JournalWriter:
    """The one writer of a journal.

    The event loop's thread owns `append` and every `done`; a thread of the writer's own takes all
    that is queued, commits it in one go and hands the `done`s back through `notify`.
    When the disk refuses to take them, records wait in bounded memory and are tried again, at
    growing intervals, for as long as it takes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        node: int,
        notify: Callable[[Callable[[], None]], object],
        observe: Callable[[JournalEvent], None],
        defer: Callable[[Callable[[], None]], object] = _at_once,
        segment_bytes: int = 256 * MIB,
        ceiling_bytes: int = 50 * GIB,
        checkpoint_bytes: int = 8 * MIB,
        pending_bytes: int = 64 * MIB,
        pending_records: int = 100_000,
        trial_seconds: float = 0.25,
        vfs: str | None = None,
        synchronous: Synchronous = "FULL",
    ) -> None:
        """Open or begin the journal in `folder`, whose parent must be there.

        `notify` runs a function in the loop's thread (`loop.call_soon_threadsafe`), where `done`s
        and `observe` are called; `defer` runs one there when it has done what is at hand
        (`loop.call_soon`). At `ceiling_bytes` for the whole folder writing stops as if the
        disk were full. A journal that can't be continued raises JournalError and stays as it is.
        """
        self._folder = folder
        self._node = node
        self._notify = notify
        self._observer = observe
        self._segment_bytes = segment_bytes
        self._ceiling_bytes = ceiling_bytes
        self._checkpoint_bytes = checkpoint_bytes
        self._health = Health(trial_seconds)
        self._vfs = vfs
        self._synchronous: Synchronous = synchronous

        self._closing = self._at_ceiling = False
        self._roll_seq = -1  # a segment that begins at it or before takes no more records
        self._give_up = threading.Event()
        end = find_end(folder, node=node, vfs=vfs, synchronous=synchronous)
        self._segment = end.segment
        self._durable_seq = end.seq
        self._backlog = Backlog(
            end.seq + 1,
            max_records=pending_records,
            max_bytes=pending_bytes,
            on_loss=partial(
                self._observe, JournalEvent("lost", detail="the memory for those that wait is full")
            ),
            defer=defer,
        )
        self._predecessor: dict[str, int | str] = {"previous": end.identity} if end.identity else {}
        if end.lost:
            self._predecessor["previous_abandoned"] = 1
            self._observe(JournalEvent("cut_short", end.segments[-1].name, count=end.lost))
        self._upkeep = Upkeep(
            folder,
            node=node,
            vfs=vfs,
            synchronous=synchronous,
            ceiling_bytes=ceiling_bytes,
            observe=self._observe,
            roll=self._roll_up_to,
        )
        self._upkeep.seal_leftovers(list(end.segments))
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    @property
    def next_seq(self) -> int:
        """The seq that the next record will get."""
        return self._backlog.next_seq

    @property
    def healthy(self) -> bool:
        """Whether it is worth a caller's while to wait for `done`."""
        return not (self._health.slow or self._closing)

    @property
    def last_error(self) -> str:
        """What the last write that failed said; empty if none did."""
        return self._health.last_error

    @property
    def size_bytes(self) -> int:
        """About what the journal's folder weighs."""
        segment = self._segment
        return self._upkeep.measured_bytes + (segment.log_bytes if segment else 0)

    def append(
        self,
        kind: int,
        at: int,
        body: bytes,
        *,
        mono: int | None = None,
        asked: int | None = None,
        option: int | None = None,
        done: Done | None = None,
    ) -> int | None:
        """Queue a record in the loop's thread; gives its seq, None if memory is full.

        `done(True)` runs in the loop's thread once the record is durable, `done(False)` if the
        database refused it and its bytes were set aside. `at` is kept as it is, before the newest
        or not. What memory had no room for is counted, and told by a record of kind LOST as soon
        as there is room again.
        """
        if self._closing:
            raise JournalError(str(self._folder), "is closed", "append before close()")
        return self._backlog.add(kind, at, body, mono, asked, option, done)

    def mark_slow(self) -> None:
        """Note that a caller's deadline passed before its record was durable.

        `healthy` stays False until a write of the writer's own has succeeded in reasonable time.
        """
        self._health.overran()
        self._backlog.wake()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended before is durable; False if it isn't in time.

        `done`s may still be on their way to the loop.
        """
        mark = threading.Event()
        self._backlog.wake(mark)
        return mark.wait(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is queued and end; False if some of it could not be written in time.

        Where writing fails it takes up to two seconds longer, for one last try and for tidying up.
        """
        if not self._closing:
            self._backlog.report_lost()
            self._closing = True
            self._backlog.wake()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._give_up.set()
            self._thread.join(_LAST_TRY_S)  # a disk that hangs keeps the thread for good
        if not self._thread.is_alive() and self._segment is not None:
            self._upkeep.let_go(self._segment)
            self._segment = None
        self._upkeep.close(max(timeout, _LAST_TRY_S))
        return self._durable_seq == self._backlog.next_seq - 1

    def _run(self) -> None:
        while True:
            slow = self._health.slow
            group, mark = self._backlog.take(self._health.next_pause() if slow else None)
            if group and not self._keep(group):
                return
            if mark is not None:
                mark.set()
            if not group and self._must_roll(self._segment):
                self._roll_now()
            if self._backlog.empty():
                if self._closing:
                    return
                if self._health.slow and not group:
                    self._try_disk()

    def _keep(self, group: list[BacklogEntry]) -> bool:
        """Write the group, however long that takes; False if the writer was told to give up."""
        last_try = False
        while True:
            try:
                refused = self._write(group)
                break
            except (apsw.Error, OSError, JournalError) as error:
                self._stumble(error)
            if last_try:
                left = self._backlog.next_seq - 1 - self._durable_seq
                self._observe(JournalEvent("unwritten", detail=self.last_error, count=left))
                return False
            last_try = self._give_up.wait(self._health.next_pause())
        self._durable_seq = group[-1].row[0]
        self._recover(time.monotonic() - group[-1].queued)
        # After its loop was closed nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._notify(partial(self._backlog.settle, group, refused))
        self._after_commit()
        return True

    def _write(self, group: list[BacklogEntry]) -> dict[int, Exception]:
        rows = [entry.row for entry in group]
        self._check_ceiling()
        segment = self._segment_for(rows[0][0])
        try:
            segment.insert(rows)
        except REFUSALS:
            refused = segment.insert_singly(rows, self._folder / "refused")
        else:
            return {}
        for seq, error in refused.items():
            self._observe(JournalEvent("refused", segment.name, str(error), seq))
        return refused

    def _after_commit(self) -> None:
        segment = self._segment
        if segment is None:
            return
        if segment.closing_pass_due:
            segment.closing_pass_due = False
            try:
                segment.checkpoint()
            except apsw.Error as error:
                self._stumble(error)
        elif segment.log_bytes >= self._checkpoint_bytes and not segment.checkpoint_asked:
            segment.checkpoint_asked = True
            self._upkeep.checkpoint(segment)
        if segment.stored_bytes >= self._segment_bytes // 2 and not segment.next_asked:
            segment.next_asked = True
            self._upkeep.prepare_next()

    def _try_disk(self) -> None:
        started = time.monotonic()
        try:
            self._check_ceiling()
            self._segment_for(self._durable_seq + 1).try_disk()
        except (apsw.Error, OSError, JournalError) as error:
            self._stumble(error)
        else:
            self._recover(time.monotonic() - started)

    def _stumble(self, error: Exception) -> None:
        segment = self._segment
        name = segment.name if segment else ""
        if self._health.failed(error):
            self._observe(JournalEvent("failing", name, self.last_error))
        if segment is not None and (must_abandon(error) or segment.condemned):
            self._abandon(segment)

    def _recover(self, took: float) -> None:
        """Note a write that succeeded, `took` seconds after it was asked for."""
        if self._health.succeeded(took):
            self._at_ceiling = False
            self._observe(JournalEvent("recovered"))

    def _abandon(self, segment: OpenSegment) -> None:
        segment.condemned = True
        self._segment = None
        self._predecessor = {"previous": segment.identity, "previous_abandoned": 1}
        self._upkeep.let_go(segment)
        self._observe(JournalEvent("abandoned", segment.name, self.last_error))

    def _segment_for(self, seq: int) -> OpenSegment:
        """Give the segment that is to take the record `seq` and those after it."""
        segment = self._segment
        if segment is not None and segment.condemned:
            self._abandon(segment)
        elif segment is not None:
            if segment.stored_bytes < self._segment_bytes and not self._must_roll(segment):
                return segment
            self._predecessor = {"previous": segment.identity}
        path = self._upkeep.take_prepared()
        path = path or create_segment(self._folder, node=self._node, vfs=self._vfs)
        file = place_segment(path, self._folder, seq)
        connection = connect(file.path, vfs=self._vfs, synchronous=self._synchronous)
        identity = read_meta(connection, file.name).uuid
        self._segment = OpenSegment(
            file, identity, connection, {"first_seq": seq, **self._predecessor}
        )
        if segment is not None and not segment.condemned:
            self._upkeep.seal(segment)
        self._observe(JournalEvent("rolled", file.name))
        return self._segment

    def _roll_up_to(self, seq: int) -> None:
        """Have the open segment left for a new one if it holds `seq`, and a record at all."""
        self._roll_seq = min(seq, self._durable_seq)
        self._backlog.wake()

    def _must_roll(self, segment: OpenSegment | None) -> bool:
        if segment is None:
            return False
        return segment.file.first_seq <= self._roll_seq or not segment.checked

    def _roll_now(self) -> None:
        try:
            self._segment_for(self._durable_seq + 1)
        except (apsw.Error, OSError, JournalError) as error:
            self._stumble(error)

    def _check_ceiling(self) -> None:
        if self.size_bytes < self._ceiling_bytes or self._upkeep.measure() < self._ceiling_bytes:
            return
        if not self._at_ceiling:
            self._at_ceiling = True
            self._observe(JournalEvent("at_ceiling", count=self._ceiling_bytes))
        raise JournalError(
            str(self._folder),
            f"the journal has reached its ceiling of {self._ceiling_bytes} bytes",
            "move sealed segments away, or raise the ceiling",
        )

    def _observe(self, event: JournalEvent) -> None:
        with contextlib.suppress(RuntimeError):  # as above: no loop, nobody to tell
            self._notify(partial(self._observer, event))
