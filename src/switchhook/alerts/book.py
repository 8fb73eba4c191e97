"""What is kept of alerts, and how they are sent: the protocols between engine, ledger, notifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.alerts.alert import Alert
from switchhook.alerts.message import Message
from switchhook.alerts.notification import LastNotification
from switchhook.alerts.quiet import Silence
from switchhook.delivery.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.metrics import Labels

KIND = "alert"
"""What deliveries of alerts are called among all others."""
PROMISE_KIND = "promise"
"""What those are called that tell how promises ended."""
GIVE_UP_MS = 6 * 3_600_000

_encode = msgspec.msgpack.Encoder().encode
_message = msgspec.msgpack.Decoder(Message).decode


class SentMessage(msgspec.Struct, frozen=True):
    """A message and how it goes, or went, at one destination."""

    message: Message
    delivery: Delivery


def delivery_of(message: Message, key: str, destination: str, kind: str = KIND) -> Delivery:
    """A message that is to be sent; `key` is the message's, unique for ever among its kind."""
    return Delivery(
        kind=kind,
        key=key,
        destination=destination,
        payload=_encode(message),
        created_ms=message.at_ms,
        due_ms=message.at_ms,
        deadline_ms=message.at_ms + GIVE_UP_MS,
    )


def message_of(delivery: Delivery) -> Message:
    """The message that a delivery carries, with the id that the delivery has."""
    return msgspec.structs.replace(_message(delivery.payload), id=delivery.public_id)


class Book(msgspec.Struct, frozen=True):
    """All that must outlive a restart, as it was kept."""

    alerts: tuple[Alert, ...]
    spoken: tuple[LastNotification, ...]
    silences: tuple[Silence, ...]


class AlertBook(Protocol):
    """Where it is kept: the ledger. Any thread may call it. Raises LedgerError."""

    def load(self, now_ms: int) -> Book:
        """The alerts as they are, what was said, silences that last."""
        ...

    def save(
        self,
        alerts: Sequence[Alert],
        spoken: Sequence[LastNotification],
        deliveries: Sequence[Delivery],
    ) -> None:
        """Keep what changed and is to be sent, all or nothing; the same again changes nothing."""
        ...

    def add_silence(
        self, matcher: Labels, since_ms: int, until_ms: int, reason: str, by: str
    ) -> Silence: ...

    def end_silence(self, id: int, now_ms: int) -> bool:
        """End a silence that lasts; whether there was one."""
        ...

    def acknowledge(self, alert: str, by: str, at_ms: int) -> None:
        """Hand in, for a console that may run, that somebody is on an alert, by its id."""
        ...

    def take_acknowledged(self) -> list[tuple[str, str]]:
        """What was handed in since: the alerts' ids, and who is on them."""
        ...

    def resolved(self, limit: int) -> list[Alert]:
        """Alerts that fired and are over, newest first."""
        ...

    def fired_between(self, since_ms: int, until_ms: int) -> list[Alert]:
        """Alerts that fired and were not over before a time, oldest first."""
        ...

    def sent(self, limit: int) -> list[SentMessage]:
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
