"""Reading the tar archive of a backup in one go, with nothing believed that it says of itself.

Only plain files are in it, so a header that says anything else (a link, a device, a sparse file, a
longer name or an attribute to come) ends the reading. Bytes are counted as they are unpacked.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from typing import IO, TYPE_CHECKING

from switchhook.errors import BackupError
from switchhook.retention.backup.manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    MOST_FILES,
    is_ours,
    largest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ANOTHER = "take another backup; nothing was written"
CHUNK = 1 << 20
RATIO = 200
"""So many bytes may come of one: receipts make 5 to 20, empty pages of a database more."""

_SLACK = 64 << 20
_BLOCK = tarfile.BLOCKSIZE
_LONGEST_END = 1 << 20
_BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


def members(raw: IO[bytes], source: str) -> Iterator[tuple[str, Member]]:
    """The files in a backup, one after the other; BackupError names the one that is broken.

    Each is to be read before the next is asked for; what was not read is passed over.
    """
    counted = _Counted(raw)
    seen: set[str] = set()
    name = "its beginning"
    try:
        # This reader compares the checksum at the end of the file.
        with gzip.GzipFile(fileobj=counted, mode="rb") as packed:  # type: ignore[call-overload]  # it is read, no more
            unpacked = _Unpacked(packed, counted, source)
            while (header := _header(unpacked.exactly(_BLOCK))) is not None:
                name = header.name
                _admit(header, seen, source)
                seen.add(name)
                member = Member(unpacked, header.size, source, name)
                yield name, member
                member.pass_over()
                name = f"what follows {name}"
            _end(unpacked, source)
    except _BROKEN as error:
        raise _cut_short(source, name) from error


class Member:
    """A file in a backup, to be read once; its end may be missing."""

    def __init__(self, unpacked: _Unpacked, size: int, source: str, name: str) -> None:
        self._unpacked, self._source, self._name = unpacked, source, name
        self.size = self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        try:
            found = self._unpacked.exactly(min(wanted, CHUNK)) if wanted else b""
        except _BROKEN as error:
            raise _cut_short(self._source, self._name) from error
        self._left -= len(found)
        return found

    def whole(self) -> bytes:
        """All that is left of it; for small files."""
        return b"".join(iter(lambda: self.read(CHUNK), b""))

    def pass_over(self) -> None:
        """Go to its end, and over what fills its last block."""
        while self.read(CHUNK):
            pass
        self._unpacked.exactly(-self.size % _BLOCK)


class _Counted:
    """A file, and how much of it was read."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self.count = raw, 0

    def read(self, size: int = -1) -> bytes:
        found = self._raw.read(size)
        self.count += len(found)
        return found


class _Unpacked:
    """What comes out of a packed file, as long as that is in proportion to what went in."""

    def __init__(self, packed: gzip.GzipFile, counted: _Counted, source: str) -> None:
        self._packed, self._counted, self._source = packed, counted, source
        self._count = 0

    def exactly(self, size: int) -> bytes:
        """So many bytes, no less; EOFError where they are missing."""
        found = self.some(size)
        if len(found) < size:
            raise EOFError
        return found

    def some(self, size: int) -> bytes:
        """So many bytes, or what is left."""
        found = self._packed.read(size) if size else b""
        self._count += len(found)
        if self._count > self._counted.count * RATIO + _SLACK:
            problem = f"unpacks to more than {RATIO} times its size, which no backup of ours does"
            raise BackupError(self._source, problem, ANOTHER)
        return found


def _header(block: bytes) -> tarfile.TarInfo | None:
    """A file's header; None at the archive's end. Raises tarfile.TarError."""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # known to all of tarfile's readers
        return None


def _admit(header: tarfile.TarInfo, seen: set[str], source: str) -> None:
    """Refuse what no backup of ours holds."""
    name = header.name
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise BackupError(source, f"holds {name[:100]!r}, which is no plain file", ANOTHER)
    if (name != MANIFEST and not is_ours(name)) or name in seen:
        raise BackupError(source, f"holds {name[:100]!r}, which is none of ours", ANOTHER)
    if MANIFEST in seen:
        raise BackupError(source, "goes on after its manifest", ANOTHER)
    if len(seen) >= MOST_FILES:
        raise BackupError(source, f"holds more than {MOST_FILES:,} files", ANOTHER)
    most = LARGEST_MANIFEST if name == MANIFEST else largest(name)
    if header.size < 0 or (most is not None and header.size > most):
        raise BackupError(source, f"{name} has {header.size:,} bytes, which is too many", ANOTHER)


def _end(unpacked: _Unpacked, source: str) -> None:
    """Read what fills the archive up, which is nothing, and the checksum after it."""
    count = 0
    while part := unpacked.some(CHUNK):
        count += len(part)
        if count > _LONGEST_END or part.strip(b"\0"):
            raise BackupError(source, "goes on after its end", ANOTHER)


def _cut_short(source: str, name: str) -> BackupError:
    return BackupError(source, f"is cut short or altered at {name[:100]}", ANOTHER)
