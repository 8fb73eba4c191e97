"""What waits between the event loop and the writer's thread: numbered, bounded, in order."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from operator import attrgetter

import msgspec

from switchhook.journal.receipt import RecordKind
from switchhook.journal.segment import Row

Done = Callable[[bool], None]

_GROUP_RECORDS = 1024
_GROUP_BYTES = 8 << 20
_ENTRY_OVERHEAD = 400  # what a queued record weighs in memory beside its body


class BacklogEntry(msgspec.Struct, gc=False):
    """A record on its way to the disk."""

    row: Row
    size: int
    done: Done | None


_SIZE = attrgetter("size")


class Group(msgspec.Struct, gc=False):
    """What the writer takes in one go; `queued` is when its last was, by the monotonic clock.

    `mark` is to be set once all of it is durable.
    """

    entries: list[BacklogEntry]
    queued: float = 0.0
    mark: threading.Event | None = None


class _Lost(msgspec.Struct):
    count: int
    first_at: int
    last_at: int


class Backlog:
    """Records that are not durable yet.

    The loop's thread calls everything but `take`, which is the writer's. `on_loss` is called with
    the first of several that there was no room for.

    What the loop queues in one go is handed over as one run, by `defer`. Handed over one by one,
    records would be committed in groups of a few while the loop is still at it: no answer would
    leave earlier, and each commit takes the core and the interpreter's lock from the loop.
    """

    def __init__(
        self,
        next_seq: int,
        *,
        max_records: int,
        max_bytes: int,
        on_loss: Callable[[], None],
        defer: Callable[[Callable[[], None]], object],
    ) -> None:
        self.next_seq = next_seq
        self.count = self.bytes = 0
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._on_loss = on_loss
        self._defer = defer
        self._run: deque[BacklogEntry] = deque()
        self._lock = threading.Lock()  # `flush` and `close` hand over from other threads
        self._unreported: _Lost | None = None
        self._queue: queue.SimpleQueue[Group | threading.Event | None] = queue.SimpleQueue()

    def add(
        self,
        kind: int,
        at: int,
        body: bytes,
        mono: int | None,
        asked: int | None,
        option: int | None,
        done: Done | None,
    ) -> int | None:
        """Queue a record; gives its seq, None if there is no room."""
        size = len(body) + _ENTRY_OVERHEAD
        if self.count >= self._max_records or self.bytes + size > self._max_bytes:
            self._lose(at)
            return None
        return self._put((self.next_seq, kind, at, mono, asked, option, body), size, done)

    def wake(self, mark: threading.Event | None = None) -> None:
        """Let `take` return at once; it hands the mark over after all that was queued before."""
        self._hand_over()
        self._queue.put(mark)

    def settle(self, group: list[BacklogEntry], refused: dict[int, Exception]) -> None:
        """Make room again and tell those who wait what became of their records."""
        self.bytes -= sum(map(_SIZE, group))
        self.count -= len(group)
        self.report_lost()
        failure: Exception | None = None
        for entry in group:
            if entry.done is not None:
                try:
                    entry.done(entry.row[0] not in refused)
                # One caller's mistake must not leave the others of its group without an answer.
                except Exception as error:  # noqa: BLE001
                    failure = error
        if failure is not None:
            raise failure

    def report_lost(self) -> None:
        """Queue a record of what was lost, if something was; past the bounds, for it is small."""
        if self._unreported is not None:
            body = msgspec.json.encode(self._unreported)
            row = (self.next_seq, RecordKind.LOST, self._unreported.last_at, None, None, None, body)
            self._unreported = None
            self._put(row, len(body) + _ENTRY_OVERHEAD, None)

    def take(self, timeout: float | None) -> Group:
        """Take all that is queued, up to a bound, and a mark that follows it.

        Waits up to `timeout` seconds for the first; None waits until there is one, or `wake`.
        """
        group = Group([])
        size = 0
        try:
            item = self._queue.get(timeout=timeout)
            while True:
                if isinstance(item, Group):
                    group.entries += item.entries
                    group.queued = item.queued
                    size += sum(map(_SIZE, item.entries))
                    if len(group.entries) >= _GROUP_RECORDS or size >= _GROUP_BYTES:
                        break
                elif item is not None:
                    group.mark = item
                    break
                elif not group.entries:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        return group

    def empty(self) -> bool:
        """Whether nothing is queued; what `take` gave may still be on its way."""
        return self._queue.empty() and not self._run

    def _put(self, row: Row, size: int, done: Done | None) -> int:
        self.next_seq = row[0] + 1
        self.count += 1
        self.bytes += size
        self._run.append(BacklogEntry(row, size, done))
        if len(self._run) == 1:
            self._defer(self._hand_over)
        return row[0]

    def _hand_over(self) -> None:
        with self._lock:
            run = [self._run.popleft() for _ in range(len(self._run))]
            if run:
                self._queue.put(Group(run, time.monotonic()))

    def _lose(self, at: int) -> None:
        if self._unreported is None:
            self._unreported = _Lost(0, at, at)
            self._on_loss()
        self._unreported.count += 1
        self._unreported.last_at = at
        if not self.count:  # too large for the memory as a whole: nothing will make room
            self.report_lost()
