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
from switchhook.journal.backlog import Backlog, BacklogEntry, Done, Group
from switchhook.journal.commit import REFUSALS
from switchhook.journal.health import Health
from switchhook.journal.refused import RefusedRecords
from switchhook.journal.segment import Synchronous
from switchhook.journal.segment_chain import SegmentChain, SegmentSizes
from switchhook.journal.upkeep import JournalEvent

MIB = 1 << 20
GIB = 1 << 30
_LAST_TRY_S = 1.0


def _at_once(function: Callable[[], None]) -> None:
    function()


class JournalWriter:
    """The one writer of a journal, opened or begun in `folder`, whose parent must be there.

    The event loop's thread owns `append` and every `done`; a thread of the writer's own takes all
    that is queued, commits it in one go and hands the `done`s back through `notify`.
    When the disk refuses to take them, records wait in bounded memory and are tried again, at
    growing intervals, for as long as it takes.

    `notify` runs a function in the loop's thread (`loop.call_soon_threadsafe`), where `done`s and
    `observe` are called; `defer` runs one there when it has done what is at hand
    (`loop.call_soon`). At `ceiling_bytes` for the whole folder writing stops as if the disk were
    full. A journal that can't be continued raises JournalError and stays as it is.
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
        self._folder, self._notify, self._observer = folder, notify, observe
        self._health = Health(trial_seconds)
        self._closing = False
        self._give_up = threading.Event()
        sizes = SegmentSizes(segment_bytes, ceiling_bytes, checkpoint_bytes)
        self._chain = SegmentChain(folder, node, vfs, synchronous, sizes, self._observe)
        lost = JournalEvent("lost", detail="the memory for those that wait is full")
        self._backlog = Backlog(
            self._chain.durable_seq + 1,
            max_records=pending_records,
            max_bytes=pending_bytes,
            on_loss=partial(self._observe, lost),
            defer=defer,
        )
        self._chain.begin(self._backlog.wake)
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
        return self._chain.size_bytes

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
        self._chain.close(max(timeout, _LAST_TRY_S), let_go=not self._thread.is_alive())
        return self._chain.durable_seq == self._backlog.next_seq - 1

    def _run(self) -> None:
        while True:
            slow = self._health.slow
            group = self._backlog.take(self._health.next_pause() if slow else None)
            if group.entries and not self._keep(group):
                return
            if group.mark is not None:
                group.mark.set()
            if not group.entries and self._chain.must_roll():
                self._roll_now()
            if self._backlog.empty():
                if self._closing:
                    return
                if self._health.slow and not group.entries:
                    self._try_disk()

    def _keep(self, group: Group) -> bool:
        """Write the group, however long that takes; False if the writer was told to give up."""
        last_try = False
        while True:
            try:
                refused = self._write(group.entries)
                break
            except (apsw.Error, OSError, JournalError) as error:
                self._stumble(error)
            if last_try:
                left = self._backlog.next_seq - 1 - self._chain.durable_seq
                self._observe(JournalEvent("unwritten", detail=self.last_error, count=left))
                return False
            last_try = self._give_up.wait(self._health.next_pause())
        self._chain.durable_seq = group.entries[-1].row[0]
        self._recover(time.monotonic() - group.queued)
        # After its loop was closed nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._notify(partial(self._backlog.settle, group.entries, refused))
        try:
            self._chain.committed()
        except apsw.Error as error:
            self._stumble(error)
        return True

    def _write(self, group: list[BacklogEntry]) -> dict[int, Exception]:
        rows = [entry.row for entry in group]
        segment = self._chain.segment_for(rows[0][0])
        try:
            segment.insert(rows)
        except REFUSALS:
            refused = segment.insert_singly(rows, RefusedRecords(self._folder))
        else:
            return {}
        for seq, error in refused.items():
            self._observe(JournalEvent("refused", segment.name, str(error), seq))
        return refused

    def _try_disk(self) -> None:
        started = time.monotonic()
        try:
            self._chain.segment_for(self._chain.durable_seq + 1).try_disk()
        except (apsw.Error, OSError, JournalError) as error:
            self._stumble(error)
        else:
            self._recover(time.monotonic() - started)

    def _roll_now(self) -> None:
        try:
            self._chain.roll()
        except (apsw.Error, OSError, JournalError) as error:
            self._stumble(error)

    def _stumble(self, error: Exception) -> None:
        if self._health.failed(error):
            self._observe(JournalEvent("failing", self._chain.name, self.last_error))
        self._chain.failed(error, self.last_error)

    def _recover(self, took: float) -> None:
        """Note a write that succeeded, `took` seconds after it was asked for."""
        if self._health.succeeded(took):
            self._chain.at_ceiling = False
            self._observe(JournalEvent("recovered"))

    def _observe(self, event: JournalEvent) -> None:
        with contextlib.suppress(RuntimeError):  # as above: no loop, nobody to tell
            self._notify(partial(self._observer, event))
