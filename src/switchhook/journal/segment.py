"""One segment: a SQLite file with the records from its first seq on.

The name of a segment is its place: `00000000000000000042.sqlite` holds the records from 42 on, up
to the first seq of the segment after it. Where a segment had to be abandoned, its successor may
begin at a seq which the abandoned file also holds, or at the very same first seq (then the name
gets `-1`, `-2` ...). So one rule tells where the truth is: *a seq belongs to the segment with the
greatest first seq that is not above it, and of several attempts to the last*.
"""

from __future__ import annotations

import os
import re
import struct
import time
import uuid
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zlib import crc32

import apsw
import msgspec

from switchhook.errors import JournalError
from switchhook.exotel.phone_numbers import counted
from switchhook.journal.source import Origin
from switchhook.sqlite_file import make_private, transaction
from switchhook.system.file_system import sync_folder

APPLICATION_ID = 0x53574A31  # "SWJ1"
CHECKED_FORMAT = 2
FORMAT = 2
"""Of new segments. Those of format 1 have no checksums; they are read, and not written on."""

# The rows of one INSERT. The interpreter's lock changes hands once a statement, which costs more
# than a row does while the event loop is busy; beyond this the gain is gone.
STATEMENT_ROWS = 128
BUSY_MS = 5_000

Synchronous = Literal["FULL", "NORMAL", "OFF"]
COLUMNS = "seq, kind, at, mono, asked, option, body"
Row = tuple[int, int, int, int | None, int | None, int | None, bytes]

_NAME = re.compile(r"(\d{20})(?:-(\d+))?\.sqlite")
_UNFINISHED = ".new-"
DAMAGE = (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError)
"""What a damaged file makes SQLite, or the reading of its texts, raise."""
_NUMBERS = struct.Struct("<qqqqqqB")
ROLL = "roll"
"""The file by which the console asks for the open segment to be sealed; it holds a seq."""
SIDE_FILES = ("", "-wal", "-shm", "-journal")
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE record (
  seq INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  at INTEGER NOT NULL,
  mono INTEGER,
  asked INTEGER,
  option INTEGER,
  body BLOB NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
CREATE INDEX record_asked ON record (seq, asked, option, mono, at) WHERE asked IS NOT NULL;
"""


class Record(msgspec.Struct, frozen=True):
    """One entry of the journal.

    `seq` counts from 1 without a break but for refused records, and alone says what came first:
    `at`, in ms since the epoch, is the system's clock as it was, which may step; `mono` in ms of a
    monotonic clock. `asked` is a signed 64-bit fingerprint of a question, `option` the number of
    its answer: both are there to be remembered without the body. `damage` says why nothing in it
    is to be trusted; it is empty where its checksum fits. `origin` and `steady` are of a journal of
    several nodes: see `source.JournalRecord`.
    """

    seq: int
    kind: int
    at: int
    mono: int | None
    asked: int | None
    option: int | None
    body: bytes
    damage: str = ""
    origin: Origin | None = None
    steady: int | None = None


def checksum(
    seq: int,
    kind: int,
    at: int,
    mono: int | None,
    asked: int | None,
    option: int | None,
    body: bytes,
) -> int:
    """The CRC-32 of a record: of its numbers, eight bytes each, then of its body.

    It finds every flipped byte, as damage comes, for half a microsecond; a hash against forgers
    would cost three times as much, and who can write the file can write the hash.
    """
    absent = (mono is None) | (asked is None) << 1 | (option is None) << 2
    numbers = _NUMBERS.pack(seq, kind, at, mono or 0, asked or 0, option or 0, absent)
    return crc32(body, crc32(numbers))


def content_hash(
    seq: int,
    kind: int,
    at: int,
    mono: int | None,
    asked: int | None,
    option: int | None,
    body: bytes,
) -> int:
    """What tells one record from another of the same number, as a signed 64-bit number.

    Two nodes that were copied from one image would give two receipts the same number.
    """
    absent = (mono is None) | (asked is None) << 1 | (option is None) << 2
    numbers = _NUMBERS.pack(seq, kind, at, mono or 0, asked or 0, option or 0, absent)
    return int.from_bytes(blake2b(numbers + body, digest_size=8).digest(), signed=True)


def fits(row: Sequence[Any]) -> bool:
    """Whether the checksum at the end of a row is that of the rest."""
    try:
        return bool(checksum(*row[:7]) == row[7])
    except (TypeError, struct.error):  # a flipped byte may change a value's type, too
        return False


class SegmentFile(NamedTuple):
    """A segment's place in the journal; they sort by it."""

    first_seq: int
    attempt: int
    path: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]  # asked for each record: a Path costs as much as it


class SegmentMeta(msgspec.Struct, frozen=True):
    """What a segment says of itself."""

    node: int
    uuid: str
    created: int
    format: int
    sealed: bool = False
    first_seq: int | None = None  # absent until the first record is in
    previous: str | None = None  # the uuid of the segment before it
    previous_abandoned: bool = False


def list_segments(folder: Path) -> list[SegmentFile]:
    """Name the segments in `folder`, in the order of the journal; empty where it is missing."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a Path for each of thousands costs more
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        if match := _NAME.fullmatch(name):
            path = os.path.join(folder, name)  # noqa: PTH118 - as above
            found.append(SegmentFile(int(match[1]), int(match[2] or 0), path))
    return sorted(found)


def folder_size(folder: Path) -> int:
    """Count the bytes of all files in the journal's folder, refused records too."""
    total = 0
    for place in (folder, folder / "refused"):
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    try:
                        if entry.is_file(follow_symlinks=False):
                            total += entry.stat(follow_symlinks=False).st_size
                    except FileNotFoundError:  # moved away while we counted
                        continue
        except FileNotFoundError:
            continue
    return total


def file_size(path: str) -> int:
    """Count the bytes of a file; 0 where there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a Path costs more
    except FileNotFoundError:
        return 0


def write_private_file(path: Path, content: bytes) -> None:
    """Write a durable file which only its owner can read, in place of what was there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.parent)


def connect(
    path: str, *, vfs: str | None = None, synchronous: Synchronous = "FULL"
) -> apsw.Connection:
    """Open an existing segment, to write or to look after it."""
    connection = apsw.Connection(
        path,
        flags=apsw.SQLITE_OPEN_READWRITE,
        vfs=vfs,
        statementcachesize=2 * STATEMENT_ROWS,
    )
    try:
        connection.set_busy_timeout(BUSY_MS)
        connection.wal_autocheckpoint(0)
        connection.pragma("synchronous", synchronous)
        connection.pragma("fullfsync", 1)  # on macOS a plain fsync stops short of the disk
        # A page that is split leaves no copy of a record behind, which masking would not find.
        connection.pragma("secure_delete", 1)
    except apsw.Error:
        connection.close()
        raise
    return connection


def create_segment(folder: Path, *, node: int, vfs: str | None) -> str:
    """Make a whole, durable, empty segment under a temporary name; gives its path.

    A crash at any moment leaves nothing under a segment's name but a whole segment.
    """
    identity = uuid.uuid4().hex
    path = str(folder / f"{_UNFINISHED}{identity}.sqlite")
    make_private(path)
    try:
        connection = connect(path, vfs=vfs)
        try:
            with transaction(connection):
                connection.execute(_SCHEMA)
                connection.executemany(
                    "INSERT INTO meta VALUES (?, ?)",
                    {
                        "application": "switchhook journal",
                        "format": FORMAT,
                        "node": node,
                        "uuid": identity,
                        "created": time.time_ns() // 1_000_000,
                        "sealed": 0,
                    }.items(),
                )
            connection.pragma("journal_mode", "wal")
        finally:
            connection.close()
    except BaseException:
        remove_segment_files(path)
        raise
    return path


def remove_segment_files(path: str) -> None:
    for side in SIDE_FILES:
        Path(path + side).unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Clear away what a crash left of segments that were never part of the journal."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def place_segment(created: str, folder: Path, first_seq: int) -> SegmentFile:
    """Give a created segment its name, durably; never the name of another one.

    It becomes the last of those which begin at `first_seq`: an earlier one may be gone by now.
    """
    taken = [file.attempt for file in list_segments(folder) if file.first_seq == first_seq]
    attempt = max(taken, default=-1) + 1
    while True:
        suffix = f"-{attempt}" if attempt else ""
        path = str(folder / f"{first_seq:020d}{suffix}.sqlite")
        # A log left behind by a file that somebody moved away would be taken for ours.
        if not any(os.path.lexists(path + side) for side in SIDE_FILES):
            break
        attempt += 1
    Path(created).rename(path)
    sync_folder(folder)
    return SegmentFile(first_seq, attempt, path)


def ask_roll(folder: Path, seq: int) -> None:
    """Ask the journal's writer, whoever it is, to seal the segment that holds `seq`."""
    aside = folder / f".{ROLL}.{os.getpid()}"
    write_private_file(aside, str(seq).encode())
    aside.replace(folder / ROLL)


def asked_roll(folder: Path) -> int | None:
    """The seq up to which somebody asked for segments to be sealed; None where nobody did."""
    try:
        return int((folder / ROLL).read_bytes()[:20])
    except FileNotFoundError:
        return None
    except ValueError:
        return 0  # no seq of ours: the segment is not sealed, and the file is cleared away


def read_meta(connection: apsw.Connection, name: str) -> SegmentMeta:
    """Recognise a segment; JournalError where it isn't one that can be used."""
    try:
        application = connection.pragma("application_id")
        version = connection.pragma("user_version")
        if application != APPLICATION_ID:
            raise JournalError(
                name,
                f"is not a journal segment (application id {counted(application)})",
                "move the file out of the journal's folder after a look at what it is",
            )
        if version > FORMAT or version < 1:
            raise JournalError(
                name,
                f"has format {version}, this release reads format {FORMAT}",
                "run the release that wrote it, or a later one",
            )
        values = dict(connection.execute("SELECT key, value FROM meta"))
        meta = msgspec.convert(values, SegmentMeta, strict=False)
        if meta.format != version:
            raise damaged(name, f"its format is {version} in one place, {meta.format} in another")
        return meta
    except (*DAMAGE, apsw.SQLError, msgspec.ValidationError) as error:
        raise damaged(name, error) from error


class DamagedSegment(JournalError):  # noqa: N818 - it says what the file is
    """A segment that SQLite can't make sense of, as a whole or in a part."""


def damaged(name: str, error: object) -> DamagedSegment:
    """Say that a segment is broken, and what to do."""
    return DamagedSegment(
        name,
        f"is damaged: {error}",
        "nothing was changed; restore the file from a backup, or move it away to go on without it",
    )


def unusable(name: str, error: object) -> JournalError:
    """Say that a segment can't be opened, and what to do."""
    return JournalError(
        name,
        f"can't be opened: {error}",
        "check that the disk is writable, has room, and that the file belongs to this user",
    )


def last_seq_in(connection: apsw.Connection) -> int | None:
    """The seq of the newest record; None where there is none."""
    seq: int | None = connection.execute("SELECT max(seq) FROM record").get
    return seq
