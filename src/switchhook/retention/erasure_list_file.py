"""The list of erasures in a data folder, which no backup has, and its copy beside backups."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole, with_checksum
from switchhook.errors import DataFolderError
from switchhook.exotel.phone_numbers import counted
from switchhook.retention.fingerprints import LIST_FORMAT, ErasureList, Fingerprints
from switchhook.system.data_folder import atomic_write
from switchhook.system.folder_lock import lock_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from switchhook.retention.erasure import Erasure
    from switchhook.retention.fingerprints import Remembered
    from switchhook.system.data_folder import Identity

FILE = "erasures.json"
_LOCK = ".erasures.lock"
_LARGEST = 256 << 20
_PATIENCE_S = 10.0


def remember(folder: Path, identity: Identity, erasure: Erasure) -> None:
    """Put an erasure on the folder's list, durably. Raises DataFolderError, OSError."""
    more = Fingerprints(identity.key).remember(erasure)
    with _alone(folder):
        listed = read_list(folder / FILE, identity.node)
        write_list(folder / FILE, listed.with_more([more]))


class ErasuresOfNode:
    """What a node erased as one of the cluster `cluster`, on its folder's list.

    A database that is restored to a moment before knows nothing of it. Raises DataFolderError,
    OSError.
    """

    def __init__(self, folder: Path, identity: Identity, cluster: str) -> None:
        self._folder, self._identity, self._cluster = folder, identity, cluster

    def begin(self, erasure: Erasure, now_ms: int) -> None:
        """Note one before it begins in the node's own journal; durably, as all here."""
        print = Fingerprints(self._identity.key).remember(erasure)
        self._put(msgspec.structs.replace(print, cluster=self._cluster, begun_ms=now_ms))

    def finish(self, erasure: Erasure) -> None:
        """Note the proof of one."""
        known = self.all().get(erasure.id)
        if known is not None:
            proof = msgspec.structs.replace(erasure, number=None, calls=())
            self._put(msgspec.structs.replace(known, proof=proof))

    def all(self) -> dict[str, Remembered]:
        """Those of this cluster, by their ids."""
        listed = read_list(self._folder / FILE, self._identity.node)
        return {each.id: each for each in listed.erasures if each.cluster == self._cluster}

    def _put(self, one: Remembered) -> None:
        with _alone(self._folder):
            listed = read_list(self._folder / FILE, self._identity.node)
            write_list(self._folder / FILE, listed.with_more([one]))


def read_list(path: Path, node: int) -> ErasureList:
    """A list of that node's erasures; empty where there is no file. Raises DataFolderError."""
    hint = "get it back from beside a backup; without it a restore can't erase again"
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except FileNotFoundError:
        return ErasureList(node)
    try:
        found = msgspec.json.decode(content, type=ErasureList)
    except (ValueError, RecursionError):
        found = None
    if found is None or not is_whole(content):
        raise DataFolderError(str(path), "it is damaged, or no list of erasures", hint)
    if found.format > LIST_FORMAT:
        problem = f"it was made by a newer version (format {found.format})"
        raise DataFolderError(str(path), problem, "run the newer version")
    if found.node != node:
        problem = f"it is the list of node {counted(found.node)}, and this is node {counted(node)}"
        raise DataFolderError(str(path), problem, "give the list of the data folder backed up")
    return found


def read_lists(paths: Iterable[Path], node: int) -> ErasureList:
    """All that is on any of the lists of a node. Raises DataFolderError."""
    whole = ErasureList(node)
    for path in paths:
        whole = whole.with_more(read_list(path, node).erasures)
    return whole


def write_list(path: Path, listed: ErasureList) -> None:
    """Write a list, whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(listed), indent=1)
    atomic_write(path, with_checksum(content))


def beside(backup: Path, node: int) -> Path:
    """Where the copy of a node's list is that belongs to the backups in a folder."""
    return backup.absolute().parent / f"switchhook-erasures-{node}.json"


def copy_beside(folder: Path, backup: Path, node: int) -> Path | None:
    """Bring the copy beside a backup up to date; None where nothing was ever erased.

    What only the copy has stays in it. Raises DataFolderError, OSError.
    """
    listed, copy = read_list(folder / FILE, node), beside(backup, node)
    there = read_list(copy, node)
    both = there.with_more(listed.erasures)
    if both != there:
        write_list(copy, both)
    return copy if both.erasures else None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Commands remember erasures beside a console that does."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(folder / _LOCK, flags, 0o600)
    try:
        if not lock_within(descriptor, _PATIENCE_S):
            problem = "its list of erasures is held by another process"
            raise DataFolderError(str(folder), problem, "try again when that has ended")
        yield
    finally:
        os.close(descriptor)
