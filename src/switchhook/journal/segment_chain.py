"""The segments of a journal as its writer sees them: the one that is open, and the next one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from switchhook.errors import JournalError
from switchhook.journal.commit import OpenSegment, must_abandon
from switchhook.journal.opening import find_end
from switchhook.journal.segment import (
    Synchronous,
    connect,
    create_segment,
    place_segment,
    read_meta,
)
from switchhook.journal.upkeep import JournalEvent, Upkeep


class SegmentSizes(NamedTuple):
    """When a segment is full, when the whole folder is, and when a log is copied; in bytes."""

    segment: int
    ceiling: int
    checkpoint: int


class SegmentChain:
    """Begins a segment after the other; used by the writer's thread, but for `size_bytes`.

    `durable_seq` is up to where everything is durable, or was refused. `at_ceiling` is whether it
    was said that the folder is full.
    """

    def __init__(
        self,
        folder: Path,
        node: int,
        vfs: str | None,
        synchronous: Synchronous,
        sizes: SegmentSizes,
        observe: Callable[[JournalEvent], None],
    ) -> None:
        self._folder, self._node, self._vfs, self._sizes = folder, node, vfs, sizes
        self._synchronous: Synchronous = synchronous
        self._observe = observe
        self._wake: Callable[[], None] = lambda: None
        self._roll_seq = -1  # a segment that begins at it or before takes no more records
        self.at_ceiling = False
        end = find_end(folder, node=node, vfs=vfs, synchronous=synchronous)
        self._segment, self.durable_seq = end.segment, end.seq
        self._leftovers = list(end.segments)
        self._predecessor: dict[str, int | str] = {"previous": end.identity} if end.identity else {}
        if end.lost:
            self._predecessor["previous_abandoned"] = 1
            observe(JournalEvent("cut_short", end.segments[-1].name, count=end.lost))

    def begin(self, wake: Callable[[], None]) -> None:
        """Look after the segments from now on; `wake` has the writer look whether it must roll."""
        self._wake = wake
        self._upkeep = Upkeep(
            self._folder,
            node=self._node,
            vfs=self._vfs,
            synchronous=self._synchronous,
            ceiling_bytes=self._sizes.ceiling,
            observe=self._observe,
            roll=self._roll_up_to,
        )
        self._upkeep.seal_leftovers(self._leftovers)

    @property
    def name(self) -> str:
        """The open segment's; empty where there is none."""
        return self._segment.name if self._segment else ""

    @property
    def size_bytes(self) -> int:
        """About what the journal's folder weighs."""
        segment = self._segment
        return self._upkeep.measured_bytes + (segment.log_bytes if segment else 0)

    def segment_for(self, seq: int) -> OpenSegment:
        """Give the segment that is to take the record `seq` and those after it.

        JournalError where the folder is full.
        """
        self._check_ceiling()
        return self._open_for(seq)

    def must_roll(self) -> bool:
        """Whether the open segment is to be left for a new one."""
        segment = self._segment
        if segment is None:
            return False
        return segment.file.first_seq <= self._roll_seq or not segment.checked

    def roll(self) -> None:
        """Leave the open segment for a new one."""
        self._open_for(self.durable_seq + 1)

    def committed(self) -> None:
        """Have looked after what a commit has made grow. Raises apsw.Error."""
        segment = self._segment
        if segment is None:
            return
        if segment.closing_pass_due:
            segment.closing_pass_due = False
            segment.checkpoint()
        elif segment.log_bytes >= self._sizes.checkpoint and not segment.checkpoint_asked:
            segment.checkpoint_asked = True
            self._upkeep.checkpoint(segment)
        if segment.stored_bytes >= self._sizes.segment // 2 and not segment.next_asked:
            segment.next_asked = True
            self._upkeep.prepare_next()

    def failed(self, error: Exception, detail: str) -> None:
        """Abandon the open segment where it can't be trusted after an error."""
        segment = self._segment
        if segment is not None and (must_abandon(error) or segment.condemned):
            self._abandon(segment, detail)

    def close(self, timeout: float, *, let_go: bool) -> None:
        """End what looks after segments; `let_go` of the open one, which nobody writes any more."""
        if let_go and self._segment is not None:
            self._upkeep.let_go(self._segment)
            self._segment = None
        self._upkeep.close(timeout)

    def _open_for(self, seq: int) -> OpenSegment:
        segment = self._segment
        if segment is not None and segment.condemned:
            self._abandon(segment, "its checkpoint failed")
        elif segment is not None:
            if segment.stored_bytes < self._sizes.segment and not self.must_roll():
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

    def _abandon(self, segment: OpenSegment, detail: str) -> None:
        segment.condemned = True
        self._segment = None
        self._predecessor = {"previous": segment.identity, "previous_abandoned": 1}
        self._upkeep.let_go(segment)
        self._observe(JournalEvent("abandoned", segment.name, detail))

    def _roll_up_to(self, seq: int) -> None:
        """Have the open segment left for a new one if it holds `seq`, and a record at all."""
        self._roll_seq = min(seq, self.durable_seq)
        self._wake()

    def _check_ceiling(self) -> None:
        ceiling = self._sizes.ceiling
        if self.size_bytes < ceiling or self._upkeep.measure() < ceiling:
            return
        if not self.at_ceiling:
            self.at_ceiling = True
            self._observe(JournalEvent("at_ceiling", count=ceiling))
        raise JournalError(
            str(self._folder),
            f"the journal has reached its ceiling of {ceiling} bytes",
            "move sealed segments away, or raise the ceiling",
        )
