"""Where a back-test stands, in a file: so that one that was stopped goes on, and others see it.

It holds counts and the places of receipts, no request and no number: who shows a receipt reads it
from the journal, so that what was erased there is gone from here too.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from switchhook.releases.backtest import BackTest

FOLDER = "backtests"
"""Within the data folder."""


class BackTestFile:
    """The file of the back-test of one candidate, by the hash of its text."""

    def __init__(self, data: Path, release: str) -> None:
        self._file = data / FOLDER / f"{release[:16]}.msgpack"

    def read(self) -> BackTest | None:
        """Where it stands; None where there is none, or it can't be read: then it begins anew."""
        try:
            return msgspec.msgpack.decode(self._file.read_bytes(), type=BackTest)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None

    def write(self, found: BackTest) -> None:
        """Keep where it stands, whole or not at all. Raises OSError."""
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        beside = self._file.with_suffix(f".{os.getpid()}")
        beside.write_bytes(msgspec.msgpack.encode(found))
        beside.replace(self._file)

    def remove(self) -> None:
        """Let go of it."""
        with suppress(FileNotFoundError):
            self._file.unlink()
