"""Figures of the machines that answer callers: the one that there is, or each node's.

A node tells of its own machine, so that whoever leads knows of all.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from switchhook.metrics import Cached, Figure
from switchhook.system.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from switchhook.metrics import Labels, Source

_DISK_MS = 5_000


class SeenMachine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine as it was at `at_ms`; `node` is whose it is, empty where there is but one.

    `away_since_ms` is since when nothing is heard of it: what `machine` says was so then. `gone` is
    whether it is to be missed by nobody any more.
    """

    machine: Machine
    at_ms: int
    node: str = ""
    away_since_ms: int | None = None
    gone: bool = False

    @property
    def labels(self) -> Labels:
        return (("node", self.node),) if self.node else ()

    @property
    def heard(self) -> bool:
        """Whether it is there to tell."""
        return self.away_since_ms is None and not self.gone

    def unknown(self, figure: str) -> Figure:
        """One of its figures where nothing is heard of it: of no cases, as nobody could know."""
        since_ms = self.away_since_ms
        return Figure(figure, None, self.at_ms, self.labels, 0, since_ms, self.gone)


def room_of(
    folder: Path, look_at: Callable[[Path], os.statvfs_result] = os.statvfs
) -> Callable[[int], tuple[float | None, float | None]]:
    """How much room the fullest disk under the data folder has: its parts may be on their own.

    Gives the share that is free, and the bytes; None where it was moved away, or its disk is gone.
    """

    def look(_now_ms: int) -> tuple[float | None, float | None]:
        try:
            parts = [each for each in folder.iterdir() if each.is_dir()]
            disks = [found for found in map(look_at, (folder, *parts)) if found.f_blocks]
        except OSError:
            disks = []
        if not disks:
            return None, None
        share = min(each.f_bavail / each.f_blocks for each in disks)
        return share, float(min(each.f_bavail * each.f_frsize for each in disks))

    return Cached(_DISK_MS, look).get


def machine_figures(machines: Callable[[int], Sequence[SeenMachine]]) -> Source:
    """The figures of each, by its node; unknown while that is away, over once it has left."""

    def read(now_ms: int) -> Iterable[Figure]:
        for seen in machines(now_ms):
            if seen.heard:
                for name, value in _values(seen.machine):
                    yield Figure(name, value, seen.at_ms, seen.labels)
            else:
                yield from map(seen.unknown, NAMES)

    return read


NAMES = (
    *("disk.free_share", "disk.free_bytes", "rules.refused", "files.damaged"),
    *("answer.unreachable", "receipts.waiting"),
)
"""The figures of a machine."""


def _values(machine: Machine) -> Iterable[tuple[str, float | None]]:
    yield "disk.free_share", machine.free_share
    yield "disk.free_bytes", machine.free_bytes
    yield "rules.refused", _count(machine.refused)
    yield "files.damaged", _count(machine.damaged)
    if machine.asked:
        yield "answer.unreachable", None if machine.answers is None else float(not machine.answers)
        if machine.waiting is not None:
            yield "receipts.waiting", float(machine.waiting)


def _count(known: int | None) -> float | None:
    return None if known is None else float(known)
