"""One message on its way to one destination: its states, and what leads from one to the next.

The words are oban's and river's. A delivery is claimed for a while, by a number that grows with
each attempt; whoever comes back after somebody else claimed it has no say any more.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_RETRY_AFTER_S = 3600.0
"""The longest that a destination can ask to be left alone."""


class DeliveryState(StrEnum):
    """Where a delivery stands; the last three are for ever."""

    AVAILABLE = "available"
    """It may be sent."""
    EXECUTING = "executing"
    """Somebody sends it."""
    RETRYABLE = "retryable"
    """It was not taken, and is sent again when it is due."""
    COMPLETED = "completed"
    """It was taken."""
    DISCARDED = "discarded"
    """It is given up."""
    CANCELLED = "cancelled"
    """What it was about had ended before it was sent."""


class DeliveryEvent(StrEnum):
    """What happens to a delivery."""

    CLAIMED = "claimed"
    LAPSED = "lapsed"
    """Who claimed it did not come back in time."""
    TAKEN = "taken"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    """No attempt is left to it."""
    ENDED = "ended"
    """Its reason is gone."""


NEXT = {
    (DeliveryState.AVAILABLE, DeliveryEvent.CLAIMED): DeliveryState.EXECUTING,
    (DeliveryState.AVAILABLE, DeliveryEvent.EXHAUSTED): DeliveryState.DISCARDED,
    (DeliveryState.RETRYABLE, DeliveryEvent.CLAIMED): DeliveryState.EXECUTING,
    (DeliveryState.RETRYABLE, DeliveryEvent.EXHAUSTED): DeliveryState.DISCARDED,
    # By an attempt that was given up on too early, before another one began.
    (DeliveryState.RETRYABLE, DeliveryEvent.TAKEN): DeliveryState.COMPLETED,
    (DeliveryState.EXECUTING, DeliveryEvent.LAPSED): DeliveryState.AVAILABLE,
    (DeliveryState.EXECUTING, DeliveryEvent.TAKEN): DeliveryState.COMPLETED,
    (DeliveryState.EXECUTING, DeliveryEvent.FAILED): DeliveryState.RETRYABLE,
    (DeliveryState.EXECUTING, DeliveryEvent.EXHAUSTED): DeliveryState.DISCARDED,
    (DeliveryState.EXECUTING, DeliveryEvent.ENDED): DeliveryState.CANCELLED,
}
"""Every move there is."""

FINAL = frozenset({DeliveryState.COMPLETED, DeliveryState.DISCARDED, DeliveryState.CANCELLED})


class DeliveryId(NamedTuple):
    """What there is one delivery of."""

    kind: str
    key: str
    destination: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one destination. Times are Unix ms.

    `key` is the message's, unique for ever among those of its `kind`. `due_ms` is when it may be
    claimed: of one that is executing, when its claim ends. After `deadline_ms` it is not tried
    again. `attempts` counts the claims, `problem` says why the last one failed.
    """

    kind: str
    key: str
    destination: str
    payload: bytes
    created_ms: int
    due_ms: int
    deadline_ms: int
    state: DeliveryState = DeliveryState.AVAILABLE
    attempts: int = 0
    done_ms: int | None = None
    problem: str = ""

    @property
    def id(self) -> DeliveryId:
        return DeliveryId(self.kind, self.key, self.destination)

    @property
    def public_id(self) -> str:
        """What a destination tells a repeat by: the same at each attempt, whoever makes it."""
        return public_id(self.kind, self.key, self.destination, self.created_ms)

    @property
    def final(self) -> bool:
        return self.state in FINAL


def public_id(*parts: object) -> str:
    """16 hexadecimal digits, by all that tells a message to a destination from every other."""
    text = "\0".join(map(str, parts))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


class SendResult(msgspec.Struct, frozen=True):
    """How an attempt went: `problem` says why it was not taken, and is empty where it was.

    `retry_after_s` is how long the destination asks to be left alone.
    """

    problem: str = ""
    retry_after_s: float | None = None

    @property
    def retry_after_ms(self) -> int:
        return int(1000 * min(max(self.retry_after_s or 0.0, 0.0), MOST_RETRY_AFTER_S))


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait before trying again: `first_s`, then `factor` times longer, to `most_s`."""

    first_s: float = 5.0
    factor: float = 4.0
    most_s: float = 600.0

    def pause_ms(self, attempts: int, chance: float) -> int:
        """The pause after so many attempts, a quarter more or less by `chance` from 0 to 1."""
        pause_s = self.first_s
        for _ in range(attempts - 1):
            if pause_s >= self.most_s:
                break
            pause_s *= self.factor
        return int(1000 * min(pause_s, self.most_s) * (0.75 + chance / 2))


DEFAULT_BACKOFF = Backoff()


def claimed(delivery: Delivery, now_ms: int, lease_ms: int) -> Delivery:
    """A delivery that is due, claimed for `lease_ms`; discarded where it was tried long enough."""
    if delivery.state is DeliveryState.EXECUTING:
        delivery = _moved(delivery, DeliveryEvent.LAPSED, problem="nobody knows how it went")
    if delivery.attempts and now_ms > delivery.deadline_ms:
        return discarded(delivery, delivery.problem, now_ms)
    return _moved(
        delivery,
        DeliveryEvent.CLAIMED,
        attempts=delivery.attempts + 1,
        due_ms=now_ms + lease_ms,
    )


def settled(
    delivery: Delivery,
    attempt: int,
    result: SendResult,
    now_ms: int,
    chance: float,
    backoff: Backoff = DEFAULT_BACKOFF,
) -> Delivery | None:
    """A delivery after an attempt; None where that attempt has no say any more.

    It is tried again after longer and longer pauses, and no sooner than the destination asks,
    until its deadline.
    """
    taken = not result.problem
    event = DeliveryEvent.TAKEN if taken else DeliveryEvent.FAILED
    if delivery.attempts != attempt or (delivery.state, event) not in NEXT:
        return None
    if taken:
        return _moved(delivery, event, done_ms=now_ms, problem="")
    pause_ms = max(backoff.pause_ms(attempt, chance), result.retry_after_ms)
    if now_ms + pause_ms > delivery.deadline_ms:
        return discarded(delivery, result.problem, now_ms)
    return _moved(delivery, event, due_ms=now_ms + pause_ms, problem=result.problem)


def cancelled(delivery: Delivery, attempt: int, reason: str, now_ms: int) -> Delivery | None:
    """A delivery that is not wanted any more; None where that attempt has no say any more."""
    event = DeliveryEvent.ENDED
    if delivery.attempts != attempt or (delivery.state, event) not in NEXT:
        return None
    return _moved(delivery, event, done_ms=now_ms, problem=reason)


def discarded(delivery: Delivery, problem: str, now_ms: int) -> Delivery:
    """A delivery that is tried no more."""
    return _moved(delivery, DeliveryEvent.EXHAUSTED, done_ms=now_ms, problem=problem)


def _moved(delivery: Delivery, event: DeliveryEvent, **changes: object) -> Delivery:
    state = NEXT[delivery.state, event]
    return msgspec.structs.replace(delivery, state=state, **changes)


def replaces(after: Delivery, before: Delivery) -> bool:
    """Whether `after`, which went on from memory, says what became of what was kept."""
    return not before.final and after.attempts >= before.attempts and after != before


def destinations_due(deliveries: Iterable[Delivery], now_ms: int) -> list[str]:
    """The destinations that something is due to and nothing is being sent to."""
    live = [each for each in deliveries if not each.final]
    busy = {each.destination for each in live if _is_being_sent(each, now_ms)}
    due = {each.destination for each in live if each.due_ms <= now_ms}
    return sorted(due - busy)


def next_due(deliveries: Iterable[Delivery], destination: str, now_ms: int) -> Delivery | None:
    """The oldest delivery that is due to a destination; None where one is being sent to it."""
    live = [each for each in deliveries if each.destination == destination and not each.final]
    if any(_is_being_sent(each, now_ms) for each in live):
        return None
    due = [each for each in live if each.due_ms <= now_ms]
    return min(due, key=lambda each: (each.created_ms, each.key), default=None)


def _is_being_sent(delivery: Delivery, now_ms: int) -> bool:
    return delivery.state is DeliveryState.EXECUTING and delivery.due_ms > now_ms
