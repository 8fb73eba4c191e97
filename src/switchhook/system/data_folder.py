"""The data folder: one holder of each kind, an identity of its own, and writes that are whole.

data/
  answer.lock, console.lock, shipper.lock   who holds it
  identity.json               node number and key, written once
  journal/, store/, kept/     their owners' business
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from switchhook.checked_json import (
    Damage,
    damage_of,
    has_checksum,
    is_whole,
    set_aside,
    with_checksum,
)
from switchhook.errors import DataFolderError
from switchhook.system.file_system import mounted, refuse_network, sync_folder
from switchhook.system.folder_lock import Holder, Lock, erase_note, take, write_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

FORMAT = 1
JOURNAL = "journal"
STORE = "store"
LEDGER = "ledger"
IDENTITY = "identity.json"
BOOT = "boot.json"
KEY_BYTES = 32

_OWN = {
    "lost+found",
    "answer.lock",
    "console.lock",
    "shipper.lock",
    "kept",
}  # may be there before an identity


class Identity(msgspec.Struct, frozen=True):
    """Who a data folder is: `node` is 32 bits, `key` 32 bytes for fingerprints, in hex on disk."""

    node: int
    key: bytes
    created: str

    def __repr__(self) -> str:
        return f"Identity(node={self.node}, key=…, created={self.created!r})"


class _Boot(msgspec.Struct, frozen=True):
    id: str
    first_seq: int


class DataFolder:
    """A data folder that this process holds until `close`; made by `open`."""

    def __init__(self, path: Path, identity: Identity, lock: Lock) -> None:
        self.path, self.identity = path, identity
        self._lock = lock
        self._place = _place(path), _place(lock.path)

    @classmethod
    def open(
        cls,
        path: str | Path,
        holder: Holder,
        *,
        wait_s: float = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[int], bytes] = secrets.token_bytes,
        mounts: str | None = None,
    ) -> DataFolder:
        """Hold the folder as `holder`, and make it where it is missing.

        Waits up to `wait_s` seconds for one who holds it already. `draw` gives random bytes;
        `mounts` is the text of /proc/mounts. Raises DataFolderError; nothing is changed then,
        except that the folder may have been made.
        """
        path = Path(os.path.abspath(path))  # noqa: PTH100 - a link in it stays as it was given
        refuse_network(path, mounted() if mounts is None else mounts)
        with _explained(path):
            _make(path)
            lock = take(path, holder, wait_s, now)
            try:
                identity = _identity(path, now, draw)
                return cls(path, identity, lock)
            except BaseException:
                os.close(lock.descriptor)
                raise

    @property
    def node(self) -> int:
        """The number that tells this folder's records from those of other nodes."""
        return self.identity.node

    @property
    def key(self) -> bytes:
        """The key of fingerprints."""
        return self.identity.key

    def boot(self, next_seq: int) -> Mapping[str, object]:
        """When the machine started: the start's `id`, and the `first_seq` that was given out in it.

        Times of the monotonic clock can be compared within one only. Where the system names no
        start, each opening counts as one.
        """
        file = self.path / BOOT
        running = boot_id()
        stored = _stored_boot(file)
        if stored is not None and stored.id == running and stored.first_seq <= next_seq:
            return msgspec.structs.asdict(stored)
        begun = _Boot(running, next_seq)
        if running:
            # On a full disk the next opening finds the old one, and takes its own seq: the safe
            # side, for the wall clock then places the records in between.
            with contextlib.suppress(OSError):
                atomic_write(file, with_checksum(msgspec.json.encode(begun)))
        return msgspec.structs.asdict(begun)

    def still_there(self) -> bool:
        """Whether the path still leads to the folder that was opened, and to its lock."""
        return self._place == (_place(self.path), _place(self._lock.path))

    def keep_identity(self) -> Damage | None:
        """Write the identity anew where its file was damaged or removed; what to say of damage.

        One holder at a time may. Raises OSError.
        """
        file = self.path / IDENTITY
        if self.still_there() and not self._is_kept(file):
            with contextlib.suppress(FileNotFoundError):
                set_aside(file)
            atomic_write(file, _stored(self.identity))
        return damage_of(file, self.path, f"the data folder's {IDENTITY}")

    def _is_kept(self, file: Path) -> bool:
        with contextlib.suppress(FileNotFoundError, DataFolderError):
            parse_identity(self.path, file.read_bytes())
            return True
        return False

    def folder(self, name: str) -> Path:
        """A folder inside, made where it is missing, for its owner only."""
        inner = self.path / name
        with _explained(self.path):
            inner.mkdir(mode=0o700, exist_ok=True)
        return inner

    def say_where(self, url: str) -> None:
        """Note where its holder listens, for commands that need the address."""
        write_note(self._lock.descriptor, msgspec.structs.replace(self._lock.note, url=url))

    def close(self) -> None:
        """Let go of it. The lock's file stays: to remove it would race with who waits for it.

        Its note goes, as another process may have the same number some day.
        """
        erase_note(self._lock.descriptor)
        os.close(self._lock.descriptor)

    def __enter__(self) -> DataFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_identity(path: str | Path) -> Identity:
    """The identity of a folder that somebody else may hold. Raises DataFolderError."""
    folder = Path(path)
    with _explained(folder):
        try:
            content = (folder / IDENTITY).read_bytes()
        except FileNotFoundError:
            if not folder.is_dir() or not any(folder.iterdir()):
                hint = "start it: switchhook serve; or run this in the folder of its"
                hint += " switchhook.toml, or say --config or --data"
                raise DataFolderError(str(folder), "nothing has run on it yet", hint) from None
            problem = f"it has no {IDENTITY}"
            hint = "is this the right folder? If so, get the file back from a backup"
            raise DataFolderError(str(folder), problem, hint) from None
    return parse_identity(folder, content)


def adopt_identity(path: Path, node: int, key: bytes) -> Identity:
    """Give a folder another number and key, durably; nothing that its old ones made may count.

    Whoever calls holds the folder. Raises DataFolderError.
    """
    before = read_identity(path)
    identity = msgspec.structs.replace(before, node=node, key=key)
    if identity != before:
        with _explained(path):
            atomic_write(path / IDENTITY, _stored(identity))
    return identity


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and durably: a crash leaves the old or the new one.

    Raises OSError; the old file is untouched then.
    """
    with _written_aside(path, content) as aside:
        os.replace(aside, path)  # noqa: PTH105
        sync_folder(path.parent)


def first_seq_of_boot(folder: Path) -> int | None:
    """The first seq that was given out since the machine started; None before there is one."""
    stored = _stored_boot(folder / BOOT)
    if stored is None or not stored.id or stored.id != boot_id():
        return None
    return stored.first_seq


def boot_id() -> str:
    """Which start of the machine this is; empty where the system doesn't tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""  # not Linux


def _stored_boot(file: Path) -> _Boot | None:
    """What is noted; None where nothing is, or it is damaged: then a start begins anew with it."""
    try:
        content = file.read_bytes()
        return msgspec.json.decode(content, type=_Boot) if is_whole(content) else None
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the system refuses into a sentence with what to do."""
    hints = {
        errno.EACCES: "let the user that runs switchhook own it",
        errno.EPERM: "let the user that runs switchhook own it",
        errno.ENOENT: "make the folder above it first; is its disk mounted?",
        errno.ENOTDIR: "give --data a folder",
        errno.EEXIST: "give --data a folder",
        errno.ENOSPC: "make room",
        errno.EDQUOT: "make room",
        errno.EROFS: "mount it writable",
    }
    try:
        yield
    except OSError as error:
        problem = f"it can't be used: {(error.strerror or str(error)).lower()}"
        hint = hints.get(error.errno or 0, "check the disk, or give --data another folder")
        raise DataFolderError(str(path), problem, hint) from error


def _make(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
        sync_folder(path.parent)
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return
    # Never tighten what is somebody else's: --data /tmp must not lock everybody out.
    foreign = {entry.name for entry in path.iterdir()} - _OWN
    if foreign and not (path / IDENTITY).exists():
        problem = f"others may enter it (mode {mode:04o}), and it holds other things"
        raise DataFolderError(str(path), problem, "give --data a folder of its own")
    try:
        path.chmod(0o700)
    except OSError:
        problem = f"others may enter it (mode {mode:04o}), and it can't be tightened"
        hint = "chmod 700 it, or give --data a new folder inside it"
        raise DataFolderError(str(path), problem, hint) from None


class _StoredIdentity(msgspec.Struct):
    format: int
    node: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    key: Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{{2 * KEY_BYTES}}}$")]
    created: str


def _identity(path: Path, now: Callable[[], datetime], draw: Callable[[int], bytes]) -> Identity:
    file = path / IDENTITY
    if not file.exists():
        journal = path / JOURNAL
        if journal.is_dir() and any(journal.iterdir()):
            problem = f"it has a journal, but no {IDENTITY}"
            raise DataFolderError(str(path), problem, "get the file back from a backup")
        made = now().isoformat(timespec="seconds")
        _write_new(file, _stored(Identity(int.from_bytes(draw(4)), draw(KEY_BYTES), made)))
    identity, content = read_identity(path), file.read_bytes()
    if not has_checksum(content):  # an older release's, and it can be read
        with contextlib.suppress(OSError):  # a full disk: the next start does it
            atomic_write(file, with_checksum(content))
    return identity


def _stored(identity: Identity) -> bytes:
    """The bytes of an identity's file."""
    stored = _StoredIdentity(
        format=FORMAT, node=identity.node, key=identity.key.hex(), created=identity.created
    )
    return with_checksum(msgspec.json.format(msgspec.json.encode(stored), indent=1))


def parse_identity(path: Path, content: bytes) -> Identity:
    """The identity in the bytes of its file; `path` is where, for the error."""
    try:
        raw = msgspec.json.decode(content) if is_whole(content) else None
    except (ValueError, RecursionError):
        raw = None
    newest = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(newest, int) and newest > FORMAT:
        problem = f"it was made by a newer version (format {newest}, this one knows {FORMAT})"
        raise DataFolderError(str(path), problem, "run the newer version")
    try:
        stored = msgspec.convert(raw, _StoredIdentity)
        return Identity(stored.node, bytes.fromhex(stored.key), stored.created)
    except ValueError:
        problem = f"its {IDENTITY} is damaged"
        hint = "get the file back from a backup; without one, start with a new folder"
        raise DataFolderError(str(path), problem, hint) from None


def _write_new(path: Path, content: bytes) -> None:
    """Write a file durably unless it is there: of two who try, one wins and both see the same."""
    with _written_aside(path, content) as aside, contextlib.suppress(FileExistsError):
        os.link(aside, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _written_aside(path: Path, content: bytes) -> Iterator[Path]:
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(aside, flags, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield aside
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def _place(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
