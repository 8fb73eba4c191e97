"""What alerts have to say, on its way to the destinations that hear of it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.book import delivery_of, message_of
from switchhook.alerts.message import Message, MessageKind
from switchhook.delivery.delivery import SendResult, claimed, settled
from switchhook.delivery.worker import LEASE_MS, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.alerts.book import Notifier
    from switchhook.alerts.escalation import Policy
    from switchhook.alerts.notification import Notification, Recipient
    from switchhook.delivery.delivery import Delivery
    from switchhook.delivery.outbox import Outbox


class Destinations(msgspec.Struct, frozen=True):
    """Whom to tell, in which order where nobody answers, and who reaches them."""

    notifier: Notifier
    recipients: Sequence[Recipient]
    policies: Sequence[Policy] = ()

    def named(self, name: str) -> Recipient | None:
        return next((each for each in self.recipients if each.name == name), None)

    def names(self) -> list[str]:
        """Of destinations and policies."""
        return [each.name for each in self.recipients] + [each.name for each in self.policies]

    def knows(self, name: str) -> bool:
        """Whether a destination or a policy has this name."""
        return name in self.names()

    def told_by(self, name: str) -> list[str]:
        """The destination of a name, and all of the policy of that name, in their order."""
        policy = next((each for each in self.policies if each.name == name), None)
        steps = () if policy is None else policy.steps
        own = () if self.named(name) is None else (name,)
        return list(dict.fromkeys((*own, *(each for step in steps for each in step))))


class SilentDestination(msgspec.Struct, frozen=True):
    """A destination that took nothing when it was last tried.

    `since_ms` is when the first message was made that it did not take, `problem` says why the last
    was not taken.
    """

    name: str
    since_ms: int
    tried_ms: int
    problem: str


class Sender:
    """Sends what is to be told by its `worker`. Any thread may call it.

    `is_over` says of a message to a destination whether the trouble that it tells of has ended.
    """

    def __init__(
        self,
        outbox: Outbox,
        destinations: Destinations,
        *,
        is_over: Callable[[Message, str], bool],
        now_ms: Callable[[], int],
        chance: Callable[[], float],
    ) -> None:
        self.destinations = destinations
        self._is_over, self._now_ms, self._chance = is_over, now_ms, chance
        self.worker = Worker(
            outbox,
            self._send,
            ended=self._ended,
            tried=self._tried,
            now_ms=now_ms,
            chance=chance,
        )
        self._count, self._draw = 0, secrets.token_hex(4)
        self._silent: dict[str, SilentDestination] = {}
        self._ever_tried: set[str] = set()

    def silent(self) -> list[SilentDestination]:
        """The destinations that do not take messages now."""
        return [each for each in self._silent.copy().values() if self.destinations.named(each.name)]

    def tried(self, name: str) -> bool:
        """Whether a destination was tried since the start."""
        return name in self._ever_tried

    def delivery(self, notification: Notification) -> Delivery:
        """What is to be told, as it is sent."""
        message = notification.message
        key = self._new_key(message.at_ms)
        return delivery_of(message, key, notification.after.destination)

    def test(self, destination: str, by: str) -> Delivery:
        """Send a test now, once, and wait for how it goes."""
        now_ms = self._now_ms()
        message = Message(
            cause="test",
            say=MessageKind.TEST,
            severity=Severity.INFO,
            title="A test: nothing is wrong",
            lines=(f"{by} tries whether messages arrive here. They do.",),
            alerts=(),
            at_ms=now_ms,
        )
        new = delivery_of(message, self._new_key(now_ms), destination)
        trying = claimed(msgspec.structs.replace(new, deadline_ms=now_ms), now_ms, LEASE_MS)
        try:
            result = self._send(trying)
        except Exception as error:  # noqa: BLE001 - as in the worker: a message that was not sent,
            # and a text that may hold its address.
            result = SendResult(f"sending failed with {type(error).__name__}")
        self._tried(trying, result)
        tried = settled(trying, trying.attempts, result, self._now_ms(), self._chance())
        assert tried is not None  # nobody else knows of it
        return tried

    def _send(self, delivery: Delivery) -> SendResult:
        problem = self.destinations.notifier.send(delivery.destination, message_of(delivery))
        return SendResult(problem or "")

    def _tried(self, delivery: Delivery, result: SendResult) -> None:
        """Remember whether a destination takes messages: the last attempt says it."""
        name = delivery.destination
        self._ever_tried.add(name)
        if not result.problem:
            self._silent.pop(name, None)
            return
        before = self._silent.get(name)
        since_ms = delivery.created_ms if before is None else before.since_ms
        self._silent[name] = SilentDestination(name, since_ms, self._now_ms(), result.problem)

    def _ended(self, delivery: Delivery) -> str:
        """Why a delivery is not wanted any more; empty where it is."""
        if self.destinations.named(delivery.destination) is None:
            return "there is no such destination any more"
        over = self._is_over(message_of(delivery), delivery.destination)
        return "the trouble ended first" if over else ""

    def _new_key(self, now_ms: int) -> str:
        """Unlike any other, also one that another node makes in the same millisecond."""
        self._count += 1
        return f"{now_ms}-{self._count}-{self._draw}"
