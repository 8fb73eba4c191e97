"""A checksum in each small JSON file of the data folder, by which a flipped bit is noticed.

It is the last member of the object: `{"node":1,"checksum":"89abcdef"}`, the CRC-32 in hex of all
bytes before that member. Readers that don't know it skip it, and a file without one is an older
release's, which is read as it is.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_MEMBER = re.compile(rb',"checksum":"([0-9a-f]{8})"}\Z')
_LONGEST = 32
_ASIDE = ".damaged-"


class Damage(msgspec.Struct, frozen=True):
    """What is damaged of such files, and how to mend it, each a sentence's part.

    Neither names a folder of this machine.
    """

    problem: str
    hint: str

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


def with_checksum(document: bytes) -> bytes:
    """A JSON object, which has other members, with its checksum as the last one."""
    rest = document.rstrip()[:-1].rstrip()
    return rest + b',"checksum":"%08x"}' % crc32(rest)


def has_checksum(content: bytes) -> bool:
    """Whether there is a checksum, fitting or not."""
    return _MEMBER.search(content, max(0, len(content) - _LONGEST)) is not None


def is_whole(content: bytes) -> bool:
    """Whether the checksum fits; True where there is none."""
    found = _MEMBER.search(content, max(0, len(content) - _LONGEST))
    return found is None or int(found[1], 16) == crc32(memoryview(content)[: found.start()])


def set_aside(file: Path) -> None:
    """Give a damaged file a name beside its own, which none has had. Raises OSError."""
    number = max((number for number, _ in _set_aside(file)), default=0) + 1
    file.rename(file.with_name(f"{file.name}{_ASIDE}{number}"))


def damage_of(file: Path, folder: Path, lost: str) -> Damage | None:
    """What to say while damaged ones of a file lie beside it; `lost` is what was in them.

    `folder` is the data folder.
    """
    aside = _set_aside(file)
    if not aside:
        return None
    place = file.relative_to(folder).as_posix()
    hint = f"see whether the disk is well, then remove {place}{_ASIDE}*"
    return Damage(f"{lost} was damaged; it is now in {max(aside)[1]}", hint)


def _set_aside(file: Path) -> list[tuple[int, str]]:
    """The number and the name of each that was set aside."""
    start = f"{file.name}{_ASIDE}"
    try:
        # A glob makes a pattern, and a path of each name there: one file of hundreds is looked at.
        names = os.listdir(file.parent)  # noqa: PTH208
    except FileNotFoundError:
        return []
    ends = (name.removeprefix(start) for name in names if name.startswith(start))
    return [(int(end), start + end) for end in ends if end.isascii() and end.isdigit()]
