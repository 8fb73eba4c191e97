"""A system's clock that is stepped under a running program, by libfaketime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def _library() -> Path:
    named = os.environ.get("FAKETIME")
    found = [Path(named)] if named else sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "libfaketime is not there: run scripts/faketime"
    return found[0]


class FakeTime:
    """The clock of programs that are started with `environ`; `step` moves it at once."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.step(0)

    def step(self, seconds: int) -> None:
        """Be so far off from now on, forward or (below 0) back."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}s\n")
        fresh.replace(self._file)

    @property
    def environ(self) -> Mapping[str, str]:
        """What a program has to be started with."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, timed waits end at once and spin
            "NO_FAKE_STAT": "1",
        }
