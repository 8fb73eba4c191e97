"""The own machine as a console sees it: alone it looks itself, a node tells its cluster of it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import msgspec

from switchhook.cluster.metrics import gone_lately
from switchhook.overview.machine_metrics import SeenMachine, room_of
from switchhook.server.own_files import LOOK_S
from switchhook.system.machine import Machine
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.cluster.view import ClusterView, NodeView
    from switchhook.config.live import Settings
    from switchhook.overview.health_metrics import AnswerHealth
    from switchhook.server.own_files import OwnFiles
    from switchhook.system.data_folder import DataFolder

log = logging.getLogger(__name__)

EVERY_S = 2.0
_LONGEST = 500
"""Characters of what is told of a file."""


class OwnMachine:
    """Its disk, its files and its answer side; `answer` gives None where nobody asks that."""

    def __init__(
        self,
        held: DataFolder,
        files: OwnFiles,
        settings: Callable[[], Settings],
        answer: Callable[[], AnswerHealth | None],
    ) -> None:
        self._room, self.files = room_of(held.path), files
        self._settings, self._answer = settings, answer

    def look(self, now_ms: int) -> Machine:
        """How it is now. It touches the disk, and waits for the answer side."""
        settings, answer = self._settings(), self._answer()
        refused, damage = settings.refused, [*settings.damage, *self.files.damage]
        known = self.files.looked or bool(damage)
        share, free = self._room(now_ms)
        return Machine(
            free_share=share,
            free_bytes=free,
            refused=len(refused),
            refusal=refused[0][:_LONGEST] if refused else "",
            damaged=len(damage) if known else None,
            damage=damage[0].problem[:_LONGEST] if damage else "",
            mend=damage[0].hint[:_LONGEST] if damage else "",
            asked=answer is not None,
            answers=None if answer is None else answer.answers,
            waiting=None if answer is None else answer.waiting,
        )

    def alone(self, now_ms: int) -> tuple[SeenMachine, ...]:
        """All machines, where this is the only one."""
        return (SeenMachine(machine=self.look(now_ms), at_ms=now_ms),)


class MachineWatch:
    """Looks at it again and again from `start` to `stop`, so that no heartbeat waits for a disk."""

    def __init__(self, machine: OwnMachine) -> None:
        self._machine, self._last, self._looked_s = machine, Machine(), time.monotonic()
        self._files_s = 0.0
        self._repeating = Repeating("machine", self._look, every_s=EVERY_S, failed=_failed)

    def now(self) -> Machine:
        """As it was at the last look, and how long ago that is; nothing is known before one."""
        ago_s = time.monotonic() - self._looked_s
        return msgspec.structs.replace(self._last, looked_ago_s=ago_s)

    def problems(self) -> Sequence[str]:
        """As a part of a node: nothing of its own, as the leader alerts of it."""
        return ()

    def start(self) -> None:
        self._repeating.start()

    def stop(self) -> None:
        self._repeating.stop(EVERY_S)  # a disk that hangs holds up no end

    def _look(self) -> None:
        begun_s = time.monotonic()
        if begun_s >= self._files_s:
            self._machine.files.look()
            self._files_s = begun_s + LOOK_S
        self._last = self._machine.look(int(begun_s * 1000))
        self._looked_s = time.monotonic()


def _failed(error: Exception) -> None:
    log.error("this machine could not be looked at; it is tried again", exc_info=error)


def machines_of(view: ClusterView) -> tuple[SeenMachine, ...]:
    """All nodes' machines, each as it told of it last, and those of nodes that left lately."""

    def seen(node: NodeView) -> SeenMachine:
        heard_ms = view.read_ms - int(node.seen_ago_s * 1000)
        looked_ms = heard_ms - int(node.machine.looked_ago_s * 1000)
        return SeenMachine(
            node=view.label(node.node),
            machine=node.machine,
            at_ms=view.read_ms if node.away else looked_ms,
            away_since_ms=heard_ms if node.away and not node.gone else None,
            gone=node.gone,
        )

    return tuple(map(seen, (*view.here, *gone_lately(view))))
