"""The newest verdict in a file, for commands: they say what the page says, or how old it is."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import msgspec

from switchhook.overview.verdict import State

if TYPE_CHECKING:
    from pathlib import Path

NAME = "verdict.json"
EVERY_MS = 5_000
"""How often it is written while it stays as it is."""


class WrittenVerdict(msgspec.Struct, frozen=True):
    """A verdict, and when it was made, Unix time."""

    state: State
    made_ms: int


class VerdictFile:
    """Writes what the console says; a disk that does not take it leaves the file to grow old."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._written: WrittenVerdict | None = None

    def write(self, state: State, now_ms: int) -> None:
        before = self._written
        if before is not None and before.state == state and now_ms - before.made_ms < EVERY_MS:
            return
        verdict = WrittenVerdict(state, now_ms)
        aside = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(verdict))
            aside.replace(self._path)
            self._written = verdict


def read_verdict(folder: Path) -> WrittenVerdict | None:
    """The newest that was written; None where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=WrittenVerdict)
    except (OSError, ValueError):
        return None
