"""Who holds a data folder: one process of each kind, by a lock, with a note of who and where."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import time
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from switchhook.errors import DataFolderError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

Holder = Literal["answer", "console", "shipper"]

_READ_ONLY_OR_FULL = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_LOCK_PAUSE_S = 0.05
_LONGEST_NOTE = 4096


class Note(msgspec.Struct, frozen=True):
    """Who holds a folder; `url` is where it listens, once that is known."""

    pid: int
    host: str
    program: str
    since: str
    url: str = ""

    def age_s(self, now_s: float) -> float | None:
        """For how long it is held, by Unix time; None where the note doesn't say."""
        try:
            return max(now_s - datetime.fromisoformat(self.since).timestamp(), 0.0)
        except ValueError:
            return None


class Lock(NamedTuple):
    """A lock that is held, and the note that was written for it."""

    descriptor: int
    path: Path
    note: Note


def holder_pid(path: Path, holder: Holder) -> int | None:
    """The process that held a folder last, by its note; None where it isn't on this machine.

    One that was killed is gone by its lock, though its number may stay or be another's by now.
    """
    note = _living(path, holder)
    return None if note is None else note.pid


def holder_note(path: Path, holder: Holder) -> Note | None:
    """The note of the process that holds a folder, if it lives; None where nobody does."""
    return _living(path, holder)


def is_free(path: Path, holder: Holder) -> bool:
    """Whether it is known that nobody holds a folder, also of one whose holder was killed.

    Not known it is of one that was held on another machine, whose locks need not be seen here.
    """
    note = _note(path, holder)
    if note is not None and note.host != socket.gethostname():
        return False
    return _nobody_locks(path, holder)


def _nobody_locks(path: Path, holder: Holder) -> bool:
    try:
        descriptor = os.open(path / f"{holder}.lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        # Shared, so that two who look at once don't see each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def holder_url(path: Path, holder: Holder) -> str | None:
    """Where the process that holds a folder listens, by its note; None where that isn't known."""
    note = _living(path, holder)
    return None if note is None else note.url or None


def url_within(path: Path, holder: Holder, wait_s: float) -> str | None:
    """The same; one that has just been started gets at most `wait_s` seconds to listen."""
    until = time.monotonic() + wait_s
    while True:
        note = _living(path, holder)
        if note is None or note.url or time.monotonic() >= until:
            return None if note is None else note.url or None
        time.sleep(_LOCK_PAUSE_S)


def _note(path: Path, holder: Holder) -> Note | None:
    try:
        return msgspec.json.decode((path / f"{holder}.lock").read_bytes(), type=Note)
    except (OSError, ValueError):
        return None


def _living(path: Path, holder: Holder) -> Note | None:
    note = _note(path, holder)
    if note is None:
        return None
    try:
        os.kill(note.pid, 0)
    except PermissionError:
        return note  # another user's, whose lock is closed to us, too
    except OSError:
        return None
    here = note.host == socket.gethostname()
    return note if here and not _nobody_locks(path, holder) else None


def take(path: Path, holder: Holder, wait_s: float, now: Callable[[], datetime]) -> Lock:
    """Hold a folder, waiting up to `wait_s` seconds. Raises DataFolderError, OSError."""
    file = path / f"{holder}.lock"
    descriptor = _open_lock(file)
    try:
        held = lock_within(descriptor, _LOCK_PAUSE_S)  # whoever only looks has it for a moment
        if not held and wait_s:
            log.info("%s is held by %s: waiting %g s for it", path, _holder(descriptor), wait_s)
            held = lock_within(descriptor, wait_s)
        other = "" if held else _holder(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    if not held:
        os.close(descriptor)
        hint = "stop that one, or give --data another folder"
        raise DataFolderError(str(path), f"it is held by {other}", hint)
    since = now().isoformat(timespec="seconds")
    note = Note(os.getpid(), socket.gethostname(), f"switchhook {holder}", since)
    write_note(descriptor, note)
    return Lock(descriptor, file, note)


def write_note(descriptor: int, note: Note) -> None:
    """Say who holds it."""
    # The note is for people. Holding works without it, also on a full or read-only disk.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(note), 0)


def erase_note(descriptor: int) -> None:
    """Say that nobody holds it any more."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)


def _open_lock(file: Path) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError as error:
        if error.errno not in _READ_ONLY_OR_FULL or not file.exists():
            raise
        return os.open(file, os.O_RDONLY | flags)


def lock_within(descriptor: int, wait_s: float) -> bool:
    """Lock an open file for this process alone, waiting at most `wait_s` seconds."""
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True


def _holder(descriptor: int) -> str:
    try:
        note = msgspec.json.decode(os.pread(descriptor, _LONGEST_NOTE, 0), type=Note)
    except (OSError, ValueError):
        return "another process"  # which has not written its note yet
    return f"{note.program} (process {note.pid} on {note.host}, since {note.since})"
