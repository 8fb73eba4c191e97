"""One file with all that must not be lost of a data folder, made while it is in use.

A tar archive under gzip: identity, ledger, kept files and journal, then `manifest.json` with the
size and hash of each. The store is not in it: it is made again from the journal. Each database is
copied as it is at one moment, the ledger first, so that nothing in it points past the journal.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import apsw
import msgspec

from switchhook.data_folder import IDENTITY, JOURNAL, LEDGER, read_identity
from switchhook.errors import BackupError, DataFolderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMAT = 1
MANIFEST = "manifest.json"

_CHUNK = 1 << 20
_BUSY_MS = 10_000
_PAGES = 512
_COMPRESSION = 3  # a third of the time of the default, for a tenth more bytes
_LARGEST_MANIFEST = 64 << 20
_SEGMENT = re.compile(r"([0-9]{20})(-[0-9]{1,9})?\.sqlite")
_NAMES = re.compile(
    r"identity\.json|ledger/ledger\.sqlite|kept/[A-Za-z0-9_.-]{1,100}"
    r"|journal/[0-9]{20}(-[0-9]{1,9})?\.sqlite|journal/refused/[0-9]{1,20}\.bin"
)
_BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)


class Saved(msgspec.Struct, frozen=True):
    """A file in a backup: its name there, bytes, and SHA-256 in hex."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; `made` is ISO 8601 in UTC."""

    format: int
    node: int
    made: str
    files: tuple[Saved, ...]

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(saved.size for saved in self.files)


def back_up(
    folder: Path,
    target: Path,
    *,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> Manifest:
    """Write a backup of the data folder to a new file, whole or not at all.

    Raises BackupError, DataFolderError; OSError where the target can't be written.
    """
    identity = read_identity(folder)
    if target.exists():
        raise BackupError(str(target), "is there already", "give the name of a new file")
    part = target.with_name(f".{target.name}.part")
    try:
        with (
            open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw,  # noqa: PTH123
            tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as aside,
        ):
            with (
                gzip.GzipFile("", "wb", _COMPRESSION, raw) as packed,
                tarfile.open(fileobj=packed, mode="w|") as tar,
            ):
                saving = _Saving(tar, Path(aside), progress)
                saving.folder(folder)
                moment = (now or datetime.now(UTC)).isoformat(timespec="seconds")
                manifest = Manifest(FORMAT, identity.node, moment, tuple(saving.files))
                saving.stream(MANIFEST, io.BytesIO(msgspec.json.encode(manifest)))
            raw.flush()
            os.fsync(raw.fileno())
        os.link(part, target)  # unlike a rename it never replaces
        _sync(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def check(source: Path) -> Manifest:
    """Read a backup to its end and compare everything with its manifest. Raises BackupError."""
    found: dict[str, Saved] = {}
    manifest: Manifest | None = None
    for name, content in _members(source):
        if manifest is not None:
            raise BackupError(str(source), "goes on after its manifest", _ANOTHER)
        if name == MANIFEST:
            manifest = _manifest(source, content.read(_LARGEST_MANIFEST))
            continue
        if not _NAMES.fullmatch(name) or name in found:
            raise BackupError(str(source), f"holds {name[:100]!r}, which is none of ours", _ANOTHER)
        found[name] = _measured(name, content)
    if manifest is None:
        raise BackupError(str(source), "is cut short: it has no manifest", _ANOTHER)
    listed = {saved.name: saved for saved in manifest.files}
    for name in sorted(listed.keys() | found.keys()):
        if found.get(name) != listed.get(name):
            raise BackupError(str(source), f"{name} is not as it was saved", _ANOTHER)
    if IDENTITY not in found:
        raise BackupError(str(source), f"lacks {IDENTITY}", _ANOTHER)
    return manifest


def restore(
    source: Path,
    folder: Path,
    *,
    only: str = "",
    progress: Callable[[str], None] = lambda name: None,
) -> Manifest:
    """Unpack a backup into a folder that is empty or not there, after it was checked as a whole.

    Beside the identity it unpacks what begins with `only`. Cut short it leaves a folder without an
    identity, which nothing starts in.
    """
    manifest = check(source)
    if folder.exists() and (not folder.is_dir() or {*os.listdir(folder)} - {"lost+found"}):  # noqa: PTH208
        problem = "a backup is restored into an empty folder only, and this one is not"
        raise DataFolderError(str(folder), problem, "move it aside, or give --data a new folder")
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    identity = b""
    for name, content in _members(source):
        if name == MANIFEST:
            continue
        progress(name)
        if name == IDENTITY:
            identity = content.read()
        elif name.startswith(only):
            _unpack(folder / name, content)
    _unpack(folder / IDENTITY, io.BytesIO(identity))
    _sync(folder)
    _sync(folder.absolute().parent)
    return manifest


_ANOTHER = "take another backup; nothing was written"


class _Saving:
    """Puts a data folder into an archive; `aside` is for copies of what is being written."""

    def __init__(self, tar: tarfile.TarFile, aside: Path, progress: Callable[[str], None]) -> None:
        self._tar, self._aside, self._progress = tar, aside, progress
        self.files: list[Saved] = []

    def folder(self, folder: Path) -> None:
        self._file(folder, folder / IDENTITY)
        ledger = folder / LEDGER / "ledger.sqlite"
        if ledger.exists():
            self._database(folder, ledger)
        for path in sorted((folder / "kept").glob("*")):
            if path.is_file() and not path.name.startswith("."):
                self._file(folder, path)
        last: tuple[int, int] | None = None
        newest = False
        # Listed anew after each: retention takes away the oldest, and a segment may get a new name.
        # The newest is the end: what is written to it while it is copied would be a gap.
        while not newest and (left := _segments_after(folder / JOURNAL, last)):
            last, newest = _place(left[0]), len(left) == 1
            self._database(folder, left[0])
        for path in sorted((folder / JOURNAL / "refused").glob("*.bin")):
            self._file(folder, path)

    def stream(self, name: str, content: IO[bytes], size: int | None = None) -> Saved:
        """Add a file; gives what was added."""
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        info.size = len(content.getvalue()) if isinstance(content, io.BytesIO) else size or 0
        hashing = _Hashing(content)
        self._tar.addfile(info, hashing)
        return Saved(name, info.size, hashing.hash.hexdigest())

    def _add(self, name: str, content: IO[bytes], size: int) -> None:
        self._progress(name)
        self.files.append(self.stream(name, content, size))

    def _file(self, folder: Path, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # it was taken away meanwhile
            content = path.read_bytes()  # files beside the databases are small, and replaced whole
            self._add(path.relative_to(folder).as_posix(), io.BytesIO(content), len(content))

    def _database(self, folder: Path, path: Path) -> None:
        name = path.relative_to(folder).as_posix()
        try:
            with _opened(path) as connection:
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
                if _size_of(f"{path}-wal") == 0:
                    # While we read, nobody may copy a log into the file: it stays as it is.
                    with _Raw(path) as raw:
                        self._add(name, raw, raw.size)  # type: ignore[arg-type]  # it reads, no more is asked
                    return
                connection.execute("ROLLBACK")
                copy = self._aside / "copy.sqlite"
                _copy(connection, copy)
                with copy.open("rb") as content:
                    self._add(name, content, copy.stat().st_size)
                copy.unlink()
        except apsw.CantOpenError:
            if path.exists():
                raise
        except (apsw.CorruptError, apsw.NotADBError) as error:
            hint = "back up the files one by one, and restore this one from an older backup"
            raise BackupError(str(path), f"is damaged: {error}", hint) from error


class _Hashing:
    """A file to read, and the hash of what was read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        found = self._content.read(size)
        self.hash.update(found)
        return found


class _Raw:
    """The bytes of a database's file, read through SQLite.

    Closing a descriptor of our own would drop all the locks that SQLite has on the file.
    """

    def __init__(self, path: Path) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_MAIN_DB
        self._file = apsw.VFSFile("", str(path.absolute()), [flags, 0])
        self.size = self._file.xFileSize()
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        left = self.size - self._at
        length = left if size < 0 else min(size, left)
        found = self._file.xRead(length, self._at) if length else b""
        self._at += length
        return found

    def __enter__(self) -> _Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.xClose()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        connection.pragma("query_only", 1)
        yield connection
    finally:
        # A log is its writer's to copy; an empty one is litter, and goes if nobody else reads.
        busy = _size_of(f"{path}-wal") > 0
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(busy))
        connection.close()


def _copy(source: apsw.Connection, path: Path) -> None:
    """SQLite's online backup, in one go: a moment's state, whoever writes meanwhile."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    copy = apsw.Connection(str(path))
    try:
        copy.pragma("synchronous", "off")
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(-1)
        copy.pragma("journal_mode", "wal")
    finally:
        copy.close()


def _segments_after(journal: Path, last: tuple[int, int] | None) -> list[Path]:
    """The segments after a place, in the order of the journal."""
    try:
        names = os.listdir(journal)  # noqa: PTH208 - there may be thousands
    except FileNotFoundError:
        return []
    there = sorted((journal / name for name in names if _SEGMENT.fullmatch(name)), key=_place)
    return [path for path in there if last is None or _place(path) > last]


def _place(path: Path) -> tuple[int, int]:
    found = _SEGMENT.fullmatch(path.name)
    assert found is not None
    return int(found[1]), int((found[2] or "-0")[1:])


def _members(source: Path) -> Iterator[tuple[str, Any]]:
    """The files in a backup, one after the other; BackupError names the one that is broken."""
    name = "its beginning"
    try:
        # Unlike tarfile's own, this reader compares the checksum at the end of the file.
        with gzip.open(source) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            for member in tar:
                name = member.name
                content = tar.extractfile(member) if member.isfile() else None
                if content is None:
                    raise BackupError(
                        str(source), f"holds {name[:100]!r}, which is no file", _ANOTHER
                    )
                yield name, _Careful(source, name, content)
                name = f"what follows {name}"
            while packed.read(_CHUNK):
                pass
    except _BROKEN as error:
        raise _cut_short(source, name) from error


class _Careful:
    """A file in a backup, whose end may be missing."""

    def __init__(self, source: Path, name: str, content: IO[bytes]) -> None:
        self._source, self._name, self._content = source, name, content

    def read(self, size: int = -1) -> bytes:
        try:
            return self._content.read(size)
        except _BROKEN as error:
            raise _cut_short(self._source, self._name) from error


def _cut_short(source: Path, name: str) -> BackupError:
    return BackupError(str(source), f"is cut short or altered at {name[:100]}", _ANOTHER)


def _manifest(source: Path, content: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except ValueError:
        raise BackupError(str(source), f"{MANIFEST} can't be read", _ANOTHER) from None
    if manifest.format > FORMAT:
        problem = f"has format {manifest.format}, this release reads format {FORMAT}"
        raise BackupError(str(source), problem, "run the release that made it, or a later one")
    return manifest


def _measured(name: str, content: IO[bytes]) -> Saved:
    size, whole = 0, hashlib.sha256()
    while part := content.read(_CHUNK):
        size += len(part)
        whole.update(part)
    return Saved(name, size, whole.hexdigest())


def _unpack(path: Path, content: IO[bytes]) -> None:
    """Write a durable file that only its owner can read, and its folder."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123
        while part := content.read(_CHUNK):
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
