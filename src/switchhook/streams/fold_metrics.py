"""Figures of the fold: how far behind it is, and for how long it stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchhook.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.journal.source import JournalSource
    from switchhook.metrics import Source


class Fold(Protocol):
    """How far the store follows the journal; `streams.fold.Folder` knows."""

    @property
    def position(self) -> int: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def running(self) -> bool: ...


def fold_figures(fold: Fold, journal: JournalSource) -> Source:
    """How far the fold is behind, and for how long it stands still."""
    moved: tuple[int, int] | None = None

    def read(now_ms: int) -> Iterable[Figure]:
        nonlocal moved
        position = fold.position
        lag = max(journal.last_seq() - position, 0)
        goes_on = lag == 0 and fold.problem is None and fold.running
        if moved is None or goes_on or position != moved[0]:
            moved = position, now_ms
        yield Figure("fold.lag", float(lag), now_ms)
        yield Figure("fold.stalled_s", (now_ms - moved[1]) / 1000, now_ms)

    return read
