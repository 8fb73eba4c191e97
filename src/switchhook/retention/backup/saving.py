"""One file with all that must not be lost of a data folder, made while it is in use.

A tar archive under gzip: identity, ledger, kept files and journal, then `manifest.json` with the
size and hash of each. The store is not in it: it is made again from the journal. Each database is
copied as it is at one moment, the ledger first, so that nothing in it points past the journal.

What is saved is read whole: a damaged file is saved as it is, as a backup with it is better than
none, and the manifest names it.
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
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import apsw
import msgspec

from switchhook.checked_json import is_whole
from switchhook.errors import BackupError
from switchhook.exotel.phone_numbers import counted
from switchhook.journal.listing import MAX_SEQ
from switchhook.journal.refused import RefusedRecords
from switchhook.journal.segment import SegmentFile
from switchhook.journal.verifying import verify
from switchhook.retention.backup.encryption import encrypting
from switchhook.retention.backup.manifest import (
    FORMAT,
    MANIFEST,
    DamagedFile,
    Manifest,
    Saved,
    is_ours,
)
from switchhook.retention.backup.restoring import sync
from switchhook.sqlite_file import RawFile, checking_vfs, damage_text, is_damage, make_private
from switchhook.system.data_folder import IDENTITY, JOURNAL, LEDGER, read_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from switchhook.journal.verifying import Verified

_BUSY_MS = 10_000
_COMPRESSION = 3  # a third of the time of the default, for a tenth more bytes
_MOST_REFUSED = 1000
_SEGMENT = re.compile(r"([0-9]{20})(-[0-9]{1,9})?\.sqlite")


def back_up(
    folder: Path,
    target: Path,
    *,
    encrypt_to: Sequence[str] = (),
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> Manifest:
    """Write a backup of the data folder to a new file, whole or not at all.

    What was damaged before is in `damaged` of what it gives. `encrypt_to` has the recipients who
    alone can read it; without any it is not encrypted. Raises BackupError, DataFolderError; OSError
    where the target can't be written.
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
                encrypting(raw, encrypt_to) as out,
                gzip.GzipFile("", "wb", _COMPRESSION, out) as packed,
                # The reader takes headers of plain files only, and GNU's of any size are.
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
            ):
                saving = _Saving(tar, Path(aside), progress)
                saving.folder(folder)
                manifest = saving.end(identity.node, now or datetime.now(UTC))
            raw.flush()
            os.fsync(raw.fileno())
        os.link(part, target)  # unlike a rename it never replaces
        sync(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return manifest


class _Saving:
    """Puts a data folder into an archive; `aside` is for copies of what is being written."""

    def __init__(self, tar: tarfile.TarFile, aside: Path, progress: Callable[[str], None]) -> None:
        self._tar, self._aside, self._progress = tar, aside, progress
        self.files: list[Saved] = []
        self.damaged: list[DamagedFile] = []
        self._before: tuple[str, Verified] | None = None

    def folder(self, folder: Path) -> None:
        self._file(folder, folder / IDENTITY)
        ledger = folder / LEDGER / "ledger.sqlite"
        if ledger.exists():
            self._database(folder, ledger, _damage_of)
        for path in sorted((folder / "kept").glob("*")):
            # Only what a restore takes: nothing else is of ours.
            if path.is_file() and is_ours(f"kept/{path.name}"):
                self._file(folder, path)
        last: tuple[int, int] | None = None
        newest = False
        # Listed anew after each: retention takes away the oldest, and a segment may get a new name.
        # The newest is the end: what is written to it while it is copied would be a gap.
        while not newest and (left := _segments_after(folder / JOURNAL, last)):
            last, newest = _place(left[0]), len(left) == 1
            until = MAX_SEQ if newest else _place(left[1])[0] - 1
            self._database(folder, left[0], partial(self._verify_segment, left[0], until))
        for path in sorted((folder / JOURNAL / "refused").glob("*.bin")):
            self._file(folder, path)

    def end(self, node: int, now: datetime) -> Manifest:
        """Add the manifest, as the last file."""
        files, damaged = tuple(self.files), tuple(self.damaged)
        manifest = Manifest(FORMAT, node, now.isoformat(timespec="seconds"), files, damaged)
        self.stream(MANIFEST, io.BytesIO(msgspec.json.encode(manifest)))
        return manifest

    def stream(self, name: str, content: _Readable, size: int | None = None) -> Saved:
        """Add a file; gives what was added."""
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        info.size = len(content.getvalue()) if isinstance(content, io.BytesIO) else size or 0
        hashing = _Hashing(content)
        self._tar.addfile(info, hashing)
        return Saved(name, info.size, hashing.hash.hexdigest())

    def _add(self, name: str, content: _Readable, size: int) -> None:
        self._progress(name)
        self.files.append(self.stream(name, content, size))

    def _file(self, folder: Path, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # it was taken away meanwhile
            content = path.read_bytes()  # files beside the databases are small, and replaced whole
            name = path.relative_to(folder).as_posix()
            self._add(name, io.BytesIO(content), len(content))
            if path.suffix == ".json" and not is_whole(content):
                self._note(name, "its checksum does not fit")

    def _note(self, name: str, problem: str) -> None:
        if problem:
            self.damaged.append(DamagedFile(name, problem))

    def _database(
        self, folder: Path, path: Path, damage_of: Callable[[apsw.Connection], str]
    ) -> None:
        """Save a database and look at what was saved, by a connection to it."""
        name = path.relative_to(folder).as_posix()
        try:
            with _opened(path) as connection:
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
                if _size_of(f"{path}-wal") == 0:
                    # While we read, nobody may copy a log into the file: it stays as it is.
                    self._add_raw(name, path)
                    self._note(name, damage_of(connection))
                    return
                connection.execute("ROLLBACK")
                copy = self._aside / "copy.sqlite"
                _copy(connection, copy)
            self._add_raw(name, copy)
            with _opened(copy) as saved:
                self._note(name, damage_of(saved))
            copy.unlink()
        except apsw.CantOpenError:
            if path.exists():
                raise
        except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
            if not is_damage(error):
                raise
            self._add_raw(name, path)
            lost = ", and what its log holds is not saved" if _size_of(f"{path}-wal") else ""
            self._note(name, f"{damage_text(error)}{lost}")

    def _add_raw(self, name: str, path: Path) -> None:
        with RawFile(path) as raw:
            self._add(name, raw, raw.size)

    def _verify_segment(self, path: Path, until: int, connection: apsw.Connection) -> str:
        """What is damaged in a segment, or missing between the one before and it."""
        file = SegmentFile(*_place(path), str(path))
        refused = RefusedRecords(path.parent).holds
        found, before = verify(connection, file, until, refused), self._before
        self._before = path.name, found
        if before is None or found.follows is None or found.follows != before[1].id:
            return found.damage
        missing = range(before[1].last + 1, file.first_seq)
        if missing and not before[1].damage and not all(map(refused, missing[:_MOST_REFUSED])):
            gone = f"{counted(len(missing))} records before record {counted(file.first_seq)}"
            self._note(f"{JOURNAL}/{before[0]}", f"{gone} are missing at its end")
        return found.damage


class _Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class _Hashing:
    """A file to read, and the hash of what was read."""

    def __init__(self, content: _Readable) -> None:
        self._content = content
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        found = self._content.read(size)
        self.hash.update(found)
        return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    # A ledger's pages have checksums; a segment's have none, which is as with no such file system.
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=checking_vfs())
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
    make_private(path)
    copy = apsw.Connection(str(path), vfs=checking_vfs())
    try:
        copy.pragma("synchronous", "off")
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(-1)
        copy.pragma("journal_mode", "wal")
    finally:
        copy.close()


def _damage_of(connection: apsw.Connection) -> str:
    """What SQLite, and a checksum of each page, say of a database."""
    try:
        found = str(connection.execute("PRAGMA integrity_check(1)").get)
    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
        if not is_damage(error):
            raise
        return damage_text(error)
    return "" if found == "ok" else found.replace("\n", " ")


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


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0
