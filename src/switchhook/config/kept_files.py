"""Small files that hold one value each: replaced whole, checked, and by one process at a time."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from switchhook.checked_json import (
    Damage,
    damage_of,
    has_checksum,
    is_whole,
    set_aside,
    with_checksum,
)
from switchhook.config.kept_text import FORMAT
from switchhook.errors import DataFolderError
from switchhook.system.data_folder import atomic_write
from switchhook.system.folder_lock import lock_within

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOCK_WAIT_S = 2.0

Value = TypeVar("Value", bound=msgspec.Struct)


class KeptFiles:
    """The folder `kept` of a data folder. Reading takes no lock, for files are replaced whole.

    All of its methods raise OSError, DataFolderError for a newer version's, and Damaged.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self.path = data / "kept"

    def read(self, file: Path, kind: type[Value]) -> Value | None:
        """What a file holds, None where there is none."""
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return None
        try:
            raw = msgspec.json.decode(content) if is_whole(content) else None
        except (ValueError, RecursionError):
            raw = None
        newest = raw.get("format") if isinstance(raw, dict) else None
        if isinstance(newest, int) and newest > FORMAT:
            problem = f"{file.name} was written by a newer version (format {newest})"
            raise DataFolderError(str(self._data), problem, "run the newer version")
        try:
            return msgspec.convert(raw, kind)
        except ValueError:
            raise Damaged(self._data, file) from None

    def change(
        self, file: Path, kind: type[Value], change: Callable[[Value | None], Value | None]
    ) -> Value | None:
        """Read, change and write a file while no other process does; None leaves it as it is."""
        with self.locked():
            return self.changed(file, kind, change)

    def changed(
        self, file: Path, kind: type[Value], change: Callable[[Value | None], Value | None]
    ) -> Value | None:
        """The same where the folder is `locked` already."""
        old = self.read(file, kind)
        new = change(old)
        if new is not None and (new != old or not _is_checked(file)):
            self.replace(file, new)
        return new

    def replace(self, file: Path, value: msgspec.Struct) -> None:
        """Put a value into a file, whatever was in it."""
        atomic_write(file, with_checksum(msgspec.json.encode(value)))

    def mend(self, file: Path, kind: type[Value], instead: Callable[[bytes], Value | None]) -> None:
        """Set a damaged file aside, so that a new one can be kept.

        `instead` says what is kept in its place, given its bytes, or None.
        """
        if not self._is_damaged(file, kind):
            return
        with self.locked():
            if not self._is_damaged(file, kind):  # another process was first
                return
            new = instead(file.read_bytes())
            set_aside(file)
            if new is not None:
                self.replace(file, new)

    def damage(self, file: Path, lost: str) -> Damage | None:
        """What to say of damaged ones of a file that lie beside it; `lost` is what was in them."""
        return damage_of(file, self._data, lost)

    def locked(self) -> _Locked:
        """The lock of the folder, which is made where it is missing."""
        for folder in (self._data, self.path):
            folder.mkdir(mode=0o700, exist_ok=True)
        return _Locked(self.path / "lock")

    def _is_damaged(self, file: Path, kind: type[Value]) -> bool:
        try:
            self.read(file, kind)
        except Damaged:
            return True
        return False


def _is_checked(file: Path) -> bool:
    with suppress(FileNotFoundError):
        return has_checksum(file.read_bytes())
    return False


class Damaged(DataFolderError):  # noqa: N818 - it says what the file is
    """A kept file that no version wrote so."""

    def __init__(self, data: Path, file: Path) -> None:
        hint = "`switchhook serve` sets it aside, and keeps what runs anew"
        if file.name == "config.json":
            hint += "; commands go without it by --config FILE"
        super().__init__(str(data), f"{file.name} is damaged", hint)
        self.file = file


class _Locked:
    """A lock that is waited for a little: a process that hangs must not keep others from starting.

    Raises OSError where it can't be had.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._file, flags, 0o600)
        if not lock_within(self._descriptor, LOCK_WAIT_S):
            os.close(self._descriptor)
            raise TimeoutError(0, "another process is writing there and does not end")

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
