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

PATIENCE_MS = 30_000
"""For so long what was before the start is tried to be read, before alerting goes on without."""


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
        self._began_ms: int | None = None

    def load(self, now_ms: int) -> bool:
        """Remember what was before the start, once; whether it could be read."""
        if self._loaded:
            return True
        try:
            book = self._book.load(now_ms)
        except LedgerError as error:
            if self._began_ms is None:
                self._began_ms = now_ms
                log.error("%s: what was told before is not known, it is tried again", error)  # noqa: TRY400
            return False
        before = {alert.key: alert for alert in book.alerts}
        self._unsaved_alerts = {
            key: alert for key, alert in self._unsaved_alerts.items() if alert.key not in before
        }
        self.alerts |= before
        self.spoken = {_key(spoken): spoken for spoken in book.spoken} | self.spoken
        self.silences += book.silences
        self._loaded = True
        return True

    def may_go_on(self, now_ms: int) -> bool:
        """Whether to judge: by what was before, or without it where that can't be read for long.

        Else what was told would be told again, and who is on it be forgotten.
        """
        if self._outbox.shared:  # whoever can read it leads next, and tells it
            return self._loaded
        return self._loaded or (
            self._began_ms is not None and now_ms - self._began_ms >= PATIENCE_MS
        )

    @property
    def _known(self) -> bool:
        return self._loaded or self._began_ms is None

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
        """Keep what is new; where the ledger can't be written, it is sent all the same.

        But for a ledger that nodes share: what is said is kept and sent there by one transaction,
        or whoever leads next would say it by another id.
        """
        alerts, spoken = self._unsaved_alerts, self._unsaved_spoken
        if not (alerts or spoken or self.unsent):
            return
        try:
            # What is sent from memory is kept first: nothing counts as said that could be lost.
            # While what was before can't be read, nothing is kept beside it.
            if self._known and self._outbox.keep():
                self._book.save(list(alerts.values()), list(spoken.values()), self.unsent)
                self._unsaved_alerts, self._unsaved_spoken, self.unsent = {}, {}, []
                return
        except LedgerError as error:
            log.debug("alerts could not be kept: %s", error)
        if self._outbox.shared:
            return
        self._outbox.hold(self.unsent)
        self.unsent = []


def _key(spoken: LastNotification) -> tuple[str, str]:
    return spoken.cause, spoken.destination
