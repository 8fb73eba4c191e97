"""Which cluster a data folder belongs to: noted in it, so that no start needs the database.

`cluster.json` is written before the database knows the folder, with a draw that tells it from every
other (`member`), and once more when it is one: whatever is interrupted in between finds out how
far it came by that draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole, with_checksum
from switchhook.errors import DataFolderError
from switchhook.system.data_folder import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

NOTE = "cluster.json"
MEMBER_BYTES = 16


class Membership(msgspec.Struct, frozen=True):
    """A data folder's place in a cluster.

    `id` is the cluster's, empty while the folder is on its way into one; `member` what the cluster
    knows the folder by; `node` its number; `joined` when, in ISO 8601.
    """

    member: str
    id: str = ""
    node: int = 0
    joined: str = ""

    @property
    def is_member(self) -> bool:
        """Whether it has joined, and is not just on its way."""
        return bool(self.id)


def read_membership(folder: Path) -> Membership | None:
    """What is noted in a data folder; None where nothing is. Raises DataFolderError."""
    file = folder / NOTE
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"its {NOTE} can't be read: {(error.strerror or str(error)).lower()}"
        raise DataFolderError(str(folder), problem, "let its user read it") from error
    try:
        note = msgspec.json.decode(content, type=Membership) if is_whole(content) else None
    except ValueError:
        note = None
    if note is None:
        hint = "get it back from a backup; or remove it: `switchhook cluster join` makes it anew"
        raise DataFolderError(str(folder), f"its {NOTE} is damaged", hint)
    return note


def write_membership(folder: Path, note: Membership) -> None:
    """Note it, durably. Raises DataFolderError."""
    try:
        atomic_write(folder / NOTE, with_checksum(msgspec.json.encode(note)))
    except OSError as error:
        problem = f"its {NOTE} can't be written: {(error.strerror or str(error)).lower()}"
        raise DataFolderError(str(folder), problem, "check its disk") from error
