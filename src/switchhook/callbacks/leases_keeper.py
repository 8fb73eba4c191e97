"""The places that callbacks hold, remembered, so that none is held on by mistake."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from switchhook.callbacks.account import StreamLeases

MISSED_MS = 10_000
"""For how long nobody must know of a callback until its place is given back: one that is about to
be kept as dialled is not known yet."""


class HeldLeases:
    """Places of streams as the workers see them; any thread may ask."""

    def __init__(self, leases: StreamLeases) -> None:
        self._leases = leases
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._missed: dict[str, int] = {}

    def take(self, account: str, name: str, class_: str, reserve: int) -> str:
        why = self._leases.take(account, name, class_, reserve)
        if not why:
            self._remember(name)
        return why

    def hold(self, account: str, name: str, class_: str) -> None:
        self._leases.hold(account, name, class_)
        self._remember(name)

    def name(self, name: str, call: str) -> None:
        self._leases.name(name, call)

    def release(self, name: str) -> None:
        with self._lock:
            self._held.discard(name)
            self._missed.pop(name, None)
        self._leases.release(name)

    def _remember(self, name: str) -> None:
        with self._lock:
            self._held.add(name)

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, known: Collection[str], now_ms: int) -> None:
        """Give back the places of callbacks that nobody has known of for a while."""
        with self._lock:
            missed = self._held.difference(known)
            self._missed = {name: self._missed.get(name, now_ms) for name in missed}
            gone = [name for name, at in self._missed.items() if now_ms - at >= MISSED_MS]
        for name in gone:
            self.release(name)
