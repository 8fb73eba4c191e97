"""The bytes of records that the database refused: each is set aside in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.journal.segment import write_private_file
from switchhook.system.file_system import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.journal.masking import Mask


class RefusedRecords:
    """Those of the journal in a folder, by the names of their files. Raises OSError."""

    def __init__(self, journal: Path) -> None:
        self._folder = journal / "refused"

    def set_aside(self, seq: int, content: bytes) -> None:
        """Keep the bytes of a record, durably."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_private_file(self._folder / f"{seq}.bin", content)

    def holds(self, seq: int) -> bool:
        """Whether a record was set aside."""
        return (self._folder / f"{seq}.bin").exists()

    def names(self) -> list[str]:
        """Of all."""
        return sorted(path.name for path in self._folder.glob("*.bin"))

    def read(self, name: str) -> bytes:
        """What is in one."""
        return (self._folder / name).read_bytes()

    def mask(self, name: str, mask: Mask) -> int:
        """Mask one, whole or not at all; gives how often `mask` struck."""
        content, times = mask(self.read(name))
        if times:
            path = self._folder / name
            aside = path.with_suffix(".new")
            write_private_file(aside, content)
            aside.replace(path)
            sync_folder(self._folder)
        return times

    def clear_before(self, first_seq: int) -> None:
        """Remove those of records before the first that the journal still has."""
        for name in self.names():
            seq = name.removesuffix(".bin")
            if seq.isdecimal() and int(seq) < first_seq:
                (self._folder / name).unlink(missing_ok=True)
