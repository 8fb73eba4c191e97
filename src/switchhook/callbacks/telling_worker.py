"""Tells whoever asked to know how promises ended: reads the ends, and puts messages into the queue.

It goes by the ends that the ledger has, from the last that was told: what commands beside the
console end is told too, and a restart neither forgets nor repeats.
"""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from switchhook.alerts.book import PROMISE_KIND, message_of
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.queue_ledger import PromiseQueue
from switchhook.callbacks.telling import deliveries_of
from switchhook.delivery import ledger as delivery_ledger
from switchhook.delivery.delivery import SendResult
from switchhook.delivery.ledger import LedgerDeliveries
from switchhook.delivery.outbox import Outbox
from switchhook.delivery.worker import Worker
from switchhook.errors import in_words, unforeseen
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.alerts.book import Notifier
    from switchhook.delivery.delivery import Delivery
    from switchhook.ledger.database import Ledger

log = logging.getLogger(__name__)

TOLD = "telling"
"""What the progress is called by which ends were told."""
EVERY_S = 1.0
TOGETHER_MS = 10_000
"""Within so long after a message ends are gathered for the next."""
_MOST_AT_ONCE = 1_000


class Telling:
    """From `start` to `stop`, in threads of its own. Any thread may call it.

    `tell` has the destinations by account, as configured now; `notifier` reaches them.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        tell: Callable[[], Mapping[str, Sequence[str]]],
        notifier: Callable[[], Notifier],
        now_ms: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._promises, self._queue = LedgerPromises(ledger), PromiseQueue(ledger)
        self._tell, self._notifier = tell, notifier
        self._now_ms, self._told_ms, self._seen = now_ms, 0, 0
        self.worker = Worker(
            Outbox(LedgerDeliveries(ledger, PROMISE_KIND)),
            self._send,
            ended=self._unwanted,
            now_ms=now_ms,
            chance=chance,
        )
        self._said = ""  # once, however long a ledger is away
        self._repeating = Repeating(
            "telling", self._step, every_s=EVERY_S, failed=self._failed, later=True
        )

    def start(self) -> None:
        self._repeating.start()
        self.worker.start()

    def stop(self) -> None:
        """Begin nothing more. Waits for what goes on."""
        self._repeating.stop(None)
        self.worker.stop()

    def step(self) -> int:
        """Put what is new into the queue; how many messages. Raises LedgerError."""
        now_ms = self._now_ms()
        if 0 <= now_ms - self._told_ms < TOGETHER_MS:
            return 0
        newest = self._queue.newest()
        if newest == self._seen:
            return 0
        since = max(self._promises.progress(TOLD) or 0, self._seen)
        ends = self._queue.ends_after(since, _MOST_AT_ONCE)
        if not ends:
            self._seen = newest  # what was made, or dialled, need not be looked at again
            return 0
        new = deliveries_of(ends, self._tell(), now_ms)
        with self._promises.writing() as batch:
            delivery_ledger.add(batch.connection, new)
            batch.set_progress(TOLD, ends[-1][0].id)
        if new:
            self._told_ms = now_ms
            self.worker.wake()
        return len(new)

    def _send(self, delivery: Delivery) -> SendResult:
        problem = self._notifier().send(delivery.destination, message_of(delivery))
        return SendResult(problem or "")

    def _unwanted(self, delivery: Delivery) -> str:
        """Why a message is not wanted any more; empty where it is."""
        told = {name for names in self._tell().values() for name in names}
        return "" if delivery.destination in told else "nobody is to be told there any more"

    def _step(self) -> None:
        self.step()
        self._said = ""

    def _failed(self, error: Exception) -> None:
        said = in_words(error)
        if said != self._said:
            trace = unforeseen(error)
            log.warning("how promises ended is told later: %s", said, exc_info=trace)
        self._said = said
