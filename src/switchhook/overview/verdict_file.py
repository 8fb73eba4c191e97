"""The newest verdict and the alerts in a file, for commands: they say what the page says.

A disk that is full is one of the things to say, so two files are made at the start, as large as
they will ever be, and written in their place by turns: that takes no room. Each begins with the
checksum of the rest (CRC-32, as `zlib.crc32` has it), so that who reads takes the newest that is
whole.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert
from switchhook.overview.verdict import State
from switchhook.overview.verdict_keeper import STALE_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

NAMES = ("verdict.0", "verdict.1")
SIZE = 64 * 1024
MOST_ALERTS = 50
EVERY_MS = 5_000
"""How often it is written while it stays as it is."""


class WrittenVerdict(msgspec.Struct, frozen=True):
    """A verdict, the alerts that are pending or fire, and when that was so, Unix time."""

    state: State
    made_ms: int
    alerts: tuple[Alert, ...] = ()

    def age_s(self, now_ms: int) -> float:
        return abs(now_ms - self.made_ms) / 1000

    def fresh(self, now_ms: int) -> bool:
        """Whether it tells how things are, and not how they were."""
        return self.age_s(now_ms) * 1000 <= STALE_MS


class VerdictFile:
    """Writes what the console says; a disk that does not take it leaves the file to grow old.

    `also` is told of what is written, as JSON. Raises nothing.
    """

    def __init__(self, folder: Path, also: Callable[[bytes], None] = lambda _body: None) -> None:
        self._paths, self._also = [folder / name for name in NAMES], also
        self._written: WrittenVerdict | None = None

    def write(self, state: State, alerts: Sequence[Alert], now_ms: int) -> None:
        worst = sorted(alerts, key=lambda each: (not each.firing, -each.severity.rank))
        verdict = WrittenVerdict(state, now_ms, tuple(worst[:MOST_ALERTS]))
        before = self._written
        if before is not None and now_ms - before.made_ms < EVERY_MS:
            said = before.state, [(each.key, each.state) for each in before.alerts]
            if said == (state, [(each.key, each.state) for each in verdict.alerts]):
                return
        self._also(msgspec.json.encode(verdict))
        content = _content(verdict)
        with contextlib.suppress(OSError):
            if before is None:
                _write(self._paths[0], content)  # so that the room of both is taken
            _write(self._paths[1], content)
            self._paths.reverse()
            self._written = verdict


def _content(verdict: WrittenVerdict) -> bytes:
    text = msgspec.json.encode(verdict)
    if len(text) > SIZE - 16:
        text = msgspec.json.encode(msgspec.structs.replace(verdict, alerts=()))
    body = text.ljust(SIZE - 9)
    return b"%08x\n" % zlib.crc32(body) + body


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, content, 0)
    finally:
        os.close(descriptor)


def read_verdict(folder: Path) -> WrittenVerdict | None:
    """The newest that was written; None where there is none that can be read."""
    found = [each for name in NAMES if (each := _read(folder / name)) is not None]
    return max(found, key=lambda each: each.made_ms, default=None)


def _read(path: Path) -> WrittenVerdict | None:
    try:
        checksum, _, body = path.read_bytes().partition(b"\n")
        if int(checksum, 16) != zlib.crc32(body):
            return None
        return msgspec.json.decode(body, type=WrittenVerdict)
    except (OSError, ValueError):
        return None
