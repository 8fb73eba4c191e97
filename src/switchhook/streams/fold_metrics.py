"""Figures of the fold: how far behind it is, and for how long it stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from switchhook.metrics import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.journal.source import JournalSource
    from switchhook.metrics import Source

STALLED_S = 60
"""People are told of a fold that stands still for longer."""


class Fold(Protocol):
    """How far the store follows the journal; `streams.fold.Folder` knows."""

    @property
    def position(self) -> int: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def running(self) -> bool: ...


def fold_figures(fold: Fold, journal: JournalSource) -> Source:
    """How far the fold is behind, and for how long it stands still.

    The latter is unknown just after a start, until it moves or has stood for long: it may have
    stood still before, too.
    """
    moved: tuple[int, int] | None = None
    known = False

    def read(now_ms: int) -> Iterable[Figure]:
        nonlocal moved, known
        position = fold.position
        lag = max(journal.last_seq() - position, 0)
        goes_on = lag == 0 and fold.problem is None and fold.running
        known = known or goes_on or (moved is not None and position != moved[0])
        if moved is None or goes_on or position != moved[0]:
            moved = position, now_ms
        yield Figure("fold.lag", float(lag), now_ms)
        stalled_s = (now_ms - moved[1]) / 1000
        told = stalled_s if known or stalled_s > STALLED_S else None
        yield Figure("fold.stalled_s", told, now_ms)

    return read
