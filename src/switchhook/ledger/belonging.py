"""Which ledger belongs to a data folder: noted beside it, so that one that vanished is missed.

The note is `ledger.json` in the data folder: the ledger's own id, and how far its audit log had
come. Where there is a note no other ledger is taken, no older one, and none is begun: an empty
ledger knows no users, and would let in whoever comes first. `newest-backup.json` beside it says
where to get it back from.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole, with_checksum
from switchhook.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

    import apsw

NOTE = "ledger.json"
_BACKUP = "newest-backup.json"
_IDENTITY = "identity.json"


class Note(msgspec.Struct, frozen=True):
    """What is known of a folder's ledger: its `id`, and the newest `entry` of its audit log."""

    id: str
    entry: int = 0


class Backup(msgspec.Struct, frozen=True):
    """The newest backup of a data folder that has a ledger: its `file`, `made` then (ISO 8601).

    `damaged` has sentences on what the newest of all holds that was damaged before.
    """

    file: str
    made: str
    damaged: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """A ledger as it lies there: without an `id` it is empty, or of a release before ids."""

    id: str | None
    entry: int


def problem_of(note: Note, found: Found | None) -> str | None:
    """Why a ledger is not the one that was noted; None where it is. None found is a missing one."""
    if found is None:
        return "the ledger that belongs to this data folder is missing"
    if found.id is None:
        return "an empty or older ledger is in the place of the one that belongs to this folder"
    if found.id != note.id:
        return "another ledger is in the place of the one that belongs to this data folder"
    if found.entry < note.entry:
        return (
            f"the ledger is older than it was: its audit log ends with entry {found.entry:,}"
            f" of {note.entry:,}"
        )
    return None


def way_back(backup: Backup | None) -> str:
    """What to do about it. Of the newest backup it says the name alone: anybody may read this."""
    known = backup if backup is not None and backup.file else None
    name = "" if known is None else f"; the newest is {os.path.basename(known.file)}"  # noqa: PTH119
    made = "" if known is None else f" of {known.made}"
    return (
        f"nobody is let in until it is back: switchhook restore BACKUP --ledger-only{name}{made};"
        f" to begin anew without its users, remove {NOTE} and the folder ledger"
    )


def read_backup(data: Path) -> Backup | None:
    """The newest backup of a data folder; None where none is known."""
    try:
        content = (data / _BACKUP).read_bytes()
        return msgspec.json.decode(content, type=Backup) if is_whole(content) else None
    except (OSError, ValueError):
        return None  # it only helps people to find the file


def note_backup(data: Path, backup: Backup) -> None:
    """Note the newest backup of a data folder. Raises OSError."""
    _write(data / _BACKUP, msgspec.json.encode(backup))


def note_file(ledger_folder: Path) -> Path | None:
    """Where a ledger is noted; None where it lies in no data folder."""
    data = ledger_folder.parent
    return data / NOTE if (data / _IDENTITY).exists() else None


def read_note(file: Path) -> Note | None:
    """What was noted; None where nothing was. Raises LedgerError, OSError."""
    try:
        content = file.read_bytes()
        note = msgspec.json.decode(content, type=Note)
    except FileNotFoundError:
        return None
    except ValueError:
        note = None
    if note is None or not is_whole(content):
        hint = "get it back from a backup; if you know that the ledger is the right one, remove it"
        raise LedgerError(str(file), "it is damaged", hint)
    return note


def is_damaged(file: Path) -> bool:
    """Whether what was noted can't be read any more. Raises OSError."""
    try:
        read_note(file)
    except LedgerError:
        return True
    return False


def write_note(file: Path, note: Note) -> None:
    """Note it. Raises OSError."""
    _write(file, msgspec.json.encode(note))


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    aside = file.with_name(f".{file.name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(aside, flags, 0o600), "wb") as out:  # noqa: PTH123
            out.write(with_checksum(content))
            out.flush()
            os.fsync(out.fileno())
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def find(connection: apsw.Connection) -> Found:
    """The ledger behind a connection."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    entry = 0
    if "sqlite_sequence" in tables:
        asked = "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0)"
        entry = connection.execute(asked).get
    if "belonging" not in tables:
        return Found(None, entry)
    return Found(connection.execute("SELECT id FROM belonging").get, entry)
