"""What alerts remember: how things stand and what was said of them, in memory and in the ledger."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.notification import LastNotification, is_over
from switchhook.errors import LedgerError

if TYPE_CHECKING:
    from switchhook.alerts.book import AlertBook
    from switchhook.alerts.message import Message
    from switchhook.alerts.quiet import Silence
    from switchhook.delivery.delivery import Delivery
    from switchhook.delivery.outbox import Outbox

log = logging.getLogger(__name__)


class Memory:
    """Alerts by key, silences, and the last that each destination heard of each cause.

    `unsent` is what is new to send.

    Whoever changes it holds the engine's lock; `is_over` is for any thread.
    """

    def __init__(self, book: AlertBook, outbox: Outbox) -> None:
        self._book, self._outbox = book, outbox
        self.alerts: dict[str, Alert] = {}
        self.spoken: dict[tuple[str, str], LastNotification] = {}
        self.silences: list[Silence] = []
        self.unsent: list[Delivery] = []
        self._unsaved_alerts: dict[str, Alert] = {}
        self._unsaved_spoken: dict[tuple[str, str], LastNotification] = {}
        self._loaded = False

    def load(self, now_ms: int) -> bool:
        """Remember what was before the start, once; whether it could be read."""
        if self._loaded:
            return True
        try:
            book = self._book.load(now_ms)
        except LedgerError as error:
            log.error("%s: alerting goes on without what was before", error)  # noqa: TRY400
            return False
        self.alerts = {alert.key: alert for alert in book.alerts} | self.alerts
        self.spoken = {_key(spoken): spoken for spoken in book.spoken} | self.spoken
        self.silences += book.silences
        self._loaded = True
        return True

    def note_alert(self, alert: Alert) -> None:
        """An alert as it is now; one that is resolved is over."""
        self._unsaved_alerts[f"{alert.key} {alert.since_ms}"] = alert
        if alert.state is AlertState.RESOLVED:
            self.alerts.pop(alert.key, None)
        else:
            self.alerts[alert.key] = alert

    def acknowledge(self, cause: str, by: str) -> None:
        """Somebody is on all of a cause."""
        for alert in list(self.alerts.values()):
            if alert.cause == cause:
                self.note_alert(msgspec.structs.replace(alert, acknowledged=by))

    def handed_in(self) -> list[tuple[str, str]]:
        """The ids of alerts that somebody said by the ledger that they are on, and who."""
        try:
            return self._book.take_acknowledged()
        except LedgerError as error:
            log.debug("acknowledgements can't be read: %s", error)
            return []

    def note_spoken(self, spoken: LastNotification) -> None:
        """The last that a destination heard of a cause."""
        self.spoken[_key(spoken)] = self._unsaved_spoken[_key(spoken)] = spoken

    def is_over(self, message: Message, destination: str) -> bool:
        """Whether the trouble that a message tells of has ended."""
        return is_over(message, self.spoken.get((message.cause, destination)))

    def save(self) -> None:
        """Keep what is new; where the ledger can't be written, it is sent all the same."""
        alerts, spoken = self._unsaved_alerts, self._unsaved_spoken
        if not (alerts or spoken or self.unsent):
            return
        try:
            # What is sent from memory is kept first: nothing counts as said that could be lost.
            if self._outbox.keep():
                self._book.save(list(alerts.values()), list(spoken.values()), self.unsent)
                self._unsaved_alerts, self._unsaved_spoken, self.unsent = {}, {}, []
                return
        except LedgerError as error:
            log.debug("alerts could not be kept: %s", error)
        self._outbox.hold(self.unsent)
        self.unsent = []


def _key(spoken: LastNotification) -> tuple[str, str]:
    return spoken.cause, spoken.destination
