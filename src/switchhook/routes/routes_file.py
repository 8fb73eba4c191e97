"""How pools stand, in a file: for commands, and for a console that starts again.

`routes.json` in the data folder, replaced whole and with a checksum. What is lost with it is
history: breakers begin closed then, and what people set is in the ledger.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole, with_checksum
from switchhook.routes.view import RoutesView

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = "routes.json"
LARGEST = 8 * 1024 * 1024


class WrittenRoutes(msgspec.Struct, frozen=True):
    """How they stand, and which members a probe ever reached, by pool and name."""

    view: RoutesView
    reached: tuple[tuple[str, str], ...] = ()


class RoutesFile:
    """Writes it. One thread at a time may; `also` is told of what is written, as JSON."""

    def __init__(self, folder: Path, also: Callable[[bytes], None] = lambda _body: None) -> None:
        self.path, self._also = folder / FILE, also
        self._fresh = folder / f"{FILE}.new"

    def write(self, routes: WrittenRoutes) -> None:
        """Replace the file; it is not synced, as it tells of now. Raises OSError."""
        told = msgspec.json.encode(routes)
        self._also(told)
        body = with_checksum(told)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(self._fresh, flags, 0o600), "wb") as file:
            file.write(body)
        self._fresh.replace(self.path)


def read_routes(folder: Path) -> WrittenRoutes | None:
    """What was written last; None where nothing can be read of it."""
    try:
        with (folder / FILE).open("rb") as file:
            body = file.read(LARGEST)
        return msgspec.json.decode(body, type=WrittenRoutes) if is_whole(body) else None
    except (OSError, ValueError, RecursionError):
        return None
