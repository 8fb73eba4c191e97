"""What is to be sent, of one kind: in the ledger, and from memory while that can't be written.

A disk that is full may be the very thing to tell of, so it keeps nobody from being told. What went
on from memory is kept once it can be; until then nobody else knows of it, and a restart sends again
what it finds.

Where nodes share the ledger nothing is sent but what it gave us: a ledger that refuses us may have
another leader by now, who sends the same.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

from switchhook.delivery.delivery import claimed, destinations_due, next_due
from switchhook.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.delivery.delivery import Delivery, DeliveryId

log = logging.getLogger(__name__)

MOST_HELD = 1_000
"""Deliveries that memory holds at once; beyond, the oldest are let go."""

PATIENCE_MS = 60_000
"""What the ledger has is sent from memory once nobody claimed it for so long: others may write."""


class DeliveryTable(Protocol):
    """Where they are kept: the ledger. Any thread may call it. Raises LedgerError.

    `shared` is whether other nodes may send what is in it, whenever they lead.
    """

    shared: bool

    def lapse(self, now_ms: int) -> None:
        """Have due at once what somebody who led before has claimed, and may send no more."""
        ...

    def due(self, now_ms: int) -> list[str]:
        """The destinations that something is due to and nothing is being sent to."""
        ...

    def claim(self, destination: str, now_ms: int, lease_ms: int) -> Delivery | None:
        """Claim the oldest that is due to a destination; None where none is, or one is claimed."""
        ...

    def change(
        self, id: DeliveryId, decide: Callable[[Delivery], Delivery | None]
    ) -> Delivery | None:
        """Put what `decide` makes of a delivery; None where it is gone or nothing changes."""
        ...

    def put(self, deliveries: Sequence[Delivery]) -> None:
        """Keep what went on from memory: what is new, and what came of what was kept."""
        ...

    def live(self) -> list[Delivery]:
        """Those that are not over, the oldest first."""
        ...


class Outbox:
    """The deliveries of one kind. Any thread may call it; it raises no LedgerError."""

    def __init__(self, table: DeliveryTable) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._held: dict[DeliveryId, Delivery] = {}
        self._lapsed = not table.shared

    @property
    def shared(self) -> bool:
        """Whether other nodes may send what is in it, whenever they lead."""
        return self._table.shared

    def hold(self, deliveries: Iterable[Delivery]) -> None:
        """Take in what could not be added to the ledger."""
        with self._lock:
            for each in deliveries:
                self._hold(each)

    def keep(self) -> bool:
        """Put what memory holds into the ledger; whether nothing is left."""
        with self._lock:
            return self._keep()

    def due(self, now_ms: int) -> list[str]:
        """The destinations that something is due to and nothing is being sent to."""
        with self._lock:
            if self._keep():
                try:
                    self._lapse(now_ms)
                    return self._table.due(now_ms)
                except LedgerError as error:
                    log.debug("deliveries can't be read: %s", error)
            if self.shared:
                return []
            return destinations_due(self._live(now_ms), now_ms)

    def claim(self, destination: str, now_ms: int, lease_ms: int) -> Delivery | None:
        """Claim the oldest that is due to a destination; None where none is, or one is claimed."""
        with self._lock:
            if self._keep():
                try:
                    self._lapse(now_ms)
                    return self._table.claim(destination, now_ms, lease_ms)
                except LedgerError as error:
                    log.debug("deliveries go on from memory: %s", error)
            if self.shared:
                return None
            while (delivery := next_due(self._live(now_ms), destination, now_ms)) is not None:
                after = claimed(delivery, now_ms, lease_ms)
                self._hold(after)
                if not after.final:
                    return after
            return None

    def settle(
        self, delivery: Delivery, decide: Callable[[Delivery], Delivery | None]
    ) -> Delivery | None:
        """Note what became of one that was claimed; None where somebody else has it by now."""
        with self._lock:
            if delivery.id not in self._held:
                try:
                    return self._table.change(delivery.id, decide)
                except LedgerError as error:
                    log.debug("deliveries go on from memory: %s", error)
            after = decide(self._held.get(delivery.id, delivery))
            if after is not None:
                self._hold(after)
            return after

    def _lapse(self, now_ms: int) -> None:
        """Once, as we begin to lead: whoever led before says no more how it went."""
        if not self._lapsed:
            self._table.lapse(now_ms)
            self._lapsed = True

    def _hold(self, delivery: Delivery) -> None:
        self._held[delivery.id] = delivery
        for id in list(self._held)[: max(0, len(self._held) - MOST_HELD)]:
            del self._held[id]

    def _keep(self) -> bool:
        if self._held:
            try:
                self._table.put(list(self._held.values()))
            except LedgerError as error:
                log.debug("deliveries could not be kept: %s", error)
                return False
            self._held.clear()
        return True

    def _live(self, now_ms: int) -> Iterable[Delivery]:
        """What is not over, as far as anybody can tell, and nobody else is about to claim."""
        try:
            kept = {
                each.id: each
                for each in self._table.live()
                if not now_ms - PATIENCE_MS < each.due_ms <= now_ms
            }
        except LedgerError:
            kept = {}
        return (kept | self._held).values()
