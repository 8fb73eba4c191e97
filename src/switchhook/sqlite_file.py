"""What is done to SQLite's files beside its connections: here alone, and through SQLite.

A process that opens a database's file by itself and closes it again drops the locks of all its
connections to that file, as POSIX has it: another process then takes away the log under them, and
they fail or write over what is not theirs. So nothing here opens one but SQLite, which knows to
keep such a descriptor until the locks are gone; only a file that is just made is opened plainly.

Ledger and store have a checksum at the end of each page, which reading verifies: by SQLite's own
`cksumvfs`, which comes with apsw. Who writes such a file without it spoils it, so all of ours open
it by `connect_checked`. SQLite's write-ahead log has checksums of its own.
"""

from __future__ import annotations

import os
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import apsw
from apsw import sqlite_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 20

_CHECKING = "cksmvfs"
BUSY_MS = 5_000
_CHECKSUM_BYTES = 8  # of each page, as that file system wants it
_loading = threading.Lock()


def checking_vfs() -> str:
    """The name of the file system by which pages have checksums. apsw.Error where it has none."""
    with _loading:
        if _CHECKING not in apsw.vfs_names():
            usual = apsw.vfs_names()[0]
            with closing(apsw.Connection(":memory:")) as connection:
                sqlite_extra.load(connection, "cksumvfs")
            apsw.set_default_vfs(usual)  # it puts itself first
    return _CHECKING


def connect_checked(
    path: Path | str, application: int, since: int, *, statements: int = 100
) -> apsw.Connection:
    """Open a file, whose pages have checksums if it is an `application`'s of version `since` on.

    An empty one gets them. apsw.CorruptError where they are missing.
    """
    connection = apsw.Connection(
        str(path),
        flags=apsw.SQLITE_OPEN_READWRITE,
        vfs=checking_vfs(),
        statementcachesize=statements,
    )
    try:
        connection.set_busy_timeout(BUSY_MS)
        connection.reserve_bytes(reserve=_CHECKSUM_BYTES)  # of an empty file, or one written anew
        _refuse_unchecked(connection, application, since)
    except BaseException:
        connection.close()
        raise
    return connection


def add_checksums(connection: apsw.Connection) -> None:
    """Write a file of before anew, with checksums, where it has none."""
    if not _is_checked(connection):
        connection.execute("VACUUM")
        # Other connections look for it in the file's first page, not in the log's.
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _refuse_unchecked(connection: apsw.Connection, application: int, since: int) -> None:
    """The first page says whether the others have checksums, so a flipped bit may deny them."""
    if connection.pragma("application_id") != application:
        return
    if connection.pragma("user_version") >= since and not _is_checked(connection):
        raise apsw.CorruptError("its pages have lost their checksums")


def _is_checked(connection: apsw.Connection) -> bool:
    return str(connection.pragma("checksum_verification")) == "1"


def is_damage(error: BaseException) -> bool:
    """Whether an error says that a file's content is not what was written."""
    if isinstance(error, apsw.IOError):
        return (
            getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA
        )  # a page's checksum does not fit
    return isinstance(error, apsw.CorruptError | apsw.NotADBError)


def damage_text(error: BaseException) -> str:
    """What such an error says to people."""
    return "a checksum does not fit" if isinstance(error, apsw.IOError) else str(error)


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
