"""Where a journal ends: found when its writer opens it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import apsw

from switchhook.errors import JournalError
from switchhook.exotel.phone_numbers import counted
from switchhook.journal.commit import OpenSegment
from switchhook.journal.log_frames import committed_frames, lost_commits
from switchhook.journal.segment import (
    CHECKED_FORMAT,
    SegmentFile,
    SegmentMeta,
    Synchronous,
    connect,
    damaged,
    file_size,
    last_seq_in,
    list_segments,
    read_meta,
    remove_unfinished,
    unusable,
)
from switchhook.sqlite_file import RawFile

_DAMAGED = (apsw.CorruptError, apsw.NotADBError)


class JournalEnd(NamedTuple):
    """The state that writing goes on from."""

    segment: OpenSegment | None  # None where a new one must be made
    seq: int = 0
    identity: str = ""  # of the newest segment
    segments: tuple[SegmentFile, ...] = ()
    lost: int = 0  # acknowledged commits behind a damaged place of its log


def find_end(folder: Path, *, node: int, vfs: str | None, synchronous: Synchronous) -> JournalEnd:
    """Open the newest segment and recover the journal's last seq.

    Makes the folder where it is missing. JournalError where the journal can't be continued.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & 0o777 != 0o700:
            folder.chmod(0o700)
        remove_unfinished(folder)
    except OSError as error:
        raise unusable(str(folder), error) from error
    segments = tuple(list_segments(folder))
    if not segments:
        return JournalEnd(None)
    newest = segments[-1]
    try:
        written = _written(newest, vfs)
        segment, meta, last = _open_newest(newest, node, vfs, synchronous)
        seq = newest.first_seq - 1 if last is None else last
        lost = _lost(segment, written)
    except _DAMAGED as error:
        raise damaged(newest.name, error) from error
    except apsw.Error as error:
        raise unusable(newest.name, error) from error
    if lost and segment is not None:
        segment.leave_log()
        segment = None
    return JournalEnd(segment, seq, meta.uuid, segments, lost)


def _written(file: SegmentFile, vfs: str | None) -> list[int]:
    log = f"{file.path}-wal"
    if not file_size(log):
        return []
    with RawFile(log, vfs=vfs) as raw:
        return committed_frames(raw.read())


def _lost(segment: OpenSegment | None, written: list[int]) -> int:
    if segment is None or not written:
        return 0
    frames, _ = segment.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return lost_commits(written, frames)


def _open_newest(
    file: SegmentFile, node: int, vfs: str | None, synchronous: Synchronous
) -> tuple[OpenSegment | None, SegmentMeta, int | None]:
    connection: apsw.Connection | None = None
    try:
        connection = connect(file.path, vfs=vfs, synchronous=synchronous)
        meta = _check(read_meta(connection, file.name), file, node)
        last = last_seq_in(connection)
    except (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError):
        # A full or read-only disk has no room for the log's index. Callers are served all the
        # same if the numbering is known, and it is where there is no log.
        if connection is not None:
            connection.close()
        connection = _connect_without_log(file)
        meta = _check(read_meta(connection, file.name), file, node)
        last = last_seq_in(connection)
    except (apsw.Error, JournalError):
        if connection is not None:
            connection.close()
        raise
    if meta.sealed or connection.readonly("main"):
        connection.close()
        return None, meta, last
    claim: dict[str, int | str] | None = None
    if meta.first_seq is None:
        claim = {"first_seq": file.first_seq}
    checked = meta.format >= CHECKED_FORMAT
    return OpenSegment(file, meta.uuid, connection, claim, checked=checked), meta, last


def _connect_without_log(file: SegmentFile) -> apsw.Connection:
    if file_size(file.path + "-wal"):
        raise JournalError(
            file.name,
            "has records in its log, which can't be read on this disk",
            "make room, or make the disk writable",
        )
    return apsw.Connection(
        f"file:{quote(file.path)}?immutable=1",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
    )


def _check(meta: SegmentMeta, file: SegmentFile, node: int) -> SegmentMeta:
    if meta.node != node:
        raise JournalError(
            file.name,
            f"belongs to node {counted(meta.node)}, this is node {counted(node)}",
            "each node writes a journal of its own: check the node number and the data folder",
        )
    if meta.first_seq not in (None, file.first_seq):
        raise JournalError(
            file.name,
            f"begins at seq {counted(meta.first_seq or 0)}, which is not what its name says",
            "give the file its own name back",
        )
    return meta
