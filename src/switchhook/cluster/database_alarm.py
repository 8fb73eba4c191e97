"""A node's own alarm: that it can't reach the cluster's database, so no leader can tell of it.

After a minute each destination is told once, with the node's name, and once when it is over. What
was told is kept in the data folder: a restart neither repeats nor forgets.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.message import Message, MessageKind
from switchhook.checked_json import is_whole, with_checksum
from switchhook.delivery.delivery import public_id
from switchhook.errors import in_words, unforeseen
from switchhook.metrics import duration_text
from switchhook.system.data_folder import atomic_write
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

log = logging.getLogger("switchhook")

STATE_FILE = "database-away.json"
LONG_MS = 60_000
"""So long it has to be away before anybody is told: a fail-over takes less."""
BACK_MS = 30_000
"""So long it has to be back before that is said to be over."""
AGAIN_MS = 30_000
"""When to try a destination again that did not take its message."""
LOOK_S = 1.0


class Stock(msgspec.Struct, frozen=True):
    """What a node keeps by itself: `waiting` records that are not handed over.

    `journal_bytes` is how large the journal is, `room_bytes` how much it may still grow.
    """

    waiting: int | None
    journal_bytes: int
    room_bytes: int


class AlarmState(msgspec.Struct, frozen=True):
    """`since_ms` the database is away, 0 where it is not; `told` are those who took that message.

    `over` is whether they are to be told that it is over.
    """

    since_ms: int = 0
    told: tuple[str, ...] = ()
    over: bool = False


class Node(Protocol):
    """What the alarm asks of its node."""

    def problem(self) -> str:
        """Why the database is of no use now; empty where it is well."""

    def stock(self) -> Stock:
        """Raises OSError."""

    def destinations(self) -> Sequence[str]:
        """Who is told of what is critical."""

    def send(self, destination: str, message: Message) -> str | None:
        """Send a message; why it was not taken, if it was not."""


class DatabaseAlarm:
    """From `start` to `stop`, in a thread of its own; `name` is the node's."""

    def __init__(self, name: str, node: Node, folder: Path, now_ms: Callable[[], int]) -> None:
        self._name, self._node, self._now_ms = name, node, now_ms
        self._file = folder / STATE_FILE
        self._state = read_alarm(folder)
        self._begun: tuple[int, int] | None = None  # when growth was first measured, and how large
        self._back_ms: int | None = None
        self._tried: dict[str, int] = {}
        self._repeating = Repeating(
            "database-alarm", self.look, every_s=LOOK_S, failed=_failed, later=True
        )

    def start(self) -> None:
        self._repeating.start()

    def stop(self) -> None:
        """It waits for a message that is on its way."""
        self._repeating.stop(None)

    def problems(self) -> Sequence[str]:
        """As a part of a node: nothing of its own, as the console says it to whoever asks."""
        return ()

    def look(self) -> None:
        """See how it stands, and tell whoever has to be told. It may wait for a message."""
        now_ms, problem = self._now_ms(), self._node.problem()
        if problem:
            self._away(now_ms, problem)
        elif self._state.since_ms:
            self._back(now_ms)

    def _away(self, now_ms: int, problem: str) -> None:
        self._back_ms = None
        if not self._state.since_ms or self._state.over:
            self._keep(AlarmState(since_ms=now_ms))
            self._begun, self._tried = None, {}
        if self._begun is None:
            self._begun = now_ms, self._node.stock().journal_bytes
        if now_ms - self._state.since_ms >= LONG_MS:
            self._tell(now_ms, self._message(now_ms, problem), add=True)

    def _back(self, now_ms: int) -> None:
        if self._back_ms is None:
            self._back_ms = now_ms
        if now_ms - self._back_ms < BACK_MS:
            return
        if not self._state.over:
            self._keep(msgspec.structs.replace(self._state, over=True))
            self._tried = {}
        self._tell(now_ms, self._over(now_ms), add=False)
        if not self._state.told:
            self._keep(AlarmState())
            self._begun = self._back_ms = None

    def _tell(self, now_ms: int, message: Message, *, add: bool) -> None:
        """Tell those who were not told yet, or those who were, and note who took it."""
        told = self._state.told
        known = self._node.destinations()
        wanted = [name for name in known if name not in told] if add else list(told)
        for name in wanted:
            if now_ms - self._tried.get(name, -AGAIN_MS) < AGAIN_MS:
                continue
            self._tried[name] = now_ms
            id = public_id(message.cause, self._state.since_ms, message.say, name)
            said = msgspec.structs.replace(message, id=id)
            why = self._node.send(name, said) if name in known else None
            if why is not None:
                log.warning("%s did not take a message: %s", name, why)
                continue
            told = (*told, name) if add else tuple(each for each in told if each != name)
            self._keep(msgspec.structs.replace(self._state, told=told))

    def _message(self, now_ms: int, problem: str) -> Message:
        return Message(
            cause=f"database-away:{self._name}",
            say=MessageKind.FIRST,
            severity=Severity.CRITICAL,
            title=f"Node {self._name} can't reach the cluster's database",
            lines=(
                f"{problem[:1].upper()}{problem[1:]}.",
                f"Callers are answered. {self._waiting(now_ms)}",
                "Nobody may lead: pages, alerts and callbacks may stand still on all nodes.",
                "What to do: bring the database back, or the way to it; on this node"
                " `switchhook cluster doctor` says what it sees.",
            ),
            alerts=(),
            at_ms=now_ms,
            since_ms=self._state.since_ms,
            page="/nodes",
        )

    def _waiting(self, now_ms: int) -> str:
        """How much waits here, and how long its disk lasts at the pace of this time."""
        stock = self._node.stock()
        wait = "receipts wait" if stock.waiting is None else f"{stock.waiting:,} records wait"
        said = f"{wait[:1].upper()}{wait[1:]} on this node's disk"
        if self._begun is None:
            return f"{said}."
        begun_ms, before = self._begun
        grown, seconds = stock.journal_bytes - before, (now_ms - begun_ms) / 1000
        if grown <= 0 or seconds <= 0:
            return f"{said}; it hardly grows."
        return f"{said}, which lasts about {duration_text(stock.room_bytes * seconds / grown)}."

    def _over(self, now_ms: int) -> Message:
        away = duration_text(max((self._back_ms or now_ms) - self._state.since_ms, 0) / 1000)
        return Message(
            cause=f"database-away:{self._name}",
            say=MessageKind.RESOLVED,
            severity=Severity.CRITICAL,
            title=f"Node {self._name} reaches the cluster's database again",
            lines=(f"It was away for {away}. What waited here is being handed over.",),
            alerts=(),
            at_ms=now_ms,
            page="/nodes",
        )

    def _keep(self, state: AlarmState) -> None:
        self._state = state
        try:
            atomic_write(self._file, with_checksum(msgspec.json.encode(state)))
        except OSError as error:  # a restart may then tell it once more
            log.warning("who was told of the database is not kept: %s", error.strerror)


def _failed(error: Exception) -> None:
    said = in_words(error)
    log.warning("the alarm of the database could not look: %s", said, exc_info=unforeseen(error))


def read_alarm(folder: Path) -> AlarmState:
    """What is kept in a data folder; the database is there where nothing is, or it is damaged."""
    try:
        content = (folder / STATE_FILE).read_bytes()
        return msgspec.json.decode(content, type=AlarmState) if is_whole(content) else AlarmState()
    except (OSError, ValueError):
        return AlarmState()
