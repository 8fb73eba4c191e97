"""Where figures come from beside the store: the watch, the disk, the operator's files, ourselves.

Each is a `figures.Source`, cheap enough to be asked every second.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from switchhook.metrics import Figure
from switchhook.retention.policy import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from switchhook.capacity.status import CapacityNow
    from switchhook.journal.source import JournalSource
    from switchhook.journal.steady_time import Step
    from switchhook.metrics import Source
    from switchhook.retention.trusted_time import Held

_DISK_MS = 5_000

T = TypeVar("T")


class Fold(Protocol):
    """How far the store follows the journal: console.Folder."""

    @property
    def position(self) -> int: ...
    @property
    def problem(self) -> str | None: ...
    @property
    def running(self) -> bool: ...


class Watch(Protocol):
    """What is known of the accounts: console.watch."""

    def now(self, now_ms: int) -> Sequence[CapacityNow]: ...


class Health(msgspec.Struct, frozen=True):
    """What the answer side says of itself: whether it answers, and whether receipts wait.

    None is not known; `problem` says why it does not answer.
    """

    at_ms: int
    answers: bool | None
    waiting: bool | None = None
    problem: str = ""


class Kept(Generic[T]):
    """A value that is made anew only once it is older than `for_ms`."""

    def __init__(self, for_ms: int, make: Callable[[int], T]) -> None:
        self._for_ms, self._make = for_ms, make
        self._made: tuple[int, T] | None = None

    def get(self, now_ms: int) -> T:
        made = self._made
        if made is None or not 0 <= now_ms - made[0] < self._for_ms:
            made = self._made = now_ms, self._make(now_ms)
        return made[1]


def watch_figures(watch: Watch) -> Source:
    """The accounts' figures; None where they are not known."""

    def read(now_ms: int) -> Iterable[Figure]:
        for account in watch.now(now_ms):
            labels = (("account", account.account),)
            at_ms = now_ms if account.age_s is None else now_ms - int(account.age_s * 1000)
            headroom, allowed = account.headroom, account.allowed
            share = headroom / allowed if headroom is not None and allowed else None
            if share is None and headroom == 0:
                share = 0.0
            for name, value in (
                ("active", account.active),
                ("allowed", allowed),
                ("headroom", headroom),
                ("headroom_share", share),
            ):
                known = None if value is None else float(value)
                yield Figure(f"account.{name}", known, at_ms, labels)
            unread = float(account.unread)
            yield Figure("account.unreadable_polls", unread, now_ms, labels)

    return read


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

    return Kept(_DISK_MS, look).get


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


def file_figures(complaints: Callable[[], Sequence[str]]) -> Source:
    """How many of the operator's files are complained about."""
    return lambda now_ms: (Figure("rules.refused", float(len(complaints())), now_ms),)


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


def answer_figures(health: Callable[[], Health | None]) -> Source:
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
