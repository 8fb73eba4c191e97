"""Sends what is due, of one kind: one at a time to each destination, so none holds up another."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from switchhook.delivery.delivery import DEFAULT_BACKOFF, SendResult, cancelled, settled
from switchhook.system.repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.delivery.delivery import Backoff, Delivery
    from switchhook.delivery.outbox import Outbox

log = logging.getLogger(__name__)

EVERY_S = 1.0
LEASE_MS = 60_000
"""How long an attempt may take; after that another one may begin."""
END_S = 2.0
"""How long an end waits for attempts: who has it end waits for no more than some seconds."""
MOST_AT_ONCE = 16
"""Attempts at once, those that hang beyond their lease left out: each is at a destination of its
own, and nothing but itself ends it."""


class Worker:
    """Sends from `start` to `stop`; any thread may call it.

    `send` sends one and blocks; it is called in a thread, at one destination once at a time, and
    should come back within the lease. `ended` says why one is not wanted any more, asked before
    each attempt; it is empty where it is. `tried` hears how each attempt went.
    """

    def __init__(
        self,
        outbox: Outbox,
        send: Callable[[Delivery], SendResult],
        *,
        now_ms: Callable[[], int],
        chance: Callable[[], float],
        ended: Callable[[Delivery], str] = lambda _: "",
        tried: Callable[[Delivery, SendResult], None] = lambda _of, _result: None,
        backoff: Backoff = DEFAULT_BACKOFF,
        lease_ms: int = LEASE_MS,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._outbox, self._call, self._ended, self._tried = outbox, send, ended, tried
        self._now_ms, self._chance, self._backoff = now_ms, chance, backoff
        self._lease_ms, self._most = lease_ms, most_at_once
        self._lock = threading.Lock()
        self.idle = threading.Condition(self._lock)
        self._sending: dict[str, Delivery] = {}
        self._late: set[str] = set()
        self._left_alone: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._closed = False
        self._repeating = Repeating("deliveries", self._step, every_s=EVERY_S, failed=_failed)

    def start(self) -> None:
        self._repeating.start()

    def wake(self) -> None:
        """Look at once: something new is there."""
        self._repeating.wake()

    def stop(self, timeout_s: float = END_S) -> None:
        """Begin nothing more, and wait for what goes on.

        What takes longer is sent again after its lease, by whoever runs then; what its attempt has
        to say by then is not heard.
        """
        self._repeating.stop(timeout_s)
        with self.idle:
            self.idle.wait_for(lambda: not self._sending, timeout_s)
            self._closed = True
        self._outbox.keep()

    def step(self) -> int:
        """Set off what is due; how many attempts were begun."""
        now_ms = self._now_ms()
        with self._lock:
            if self._repeating.ending:
                return 0
            self._note_late(now_ms)
            self._left_alone = {
                name: until for name, until in self._left_alone.items() if until > now_ms
            }
            not_now = self._sending.keys() | self._left_alone.keys()
            due = [name for name in self._outbox.due(now_ms) if name not in not_now]
            begun = 0
            for name in sorted(due, key=lambda name: self._turns.get(name, 0)):
                if len(self._sending) - len(self._late) >= self._most:
                    break
                delivery = self._outbox.claim(name, now_ms, self._lease_ms)
                if delivery is not None:
                    self._begin(delivery)
                    begun += 1
            return begun

    def _begin(self, delivery: Delivery) -> None:
        name = delivery.destination
        self._turn += 1
        self._turns[name] = self._turn
        self._sending[name] = delivery
        threading.Thread(
            target=self._attempt, args=(delivery,), name=f"send to {name}", daemon=True
        ).start()

    def _note_late(self, now_ms: int) -> None:
        """Note once that an attempt hangs; its thread is left to end by itself."""
        for name, delivery in self._sending.items():
            if name not in self._late and delivery.due_ms <= now_ms:
                self._late.add(name)
                self._settle(delivery, SendResult(f"no answer within {self._lease_ms // 1000} s"))

    def _attempt(self, delivery: Delivery) -> None:
        reason, result = "", SendResult()
        try:
            reason = self._ended(delivery)
            if not reason:
                result = self._call(delivery)
        except Exception as error:  # noqa: BLE001 - whatever a destination's code raises, it is a
            # message that was not sent. Its text may hold an address, so only its kind is said.
            result = SendResult(f"sending failed with {type(error).__name__}")
        with self.idle:
            self._sending.pop(delivery.destination)
            self._late.discard(delivery.destination)
            self.idle.notify_all()
            if reason:
                self._cancel(delivery, reason)
            else:
                self._settle(delivery, result)
        self._repeating.wake()

    def _cancel(self, delivery: Delivery, reason: str) -> None:
        log.info("%s to %s is not sent: %s", delivery.kind, delivery.destination, reason)
        self._note(
            delivery,
            partial(cancelled, attempt=delivery.attempts, reason=reason, now_ms=self._now_ms()),
        )

    def _settle(self, delivery: Delivery, result: SendResult) -> None:
        """Note how an attempt went."""
        name, now_ms = delivery.destination, self._now_ms()
        self._tried(delivery, result)
        if result.problem:
            log.warning("%s to %s was not sent: %s", delivery.kind, name, result.problem)
        if result.retry_after_ms:
            self._left_alone[name] = now_ms + result.retry_after_ms
        self._note(
            delivery,
            partial(
                settled,
                attempt=delivery.attempts,
                result=result,
                now_ms=now_ms,
                chance=self._chance(),
                backoff=self._backoff,
            ),
        )

    def _note(self, delivery: Delivery, decide: Callable[[Delivery], Delivery | None]) -> None:
        if not self._closed:
            self._outbox.settle(delivery, decide)

    def _step(self) -> None:
        self.step()


def _failed(error: Exception) -> None:
    log.error("sending failed and goes on", exc_info=error)
