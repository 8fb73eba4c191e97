"""What is done to SQLite's files beside its connections: here alone, and through SQLite.

A process that opens a database's file by itself and closes it again drops the locks of all its
connections to that file, as POSIX has it: another process then takes away the log under them, and
they fail or write over what is not theirs. So nothing here opens one but SQLite, which knows to
keep such a descriptor until the locks are gone; only a file that is just made is opened plainly.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import apsw

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 20


class FileId(NamedTuple):
    """Which file a path leads to, whatever was put there under the same name."""

    device: int
    inode: int


def file_id(path: Path | str) -> FileId | None:
    """Which file is there; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before every query
    except (FileNotFoundError, NotADirectoryError):
        return None
    return FileId(found.st_dev, found.st_ino)


class RawFile:
    """The bytes of a database's file, or of its write-ahead log, whatever they are used for.

    The index beside a log (`-shm`) has nothing but page numbers, and can't be opened safely.
    """

    def __init__(self, path: Path | str, *, vfs: str | None = None) -> None:
        name = str(Path(path).absolute())
        kind = apsw.SQLITE_OPEN_WAL if name.endswith("-wal") else apsw.SQLITE_OPEN_MAIN_DB
        self._file = apsw.VFSFile(vfs or "", name, [apsw.SQLITE_OPEN_READWRITE | kind, 0])
        self.size: int = self._file.xFileSize()
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, as a binary file gives them."""
        left = self.size - self._at
        length = left if size < 0 else min(size, left)
        found: bytes = self._file.xRead(length, self._at) if length else b""
        self._at += length
        return found

    def chunks(self, overlap: int) -> Iterator[bytes]:
        """All of it by the megabyte; each has the first `overlap` bytes of the next one, too."""
        for start in range(0, self.size, CHUNK):
            yield self._file.xRead(min(CHUNK + overlap, self.size - start), start)

    def sync(self) -> None:
        """Make what was written durable."""
        self._file.xSync(apsw.SQLITE_SYNC_NORMAL)

    def close(self) -> None:
        self._file.xClose()

    def __enter__(self) -> RawFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_private(path: Path | str) -> None:
    """Make an empty file that only its owner can read. FileExistsError where there is one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # SQLite gives the files beside it the same mode
    finally:
        os.close(descriptor)


@contextmanager
def transaction(
    connection: apsw.Connection, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
) -> Iterator[None]:
    """A transaction, undone where anything in it fails; what failed first is what is raised.

    SQLite may have undone it by itself by then (a full disk, an I/O error), and what fails while
    it is undone must not hide why.
    """
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise
