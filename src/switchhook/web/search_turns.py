"""How many searches of one person run at once: few, so that the others' find a thread."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from switchhook.web.parameters import RefusedParameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.access.roles import Viewer

MOST = 2


class SearchTurns:
    """Any thread may take a turn; who has all theirs is refused, and asks again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    @contextmanager
    def turn(self, viewer: Viewer) -> Iterator[None]:
        """One search of somebody. Raises RefusedParameter."""
        who = viewer.name
        with self._lock:
            if self._running[who] >= MOST and not viewer.open:
                raise RefusedParameter(
                    "q", f"{MOST} searches of yours run already", "wait for one to end"
                )
            self._running[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[who] -= 1
                if not self._running[who]:
                    del self._running[who]
