"""Few connections for many threads: who asks waits a moment for another, and what rests is closed.

sharing = Sharing()
with sharing.one(): ...    # use one: of those that are open, or a new one
sharing.open               # so many may be open, whether they are used or not
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOMENT_S = 0.2
"""So long a thread waits before one more is opened: most questions take less."""
REST_S = 10.0
"""So long after one more was opened it is tried with half of them."""


class Sharing:
    """Counts the connections that are open. Any thread; another than began a use may end it.

    Threads that wake together so go by one, each after the other. One that is used for long, or
    waits for a standby, holds up nobody: after a moment there is a second one, for a while.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._changed = threading.Condition()
        self._used = 0
        self._begun_s = self._opened_s = now_s()
        self.open = 1

    @contextmanager
    def one(self) -> Iterator[None]:
        """A place for one connection. Where none is free it is waited for, a moment at most."""
        with self._changed:
            while self._used >= self.open:
                # Of those that wait one goes on after a moment, the next one a moment after it.
                left_s = self._begun_s + MOMENT_S - self._now_s()
                if left_s <= 0:
                    self.open += 1
                    self._opened_s = self._now_s()
                else:
                    self._changed.wait(left_s)
            self._used += 1
            self._begun_s = self._now_s()
        try:
            yield
        finally:
            with self._changed:
                self._used -= 1
                if self.open > 1 and self._now_s() - self._opened_s >= REST_S:
                    self.open = (self.open + 1) // 2
                    self._opened_s = self._now_s()
                self._changed.notify()
