"""How the hand-over goes, in a file of the data folder: for those who can't ask the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole, with_checksum

if TYPE_CHECKING:
    from pathlib import Path

STATE_FILE = "hand-over.json"


class HandOverState(msgspec.Struct, frozen=True):
    """How it stands. `problem` is a sentence, empty where all goes well, as it has `since_ms`.

    `handed` is up to where the journal was handed over, `kept_twice` up to where a standby is
    known to have it, too; `conflict` whether the database has another journal of this node.
    """

    problem: str = ""
    since_ms: int = 0
    handed: int = 0
    kept_twice: int = 0
    conflict: bool = False


def write_state(folder: Path, state: HandOverState) -> None:
    """Replace the file. Not synced: after a crash nobody goes by it. Raises OSError."""
    aside = folder / f".{STATE_FILE}"
    aside.write_bytes(with_checksum(msgspec.json.encode(state)))
    aside.chmod(0o600)
    aside.replace(folder / STATE_FILE)


def read_state(folder: Path) -> HandOverState | None:
    """What the file says; None where there is none, or it is damaged. Raises OSError."""
    try:
        content = (folder / STATE_FILE).read_bytes()
        return msgspec.json.decode(content, type=HandOverState) if is_whole(content) else None
    except (FileNotFoundError, ValueError):
        return None
