"""Checking a backup as a whole, and unpacking it into an empty folder.

It is read twice through one open file. What is unpacked is compared with what was checked: a file
that changes between fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING

from switchhook.errors import BackupError, DataFolderError
from switchhook.retention.backup.archive import ANOTHER, CHUNK, Member, members
from switchhook.retention.backup.encryption import decrypting
from switchhook.retention.backup.manifest import (
    LEDGER_FILE,
    MANIFEST,
    Manifest,
    Saved,
    Unreadable,
    read_manifest,
)
from switchhook.system.data_folder import IDENTITY, Identity, parse_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROOM = 64 << 20


def check(source: Path, identities: Path | None = None) -> Manifest:
    """Read a backup to its end and compare everything with its manifest. Raises BackupError."""
    with source.open("rb") as raw:
        return _check(raw, source, identities)[0]


def restore(
    source: Path,
    folder: Path,
    *,
    identities: Path | None = None,
    may_be_there: frozenset[str] = frozenset(),
    only: str = "",
    progress: Callable[[str], None] = lambda name: None,
    prepare: Callable[[Path, Identity], Callable[[], None]] = lambda folder, identity: _nothing,
) -> Manifest:
    """Unpack a backup into a folder that is empty or not there, after it was checked as a whole.

    Beside the identity it unpacks what begins with `only`, but for a ledger that was damaged
    before, which nothing starts on. `may_be_there` names what doesn't count. `prepare` is called
    before anything is written, and what it gives before the folder gets its identity. Cut short it
    leaves one without, which nothing starts in.
    """
    with source.open("rb") as raw:
        manifest, identity, content = _check(raw, source, identities)
        there = {*os.listdir(folder)} if folder.is_dir() else set()  # noqa: PTH208
        if there - may_be_there - {"lost+found"} or (folder.exists() and not folder.is_dir()):
            problem = "a backup is restored into an empty folder only, and this one is not"
            hint = "move it aside, or give --data a new folder"
            raise DataFolderError(str(folder), problem, hint)
        _check_room(source, folder, manifest)
        prepared = prepare(folder, identity)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        raw.seek(0)
        try:
            _unpack_all(raw, source, identities, manifest, folder, only, progress)
        except BackupError as error:
            hint = "empty the folder, and restore from a file that nobody writes"
            problem = f"changed after it was checked: {error.problem}"
            raise BackupError(str(source), problem, hint) from error
    prepared()
    write_durably(folder / IDENTITY, content)
    sync(folder)
    sync(folder.absolute().parent)
    return manifest


def _nothing() -> None:
    """What there is to do before use where nobody says."""


def _check(
    raw: IO[bytes], source: Path, identities: Path | None
) -> tuple[Manifest, Identity, bytes]:
    found: dict[str, Saved] = {}
    kept: dict[str, bytes] = {}
    with decrypting(raw, str(source), identities) as content:
        for name, member in members(content, str(source)):
            if name in (MANIFEST, IDENTITY):
                kept[name] = member.whole()
                found[name] = Saved(name, member.size, hashlib.sha256(kept[name]).hexdigest())
            else:
                found[name] = _measured(name, member)
    if MANIFEST not in found:
        raise BackupError(str(source), "is cut short: it has no manifest", ANOTHER)
    manifest = read_manifest(kept[MANIFEST])
    if isinstance(manifest, Unreadable):
        raise BackupError(str(source), manifest.problem, manifest.hint)
    del found[MANIFEST]
    listed = {saved.name: saved for saved in manifest.files}
    for name in sorted(listed.keys() | found.keys()):
        if found.get(name) != listed.get(name):
            raise BackupError(str(source), f"{name[:100]} is not as it was saved", ANOTHER)
    if IDENTITY not in found:
        raise BackupError(str(source), f"lacks {IDENTITY}", ANOTHER)
    try:
        identity = parse_identity(source, kept[IDENTITY])
    except DataFolderError as error:
        raise BackupError(str(source), error.problem, error.hint) from None
    if identity.node != manifest.node:
        raise BackupError(str(source), f"its {IDENTITY} is that of another node", ANOTHER)
    return manifest, identity, kept[IDENTITY]


def _check_room(source: Path, folder: Path, manifest: Manifest) -> None:
    """Refuse what the disk has no room for, before anything is written."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if manifest.size + _ROOM > free:
        problem = f"unpacks to {manifest.size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
        raise BackupError(str(source), problem, "make room, or give --data a folder elsewhere")


def _unpack_all(
    raw: IO[bytes],
    source: Path,
    identities: Path | None,
    manifest: Manifest,
    folder: Path,
    only: str,
    progress: Callable[[str], None],
) -> None:
    """Write what is wanted but the identity, as long as all of it is what was checked."""
    listed = {saved.name: saved for saved in manifest.files}
    left_out = {each.name for each in manifest.damaged or ()} & {LEDGER_FILE}
    with decrypting(raw, str(source), identities) as content:
        for name, member in members(content, str(source)):
            if name == MANIFEST:
                continue
            saved = listed.pop(name, None)
            if name == IDENTITY or name in left_out or not name.startswith(only):
                if saved is not None and _measured(name, member) == saved:
                    continue
            elif saved is not None and member.size == saved.size:
                progress(name)
                if _unpack(folder / name, name, member) == saved:
                    continue
            raise _changed(source, name)
    if listed:
        raise _changed(source, min(listed))


def _changed(source: Path, name: str) -> BackupError:
    return BackupError(str(source), f"{name[:100]} is not as it was", ANOTHER)


def _measured(name: str, content: Member) -> Saved:
    size, whole = 0, hashlib.sha256()
    for part in _parts(content):
        size += len(part)
        whole.update(part)
    return Saved(name, size, whole.hexdigest())


def _unpack(path: Path, name: str, content: Member) -> Saved:
    """Write a durable file that only its owner can read, and its folder; gives what it was."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    whole = hashlib.sha256()
    with _new_file(path) as file:
        for part in _parts(content):
            whole.update(part)
            file.write(part)
    return Saved(name, content.size, whole.hexdigest())


def _parts(content: Member) -> Iterator[bytes]:
    return iter(lambda: content.read(CHUNK), b"")


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read."""
    with _new_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123
        yield file
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make what is in a folder by name durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
