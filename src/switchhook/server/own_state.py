"""How a node is by itself, looked up on its own disk: the database is not asked."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from switchhook.cluster.database_alarm import Stock, read_alarm
from switchhook.cluster.hand_over_state import read_state
from switchhook.cluster.one_copies import OneCopies
from switchhook.cluster.own_state import OwnFigures, OwnState
from switchhook.errors import JournalError
from switchhook.postgresql_server import in_short, is_away

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.errors import ClusterError, LedgerError
    from switchhook.journal import JournalReader

_COUNT_S = 1.0
"""For so long a look counts marks; one of a long backlog goes on where the last one was."""


def stock_of(folder: Path, journal: JournalReader, ceiling_gb: float) -> Stock:
    """What a node keeps by itself. Raises OSError, JournalError."""
    state, size, disk = read_state(folder), journal.size_bytes(), os.statvfs(folder)
    return Stock(
        waiting=None if state is None else max(journal.last_seq() - state.handed, 0),
        journal_bytes=size,
        room_bytes=max(min(disk.f_bavail * disk.f_frsize, int(ceiling_gb * 1e9) - size), 0),
    )


def since_of(folder: Path) -> int | None:
    """Since when the database is away, as the node noted it, in Unix ms; None where it did not."""
    alarm = read_alarm(folder)
    if alarm.since_ms and not alarm.over:
        return alarm.since_ms
    with suppress(OSError):
        state = read_state(folder)
        if state is not None and state.problem:
            return state.since_ms or None
    return None


class OwnLook:
    """Looks; any thread may call it, and it touches the disk.

    `answers` tells whether the answer side does.
    """

    def __init__(
        self,
        folder: Path,
        journal: JournalReader,
        *,
        name: str,
        ceiling_gb: Callable[[], float],
        answers: Callable[[], bool | None],
        now_ms: Callable[[], int],
    ) -> None:
        self._folder, self._journal, self._name = folder, journal, name
        self._ceiling_gb, self._answers, self._now_ms = ceiling_gb, answers, now_ms
        self._copies, self._lock = OneCopies(journal), threading.Lock()

    def state(self, error: ClusterError | LedgerError, *, whole: bool = True) -> OwnState:
        """How it is, as the database is of no use for an error's reason.

        Its journal is only looked at for `whole`.
        """
        return OwnState(
            name=self._name,
            problem=in_short(error),
            hint=error.hint,
            now_ms=self._now_ms(),
            away=is_away(error),
            since_ms=since_of(self._folder),
            figures=self.figures() if whole else OwnFigures(answers=self._answers()),
        )

    def figures(self) -> OwnFigures:
        """What it has; what can't be read just now is left out."""
        found = OwnFigures(answers=self._answers())
        with suppress(OSError, JournalError):  # who writes them says so
            stock = stock_of(self._folder, self._journal, self._ceiling_gb())
            state, last = read_state(self._folder), self._journal.last_seq()
            handed = 0 if state is None else state.handed
            first = self._journal.first_seq()
            one_copy, through = self._marks(handed, last)
            found = OwnFigures(
                answers=found.answers,
                journal_bytes=stock.journal_bytes,
                room_bytes=stock.room_bytes,
                waiting=max(last - max(handed, first - 1), 0),
                sure=handed > 0,
                one_copy=one_copy,
                counted=through >= last,
            )
        return found

    def _marks(self, handed: int, last: int) -> tuple[int, int]:
        """How many answers with one copy wait, and up to which record that is counted."""
        until = time.monotonic() + _COUNT_S
        with self._lock:
            while True:
                found = self._copies.waiting(handed)
                if self._copies.through >= last or time.monotonic() >= until:
                    return found, self._copies.through
