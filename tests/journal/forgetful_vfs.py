"""A disk that can fail on demand and lose power at any moment.

Losing power is what `kill -9` does not show: the page cache goes too. Each write is passed on to
the real file and noted until the file is synced; when the power fails, what is still noted is
taken back. So the disk afterwards holds what a real one is bound to hold, and not a byte more.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import apsw


class _Change(NamedTuple):
    offset: int
    new: bytes | None  # None: cut off at the offset
    old: bytes
    old_size: int


class ForgetfulVFS(apsw.VFS):
    """SQLite's own file system, with a memory of what was not synced.

    `fault(operation, path)` may give an SQLite code to fail with; operations are "write", "sync",
    "truncate", "delete" and "open". `power_fails_after` counts operations down to the loss of
    power, after which every operation fails.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.fault: Callable[[str, str], int | None] = lambda _operation, _path: None
        self.power_fails_after: int | None = None
        self.off = False
        self.syncs = 0
        self.lock = threading.RLock()
        self._descriptors: dict[int, int] = {}
        self._unsynced: dict[int, list[_Change]] = {}
        self._names: set[str] = set()

    def xOpen(self, name, flags):  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.step("open", path)
        return _File(self, name, flags, path)

    def xDelete(self, path, sync_folder):  # noqa: N802
        self.step("delete", path)
        super().xDelete(path, sync_folder)

    def excepthook(self, *_unraisable: object) -> None:
        """The errors are meant; the default prints them."""

    def step(self, operation: str, path: str) -> None:
        with self.lock:
            if self.power_fails_after is not None:
                self.power_fails_after -= 1
                self.off = self.off or self.power_fails_after < 0
            code = apsw.SQLITE_IOERR_ACCESS if self.off else self.fault(operation, path)
        if code is not None:
            raise apsw.exception_for(code)

    def watch(self, path: str) -> int:
        inode = Path(path).stat().st_ino
        if inode not in self._descriptors:
            self._descriptors[inode] = os.open(path, os.O_RDWR)
        return inode

    def note(self, inode: int, offset: int, new: bytes | None) -> None:
        descriptor = self._descriptors[inode]
        length = os.fstat(descriptor).st_size if new is None else len(new)
        change = _Change(
            offset, new, os.pread(descriptor, length, offset), os.fstat(descriptor).st_size
        )
        self._unsynced.setdefault(inode, []).append(change)

    def synced(self, inode: int, path: str) -> None:
        self.syncs += 1
        self._unsynced.pop(inode, None)
        if path.endswith(("-wal", "-journal")):  # SQLite syncs the folder when it makes one
            self._names.add(path)

    def folder_synced(self, folder: Path) -> None:
        """Stand in for the sync of a folder, which does not go through SQLite."""
        with self.lock:
            if self.off:
                raise OSError("the power is off")
            self._names |= {str(path) for path in folder.iterdir()}

    def lose_power(self, folder: Path, keep: random.Random | None = None) -> None:
        """Leave in `folder` what is durable, and of the rest what `keep` happens to pick."""
        with self.lock:
            self.off = True
            for inode, changes in self._unsynced.items():
                descriptor = self._descriptors[inode]
                for change in reversed(changes):
                    os.pwrite(descriptor, change.old, change.offset)
                    os.ftruncate(descriptor, change.old_size)
                for change in changes:
                    if keep is not None and change.new is not None and keep.random() < 0.5:
                        os.pwrite(descriptor, change.new, change.offset)
            for path in folder.iterdir():
                if path.is_file() and (
                    str(path) not in self._names or path.suffix == ".sqlite-shm"
                ):
                    path.unlink()

    def close(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
        self.unregister()


class _File(apsw.VFSFile):
    def __init__(self, disk: ForgetfulVFS, name, flags, path: str) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = path
        with disk.lock:
            self._inode = disk.watch(path)

    def excepthook(self, *_unraisable: object) -> None:
        """As above."""

    def xWrite(self, data, offset):  # noqa: N802
        with self._disk.lock:
            self._disk.step("write", self._path)
            self._disk.note(self._inode, offset, bytes(data))
            super().xWrite(data, offset)

    def xTruncate(self, size):  # noqa: N802
        with self._disk.lock:
            self._disk.step("truncate", self._path)
            self._disk.note(self._inode, size, None)
            super().xTruncate(size)

    def xSync(self, flags):  # noqa: N802
        with self._disk.lock:
            self._disk.step("sync", self._path)
            self._disk.synced(self._inode, self._path)


@contextlib.contextmanager
def forgetful_disk(name: str):
    """Give a disk under a name that SQLite knows it by."""
    disk = ForgetfulVFS(name)
    try:
        yield disk
    finally:
        disk.close()
