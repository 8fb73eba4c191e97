"""What a backup holds, by name, size and hash; which names and sizes are believed at all."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
LEDGER_FILE = "ledger/ledger.sqlite"
LARGEST_MANIFEST = 64 << 20
LARGEST_SMALL = 64 << 20
"""Bytes of a file that is no database: identity, kept files, refused records."""
MOST_FILES = 200_000

_NAMES = re.compile(
    r"identity\.json|ledger/ledger\.sqlite|kept/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,94}"
    r"|journal/[0-9]{20}(-[0-9]{1,9})?\.sqlite|journal/refused/[0-9]{1,20}\.bin"
)
_DATABASE = re.compile(r"(ledger|journal)/[^/]+\.sqlite")


class Saved(msgspec.Struct, frozen=True):
    """A file in a backup: its name there, bytes, and SHA-256 in hex."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class DamagedFile(msgspec.Struct, frozen=True):
    """A file that was damaged before it was saved, as it still is: what is wrong with it."""

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name} is damaged: {self.problem}"


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; `made` is ISO 8601 in UTC.

    Without `damaged` nobody looked: an older release made it.
    """

    format: Annotated[int, msgspec.Meta(ge=1)]
    node: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    made: str
    files: tuple[Saved, ...]
    damaged: tuple[DamagedFile, ...] | None = None

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(saved.size for saved in self.files)


class Unreadable(msgspec.Struct, frozen=True):
    """Why a manifest is not believed, and what to do."""

    problem: str
    hint: str


def read_manifest(content: bytes) -> Manifest | Unreadable:
    """A manifest from its JSON."""
    another = "take another backup; nothing was written"
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        made = datetime.fromisoformat(manifest.made)
    except (ValueError, RecursionError):
        return Unreadable(f"its {MANIFEST} can't be read", another)
    if manifest.format > FORMAT:
        problem = f"has format {manifest.format}, this release reads format {FORMAT}"
        return Unreadable(problem, "run the release that made it, or a later one")
    names = [saved.name for saved in manifest.files]
    if made.tzinfo is None or len({*names}) < len(names):
        return Unreadable(f"its {MANIFEST} can't be read", another)
    return manifest


def is_ours(name: str) -> bool:
    """Whether a file of that name belongs into a backup: relative, without dots that lead out."""
    return _NAMES.fullmatch(name) is not None


def largest(name: str) -> int | None:
    """How many bytes a file of that name may have; None for databases."""
    return None if _DATABASE.fullmatch(name) else LARGEST_SMALL
