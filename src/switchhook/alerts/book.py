"""What is kept of alerts, and how they are sent: the protocols between engine, ledger, notifier."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.alerts.alert import Alert
from switchhook.alerts.messages import LastNotification, Message, Silence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.metrics import Labels

MOST_WAITING = 1_000
"""Deliveries that wait at once; beyond, the oldest are given up."""
GIVE_UP_MS = 6 * 3_600_000
_PAUSES_S = (5, 20, 60, 180, 600)


class DeliveryState(StrEnum):
    """Waiting to be sent, also after an attempt that failed; sent; given up."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given up"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one destination; `id` is the message's, unique for ever."""

    id: str
    destination: str
    message: Message
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    next_ms: int = 0
    done_ms: int | None = None
    problem: str = ""


def attempted(delivery: Delivery, problem: str | None, now_ms: int, chance: float) -> Delivery:
    """A delivery after an attempt to send it; `chance` from 0 to 1 spreads the next one.

    It is tried again after longer and longer pauses, for six hours.
    """
    attempts = delivery.attempts + 1
    if problem is None:
        return msgspec.structs.replace(
            delivery, state=DeliveryState.SENT, attempts=attempts, done_ms=now_ms, problem=""
        )
    if now_ms - delivery.message.at_ms >= GIVE_UP_MS:
        return given_up(msgspec.structs.replace(delivery, attempts=attempts), problem, now_ms)
    pause_s = _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
    next_ms = now_ms + int(1000 * pause_s * (0.75 + chance / 2))
    return msgspec.structs.replace(delivery, attempts=attempts, next_ms=next_ms, problem=problem)


def given_up(delivery: Delivery, problem: str, now_ms: int) -> Delivery:
    """A delivery that is tried no more."""
    return msgspec.structs.replace(
        delivery, state=DeliveryState.GIVEN_UP, done_ms=now_ms, problem=problem
    )


class Book(msgspec.Struct, frozen=True):
    """All that must outlive a restart, as it was kept."""

    alerts: tuple[Alert, ...]
    spoken: tuple[LastNotification, ...]
    silences: tuple[Silence, ...]
    waiting: tuple[Delivery, ...]


class AlertBook(Protocol):
    """Where it is kept: the ledger. Any thread may call it. Raises LedgerError."""

    def load(self, now_ms: int) -> Book:
        """The alerts as they are, what was said, silences that last, deliveries that wait."""
        ...

    def save(
        self,
        alerts: Sequence[Alert],
        spoken: Sequence[LastNotification],
        deliveries: Sequence[Delivery],
    ) -> None:
        """Keep what changed, all or nothing; the same again changes nothing."""
        ...

    def add_silence(
        self, matcher: Labels, since_ms: int, until_ms: int, reason: str, by: str
    ) -> Silence: ...

    def end_silence(self, id: int, now_ms: int) -> bool:
        """End a silence that lasts; whether there was one."""
        ...

    def resolved(self, limit: int) -> list[Alert]:
        """Alerts that fired and are over, newest first."""
        ...

    def deliveries(self, limit: int) -> list[Delivery]:
        """What was sent or is to be, the newest message first."""
        ...


class Notifier(Protocol):
    """Sends messages to the destinations that it knows. Blocks; any thread may call it."""

    def send(self, destination: str, message: Message) -> str | None:
        """Send one; None where it was taken, else why it was not, with nothing secret in it."""
        ...


class Monitor(Protocol):
    """The operator's own monitor, which alarms when it is no longer called."""

    def beat(self) -> str | None:
        """Call it once; None where it took it, else why not, with nothing secret in it."""
        ...
