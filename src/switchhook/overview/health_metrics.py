"""Where figures come from beside the store: the watch, the disk, the operator's files, ourselves.

Each is a `metrics.Source`, cheap enough to be asked every second.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.times import DAY_MS
from switchhook.metrics import Cached, Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from switchhook.checked_json import Damage
    from switchhook.journal.steady_time import Step
    from switchhook.metrics import Source
    from switchhook.retention.trusted_time import Held

_DISK_MS = 5_000


class AnswerHealth(msgspec.Struct, frozen=True):
    """What the answer side says of itself: whether it answers, and whether receipts wait.

    None is not known; `problem` says why it does not answer. `status` and `problems` are those of
    its `/healthz`.
    """

    at_ms: int
    answers: bool | None
    waiting: bool | None = None
    problem: str = ""
    status: str = ""
    problems: tuple[str, ...] = ()


def disk_figures(folder: Path, look_at: Callable[[Path], os.statvfs_result] = os.statvfs) -> Source:
    """How much room the fullest disk under the data folder has: its parts may be on their own."""

    def look(now_ms: int) -> tuple[Figure, ...]:
        share = free = None
        try:
            parts = [each for each in folder.iterdir() if each.is_dir()]
            disks = [found for found in map(look_at, (folder, *parts)) if found.f_blocks]
        except OSError:
            disks = []  # it was moved away, or its disk is gone: not known
        if disks:
            share = min(each.f_bavail / each.f_blocks for each in disks)
            free = float(min(each.f_bavail * each.f_frsize for each in disks))
        return Figure("disk.free_share", share, now_ms), Figure("disk.free_bytes", free, now_ms)

    return Cached(_DISK_MS, look).get


def file_figures(
    refused: Callable[[], Sequence[str]], damage: Callable[[], Sequence[Damage]]
) -> Source:
    """How many of the operator's files are complained about, and how many of ours are damaged."""
    return lambda now_ms: (
        Figure("rules.refused", float(len(refused())), now_ms),
        Figure("files.damaged", float(len(damage())), now_ms),
    )


def clock_figures(step: Callable[[], Step | None]) -> Source:
    """By how much the system's clock stepped, while that is told of."""

    def read(now_ms: int) -> Iterable[Figure]:
        found = step()
        yield Figure("clock.step_s", 0.0 if found is None else abs(found.by_ms) / 1000, now_ms)

    return read


def retention_figures(held: Callable[[], Held | None]) -> Source:
    """By how many days the clock is ahead of the time that retention trusts, where that matters."""

    def read(now_ms: int) -> Iterable[Figure]:
        found = held()
        days = 0.0 if found is None else found.ahead_ms / DAY_MS
        yield Figure("retention.held_days", days, now_ms)

    return read


def answer_figures(health: Callable[[], AnswerHealth | None]) -> Source:
    """Whether the answer side answers; nothing where nobody can tell."""

    def read(_now_ms: int) -> Iterable[Figure]:
        found = health()
        if found is None:
            return
        silent = None if found.answers is None else float(not found.answers)
        waiting = None if found.waiting is None else float(found.waiting)
        yield Figure("answer.unreachable", silent, found.at_ms)
        if found.waiting is not None:
            yield Figure("receipts.waiting", waiting, found.at_ms)

    return read
