"""Messages on their way: each destination gets one at a time, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from switchhook.alerts.book import MOST_WAITING, Delivery, DeliveryState, attempted, given_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.alerts.book import Notifier

log = logging.getLogger(__name__)

TIMEOUT_MS = 30_000
_Key = tuple[str, str]


class Outbox:
    """Sends what waits, again and again until it is taken or given up; never waits itself.

    A destination that hangs holds up nobody but itself. Any thread may call it.
    """

    def __init__(self, notifier: Notifier, now_ms: Callable[[], int], chance: Callable[[], float]):
        self.notifier, self._now_ms, self._chance = notifier, now_ms, chance
        self._lock = threading.Lock()
        self._waiting: dict[_Key, Delivery] = {}
        self._busy: dict[str, tuple[_Key, int]] = {}
        self._changed: dict[_Key, Delivery] = {}

    @property
    def waiting(self) -> int:
        """How many deliveries are neither sent nor given up."""
        return len(self._waiting)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Take deliveries in; of too many the oldest are given up."""
        with self._lock:
            for each in deliveries:
                self._note(each)
            for key in list(self._waiting)[: max(0, len(self._waiting) - MOST_WAITING)]:
                problem = f"more than {MOST_WAITING} messages wait"
                self._note(given_up(self._waiting[key], problem, self._now_ms()))

    def changed(self) -> list[Delivery]:
        """What changed since the last call, to be kept."""
        with self._lock:
            found = list(self._changed.values())
            self._changed.clear()
            return found

    def step(self) -> None:
        """Set off what is due."""
        now_ms = self._now_ms()
        with self._lock:
            for destination, (key, since_ms) in self._busy.items():
                if now_ms - since_ms > TIMEOUT_MS and key in self._waiting:
                    self._late(destination, key, now_ms)
            self._set_off(now_ms)

    def _set_off(self, now_ms: int) -> None:
        for key, delivery in list(self._waiting.items()):
            if delivery.destination not in self._busy and delivery.next_ms <= now_ms:
                self._busy[delivery.destination] = key, now_ms
                name = f"send {delivery.destination}"
                threading.Thread(
                    target=self._send, args=(delivery,), name=name, daemon=True
                ).start()

    def _late(self, destination: str, key: _Key, now_ms: int) -> None:
        """Note once that an attempt hangs; its thread is left to end by itself."""
        delivery = self._waiting[key]
        if delivery.next_ms <= now_ms:
            problem = f"no answer within {TIMEOUT_MS // 1000} s"
            log.warning("alert message to %s: %s", destination, problem)
            self._note(attempted(delivery, problem, now_ms, self._chance()))

    def _send(self, delivery: Delivery) -> None:
        key = delivery.id, delivery.destination
        try:
            problem = self.notifier.send(delivery.destination, delivery.message)
        except Exception as error:  # noqa: BLE001 - whatever a destination's code raises, it is a
            # message that was not sent. Its text may hold an address, so only its kind is said.
            problem = f"sending failed with {type(error).__name__}"
        now_ms = self._now_ms()
        with self._lock:
            self._busy.pop(delivery.destination, None)
            known = self._waiting.get(key)
            if known is not None and (problem is None or known.attempts == delivery.attempts):
                self._note(attempted(known, problem, now_ms, self._chance()))
            self._set_off(now_ms)
        if problem is not None:
            log.warning("alert message to %s was not sent: %s", delivery.destination, problem)

    def _note(self, delivery: Delivery) -> None:
        key = delivery.id, delivery.destination
        if delivery.state is DeliveryState.WAITING:
            self._waiting[key] = delivery
        else:
            self._waiting.pop(key, None)
        self._changed[key] = delivery
