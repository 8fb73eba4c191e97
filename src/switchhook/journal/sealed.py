"""What is done with segments that nobody writes any more: listed, deleted, masked, made ready.

The answer side writes only the newest segment and deletes nothing; the rest is the console's, one
thread of it. Readers may have any of them open meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from switchhook.errors import JournalError
from switchhook.journal.checking import UNREADABLE, rows_of, walk
from switchhook.journal.closed import Segment, SegmentState
from switchhook.journal.masking import Mask, mask_row
from switchhook.journal.refused import RefusedRecords
from switchhook.journal.segment import (
    CHECKED_FORMAT,
    COLUMNS,
    SIDE_FILES,
    DamagedSegment,
    SegmentFile,
    SegmentMeta,
    ask_roll,
    checksum,
    connect,
    create_segment,
    damaged,
    file_size,
    list_segments,
    place_segment,
    read_meta,
    remove_segment_files,
    unusable,
)
from switchhook.sqlite_file import RawFile, transaction
from switchhook.system.file_system import sync_folder

_MAX_SEQ = 2**63 - 1
_ROWS = 500
_TRUNCATE_TRIES = 50
_TRUNCATE_PAUSE_S = 0.1
_OVERLAP = 256


class Scanned(NamedTuple):
    """A part of a segment: how many records, which of them are hit, and where to go on, if at all.

    `hits` has the seq of each, and how often it was hit; `damaged` the first and the last seq of
    each row of records that can't be read, or not be trusted.
    """

    records: int
    hits: list[tuple[int, int]]
    last_seq: int | None
    damaged: list[tuple[int, int]]


class SealedSegments:
    """The closed segments of the journal in a folder. Errors are JournalError.

    `refused` has what stands beside them.
    """

    def __init__(self, folder: Path, *, vfs: str | None = None) -> None:
        self._folder, self._vfs = folder, vfs
        self.refused = RefusedRecords(folder)
        self._known: dict[SegmentFile, tuple[int, Segment]] = {}

    def segments(self) -> tuple[Segment, ...]:
        """All segments in order, the open one too. Those that are known need no look inside."""
        files = list_segments(self._folder)
        found: list[Segment] = []
        for place, file in enumerate(files):
            last = files[place + 1].first_seq - 1 if place + 1 < len(files) else _MAX_SEQ
            with suppress(FileNotFoundError):
                found.append(self._look(file, last, files[place + 1 : place + 2]))
        self._known = {file: known for file, known in self._known.items() if file in files}
        return tuple(found)

    def delete(self, segment: Segment) -> int:
        """Remove a closed segment whole; gives the bytes that were freed.

        The newest segment is never removed: its name is what the journal counts on from.
        """
        file, state = self._closed(segment.name)
        if state is SegmentState.OPEN or file == list_segments(self._folder)[-1]:
            raise _hands_off(segment.name)
        freed = sum(file_size(file.path + side) for side in SIDE_FILES)
        remove_segment_files(file.path)
        sync_folder(self._folder)
        self._known.pop(file, None)
        return freed

    def removed(self, seq: int) -> bool:
        """Whether a record is gone with its whole segment."""
        segments = list_segments(self._folder)
        return not segments or seq < segments[0].first_seq

    def clear_strays(self) -> None:
        """Remove what belongs to segments that are gone.

        Logs, which a reader made while its segment was deleted, and bytes of refused records.
        """
        first = next((each.first_seq for each in list_segments(self._folder)), 0)
        self.refused.clear_before(first)
        for side in SIDE_FILES[1:]:
            for path in self._folder.glob(f"0*.sqlite{side}"):
                if not Path(str(path).removesuffix(side)).exists():
                    path.unlink(missing_ok=True)

    def scan(
        self,
        name: str,
        count: Callable[[bytes], int],
        *,
        after_seq: int = 0,
        until_seq: int = _MAX_SEQ,
        max_bytes: int = 1 << 20,
    ) -> Scanned:
        """Look through a closed segment; `count` says how often a body is hit.

        Ends after about `max_bytes`; to be called again with `after_seq` until `last_seq` is None.
        """
        file, _ = self._closed(name)
        span = self._span(file, until_seq)
        hits: list[tuple[int, int]] = []
        bad: list[tuple[int, int]] = []
        records, size, at = 0, 0, max(span[0], after_seq + 1)
        with self._reading(file) as connection:
            rows = rows_of(connection, read_meta(connection, file.name), file.name, span[1])
            for some in walk(rows, range(at, span[1] + 1), file.name, self.refused.holds):
                for each in some:
                    if each.damage:
                        bad.append((at if each.kind == UNREADABLE else each.seq, each.seq))
                    if times := count(each.body):
                        hits.append((each.seq, times))
                    records += each.kind != UNREADABLE
                    size += len(each.body)
                    at = each.seq + 1
                    if size >= max_bytes:
                        return Scanned(records, hits, each.seq, bad)
        return Scanned(records, hits, None, bad)

    def bodies(self, name: str, seqs: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Those of the records that are there, in order."""
        file, _ = self._closed(name)
        with self._reading(file) as connection:
            for start in range(0, len(seqs), _ROWS):
                rows: list[Any] = connection.execute(
                    "SELECT seq, body FROM record"
                    " WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
                    (str([*seqs[start : start + _ROWS]]),),
                ).fetchall()
                yield from rows

    def mask(self, name: str, seqs: Iterable[int], mask: Mask) -> int:
        """Replace the bodies of records in a sealed segment; gives how often `mask` struck.

        All or nothing, also when the process is killed or the power fails; may be called again for
        the same. When it returns, what was there before is not in the log any more, nor in the file
        unless SQLite had moved it about: `leftovers` looks, and `rewrite` mends that.
        """
        file, state = self._closed(name)
        if state is not SegmentState.SEALED:
            raise _hands_off(name)
        struck = 0
        with self._explained(file), closing(connect(file.path, vfs=self._vfs)) as connection:
            # A transaction that reads first is refused at once where the answer side's upkeep comes
            # between; one that is to write from the start waits for it. Closing undoes what failed.
            connection.execute("BEGIN IMMEDIATE")
            crc = read_meta(connection, file.name).format >= CHECKED_FORMAT
            for seq in seqs:
                struck += mask_row(connection, seq, mask, crc=crc)
            connection.execute("COMMIT")
            _empty_log(connection, file)
        return struck

    def leftovers(
        self, name: str, count: Callable[[bytes], int], pause: Callable[[], None] = lambda: None
    ) -> int:
        """How often the bytes of a segment's file are hit, whatever SQLite uses them for.

        `pause` is called after each megabyte.
        """
        file, _ = self._closed(name)
        found = 0
        with self._explained(file), RawFile(file.path, vfs=self._vfs) as raw:
            for part in raw.chunks(_OVERLAP):
                found += count(part)
                pause()
        return found

    def rewrite(self, name: str) -> None:
        """Write a sealed segment anew, so that nothing is in the file but its records."""
        file, state = self._closed(name)
        if state is not SegmentState.SEALED:
            raise _hands_off(name)
        with self._explained(file), closing(connect(file.path, vfs=self._vfs)) as connection:
            connection.execute("VACUUM")
            _empty_log(connection, file)

    def adopt(self, segment: Segment) -> str:
        """Make a whole, sealed segment of an abandoned one; gives its name.

        Only what readers see of it is taken over. The copy counts from the moment it has its name,
        so that a crash leaves the one or the other.
        """
        file, state = self._closed(segment.name)
        if state is not SegmentState.ABANDONED:
            return segment.name
        meta = self._meta(file)
        path = create_segment(self._folder, node=meta.node, vfs=self._vfs)
        crc = "crc" if meta.format >= CHECKED_FORMAT else f"checksum({COLUMNS})"
        try:
            with (
                self._explained(file),
                closing(connect(path, vfs=self._vfs)) as copy,
                self._reading(file) as source,
            ):
                source.create_scalar_function("checksum", _checksum, 7, deterministic=True)
                with transaction(copy):
                    copy.executemany(
                        "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        source.execute(
                            f"SELECT {COLUMNS}, {crc} FROM record WHERE seq BETWEEN ? AND ?",  # noqa: S608 - ours
                            self._span(file),
                        ),
                    )
                    copy.executemany(
                        "INSERT OR REPLACE INTO meta VALUES (?, ?)", _adopted(meta, file.first_seq)
                    )
                copy.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except BaseException:
            remove_segment_files(path)
            raise
        adopted = place_segment(path, self._folder, file.first_seq)
        remove_segment_files(file.path)
        sync_folder(self._folder)
        return adopted.name

    def ask_roll(self, seq: int) -> None:
        """Ask the answer side to seal the open segment if it holds `seq`; it looks soon."""
        with self._explained(None):
            ask_roll(self._folder, seq)

    def _look(self, file: SegmentFile, last: int, after: Sequence[SegmentFile]) -> Segment:
        size = sum(file_size(file.path + side) for side in SIDE_FILES[:2])
        known = self._known.get(file)
        if known is not None and known[0] == last:
            return known[1]
        state = SegmentState.SUPERSEDED
        rows: list[tuple[int, int]] = []
        if last >= file.first_seq:
            state = self._state(file, after)
            try:
                if state is not SegmentState.DAMAGED:
                    with self._reading(file) as connection:
                        rows = _ends(connection, file.first_seq, last)
            except DamagedSegment:
                if not after or state is SegmentState.OPEN:
                    raise
                state = SegmentState.DAMAGED
        if state is SegmentState.DAMAGED:
            return Segment(file.name, state, file.first_seq, last, bytes=size)
        segment = Segment(
            name=file.name,
            state=state,
            first_seq=file.first_seq,
            last_seq=rows[1][0] if rows else file.first_seq - 1,
            first_at=rows[0][1] if rows else None,
            last_at=rows[1][1] if rows else None,
            bytes=size,
        )
        if after and state is not SegmentState.OPEN:
            self._known[file] = last, segment
        return segment

    def _state(self, file: SegmentFile, after: Sequence[SegmentFile]) -> SegmentState:
        try:
            meta = self._meta(file)
        except DamagedSegment:
            if not after:  # its writer leaves it by itself
                raise
            return SegmentState.DAMAGED
        if meta.sealed:
            return SegmentState.SEALED if not file_size(file.path + "-wal") else self._settle(file)
        if not after:
            return SegmentState.OPEN
        # Until its successor says why it was begun, the writer may still be about to seal it.
        abandoned = self._meta(after[0]).previous_abandoned
        return SegmentState.ABANDONED if abandoned else SegmentState.OPEN

    def _settle(self, file: SegmentFile) -> SegmentState:
        """A sealed segment with a log: masking was cut short after it was durable."""
        with self._explained(file), closing(connect(file.path, vfs=self._vfs)) as connection:
            _empty_log(connection, file)
        return SegmentState.SEALED

    def _closed(self, name: str) -> tuple[SegmentFile, SegmentState]:
        """A segment and its state as they are now; JournalError where it is gone."""
        files = list_segments(self._folder)
        for place, file in enumerate(files):
            if file.name != name:
                continue
            after = files[place + 1 : place + 2]
            if after and after[0].first_seq == file.first_seq:
                return file, SegmentState.SUPERSEDED
            try:
                return file, self._state(file, after)
            except FileNotFoundError:
                break
        raise JournalError(name, "is gone", "nothing needs to be done: it was deleted meanwhile")

    def _span(self, file: SegmentFile, until_seq: int = _MAX_SEQ) -> tuple[int, int]:
        later = [each.first_seq for each in list_segments(self._folder) if each > file]
        return file.first_seq, min([*(seq - 1 for seq in later[:1]), until_seq])

    def _meta(self, file: SegmentFile) -> SegmentMeta:
        with self._reading(file) as connection:
            return read_meta(connection, file.name)

    @contextmanager
    def _reading(self, file: SegmentFile) -> Iterator[apsw.Connection]:
        with self._explained(file):
            if not Path(file.path).exists():
                raise FileNotFoundError(file.path)
            connection = connect(file.path, vfs=self._vfs)
            try:
                connection.pragma("query_only", 1)
                yield connection
            finally:
                # Records in a log are the writer's to copy; an empty one is litter.
                busy = file_size(file.path + "-wal") > 0
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(busy))
                connection.close()

    @contextmanager
    def _explained(self, file: SegmentFile | None) -> Iterator[None]:
        name = file.name if file is not None else str(self._folder)
        try:
            yield
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise damaged(name, error) from error
        except FileNotFoundError:
            raise
        except (apsw.Error, OSError) as error:
            raise unusable(name, error) from error


def _empty_log(connection: apsw.Connection, file: SegmentFile) -> None:
    connection.execute("SELECT 1 FROM meta")  # else it knows of no log
    for _ in range(_TRUNCATE_TRIES):
        with suppress(apsw.BusyError):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        if not file_size(file.path + "-wal"):
            return
        time.sleep(_TRUNCATE_PAUSE_S)  # a reader is at it; none stays for long
    problem = "has a log that can't be emptied: something holds it open"
    raise JournalError(file.name, problem, "end what reads the journal beside switchhook")


def _ends(connection: apsw.Connection, first: int, last: int) -> list[tuple[int, int]]:
    """The seq and the time of the first record of a span, and of the last."""
    rows: list[tuple[int, int]] = []
    for order in ("ASC", "DESC"):
        rows += connection.execute(
            f"SELECT seq, at FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq {order} LIMIT 1",  # noqa: S608 - ours
            (first, last),
        )
    return rows


def _checksum(*values: Any) -> int:
    return checksum(*values)


def _hands_off(name: str) -> JournalError:
    problem = "is not sealed: the answer side writes it, or may"
    return JournalError(name, problem, "wait until the answer side has sealed it")


def _adopted(meta: SegmentMeta, first_seq: int) -> list[tuple[str, str | int]]:
    """What the copy of an abandoned segment says of itself."""
    values: dict[str, str | int | None] = {
        "uuid": meta.uuid,
        "created": meta.created,
        "first_seq": first_seq,
        "previous": meta.previous,
        "previous_abandoned": int(meta.previous_abandoned),
        "sealed": 1,
    }
    return [(name, value) for name, value in values.items() if value is not None]
