"""The engine of alerts: looks at the figures every second, remembers, and has messages sent.

It runs in a thread of its own and blocks nobody. What it knows is kept in the ledger, so that a
restart neither forgets nor repeats; where the ledger can't be written, which may be the very thing
to alert of, it goes on from memory and keeps it later.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert, AlertRule, AlertState, Severity, evaluate
from switchhook.alerts.book import Delivery, DeliveryState, given_up
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.heartbeat import why_silent
from switchhook.alerts.messages import (
    LastNotification,
    Message,
    MessageKind,
    Quiet,
    Silence,
    messages,
)
from switchhook.alerts.outbox import Outbox
from switchhook.errors import LedgerError, SwitchhookError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.alerts.book import AlertBook, Notifier
    from switchhook.alerts.heartbeat import Heart
    from switchhook.metrics import Figure, Labels, Source

log = logging.getLogger(__name__)

EVERY_S, LEAST_S = 1.0, 0.5
MOST_SILENCE_MS = 90 * 86_400_000


class Destinations(msgspec.Struct, frozen=True):
    """Whom to tell: the severities that each destination hears of, and who reaches them."""

    notifier: Notifier
    severities: Mapping[str, tuple[Severity, ...]]


class Alerting:
    """Alerts from `start` to `stop`. Any thread may ask, silence and acknowledge."""

    def __init__(
        self,
        book: AlertBook,
        sources: Sequence[Source],
        destinations: Destinations,
        *,
        rules: Sequence[AlertRule] = DEFAULTS,
        quiet: Quiet = Quiet(),  # noqa: B008 - it is frozen
        heart: Heart | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.rules, self.quiet, self.heart = tuple(rules), quiet, heart
        self._book, self._sources, self._destinations = book, tuple(sources), destinations
        self.now_ms = now_ms
        self.outbox = Outbox(destinations.notifier, now_ms, chance)
        self._lock = threading.Lock()
        self._states: dict[str, Alert] = {}
        self._spoken: dict[str, LastNotification] = {}
        self._silences: list[Silence] = []
        self._unsaved: tuple[dict[str, Alert], dict[str, LastNotification], list[Delivery]] = (
            {},
            {},
            [],
        )
        self._loaded = False
        self._figures: tuple[Figure, ...] = ()
        self._count = 0
        self.evaluated_ms: int | None = None
        self.problems: tuple[str, ...] = ()
        self._ending, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerting", daemon=True)

    def use(
        self,
        destinations: Destinations,
        *,
        rules: Sequence[AlertRule],
        quiet: Quiet,
        heart: Heart | None,
    ) -> None:
        """Go on by a changed configuration; alerts of rules that are gone end."""
        with self._lock:
            self._destinations, self.outbox.notifier = destinations, destinations.notifier
            self.rules, self.quiet, self.heart = tuple(rules), quiet, heart
        self.wake()

    # What is asked of it.

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures as they were seen last."""
        return self._figures

    @property
    def alerts(self) -> list[Alert]:
        """What is pending or firing, the most severe first."""
        with self._lock:
            return sorted(
                self._states.values(),
                key=lambda a: (not a.firing, -a.severity.rank, a.since_ms, a.key),
            )

    @property
    def silences(self) -> list[Silence]:
        """Those that last."""
        now_ms = self.now_ms()
        with self._lock:
            return [silence for silence in self._silences if silence.until_ms > now_ms]

    @property
    def destinations(self) -> Mapping[str, tuple[Severity, ...]]:
        """The severities that each destination hears of, by its name."""
        return self._destinations.severities

    def resolved(self, limit: int) -> list[Alert]:
        """Alerts that are over, newest first. Raises LedgerError."""
        return self._book.resolved(limit)

    def deliveries(self, limit: int) -> list[Delivery]:
        """What was sent or is to be, newest first. Raises LedgerError."""
        return self._book.deliveries(limit)

    def silence(self, matcher: Labels, until_ms: int, reason: str, by: str) -> Silence:
        """Mute what matches until a time. Raises LedgerError."""
        now_ms = self.now_ms()
        until_ms = min(until_ms, now_ms + MOST_SILENCE_MS)
        silence = self._book.add_silence(matcher, now_ms, until_ms, reason, by)
        with self._lock:
            self._silences.append(silence)
        self.wake()
        return silence

    def end_silence(self, id: int) -> bool:
        """End a silence; whether there was one. Raises LedgerError."""
        found = self._book.end_silence(id, self.now_ms())
        with self._lock:
            self._silences = [each for each in self._silences if each.id != id]
        self.wake()
        return found

    def acknowledge(self, id: str, by: str) -> Alert | None:
        """Note that somebody is on it: it speaks no more until it is over. None if it is over."""
        with self._lock:
            alert = next((each for each in self._states.values() if each.id == id), None)
            if alert is None:
                return None
            key = alert.key
            self._states[key] = msgspec.structs.replace(alert, acknowledged=by)
            self._unsaved[0][_bout(alert)] = self._states[key]
        self.wake()
        return alert

    def test(self, destination: str, by: str) -> str | None:
        """Send a message now and wait for it; None where it was taken, else why not."""
        now_ms = self.now_ms()
        message = Message(
            cause="test",
            say=MessageKind.TEST,
            severity=Severity.INFO,
            title="A test: nothing is wrong",
            lines=(f"{by} tries whether messages arrive here. They do.",),
            alerts=(),
            at_ms=now_ms,
        )
        delivery = Delivery(id=self._new_id(now_ms), destination=destination, message=message)
        try:
            problem = self._destinations.notifier.send(destination, message)
        except Exception as error:  # noqa: BLE001 - as in the outbox: a message that was not sent,
            # and a text that may hold its address.
            problem = f"sending failed with {type(error).__name__}"
        delivery = msgspec.structs.replace(delivery, attempts=1, done_ms=self.now_ms())
        if problem is None:
            delivery = msgspec.structs.replace(delivery, state=DeliveryState.SENT)
        else:
            delivery = given_up(delivery, problem, self.now_ms())
        with self._lock:
            self._unsaved[2].append(delivery)
            self._save()
        return problem

    def wake(self) -> None:
        """Look soon: something new was folded, or somebody decided."""
        self._wake.set()

    # How it runs.

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End; what could not be kept or sent by now waits for the next start."""
        self._ending.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with self._lock:
            self._unsaved[2].extend(self.outbox.changed())
            self._save()

    def step(self) -> None:
        """Look at the figures once, and do what follows."""
        now_ms = self.now_ms()
        problems: list[str] = []
        if not self._load(now_ms):
            problems.append("what was kept of alerts can't be read")
        figures: list[Figure] = []
        for source in self._sources:
            try:
                figures += source(now_ms)
            except Exception as error:  # noqa: BLE001 - one source that fails (a full disk, a store
                # that is being rebuilt) must not silence the others; its figures are unknown.
                said = isinstance(error, SwitchhookError)
                problems.append(str(error) if said else f"{type(error).__name__}: {error}")
        self._figures = tuple(figures)
        with self._lock:
            self._judge(now_ms)
            self._unsaved[2].extend(self.outbox.changed())
            self._save()
        self.outbox.step()
        self._note(problems)
        self.evaluated_ms = now_ms
        if self.heart is not None:
            self.heart.beat(problems[0] if problems else why_silent(figures, now_ms))

    def _judge(self, now_ms: int) -> None:
        unsaved_alerts, unsaved_spoken, _ = self._unsaved
        for alert in evaluate(self.rules, self._figures, self._states, now_ms):
            unsaved_alerts[_bout(alert)] = alert
            if alert.state is AlertState.RESOLVED:
                self._states.pop(alert.key, None)
            else:
                self._states[alert.key] = alert
        self._silences = [each for each in self._silences if each.until_ms > now_ms]
        said = messages(self._states.values(), self._spoken, self._silences, self.quiet, now_ms)
        for message, spoken in said:
            self._spoken[spoken.cause] = spoken
            unsaved_spoken[spoken.cause] = spoken
            self._post(message)

    def _post(self, message: Message) -> None:
        log.warning("alert: %s", message.title)
        id = self._new_id(message.at_ms)
        self.outbox.add(
            Delivery(id=id, destination=name, message=message)
            for name, severities in self._destinations.severities.items()
            if set(severities) & set(message.severities)
        )

    def _new_id(self, now_ms: int) -> str:
        self._count += 1
        return f"{now_ms}-{self._count}"

    def _load(self, now_ms: int) -> bool:
        """Remember what was before the start, once; whether it could be read."""
        if self._loaded:
            return True
        try:
            book = self._book.load(now_ms)
        except LedgerError as error:
            log.error("%s: alerting goes on without what was before", error)  # noqa: TRY400
            return False
        with self._lock:
            self._states = {alert.key: alert for alert in book.alerts} | self._states
            self._spoken = {spoken.cause: spoken for spoken in book.spoken} | self._spoken
            self._silences += book.silences
        known = self._destinations.severities
        self.outbox.add(
            each
            if each.destination in known
            else given_up(each, "there is no such destination any more", now_ms)
            for each in book.waiting
        )
        self._loaded = True
        return True

    def _save(self) -> None:
        alerts, spoken, deliveries = self._unsaved
        if not (alerts or spoken or deliveries):
            return
        try:
            self._book.save(list(alerts.values()), list(spoken.values()), deliveries)
        except LedgerError as error:
            newest = {(each.id, each.destination): each for each in deliveries}
            deliveries[:] = list(newest.values())[-1000:]
            log.debug("alerts could not be kept: %s", error)
            return
        self._unsaved = ({}, {}, [])

    def _note(self, problems: Sequence[str]) -> None:
        for problem in problems:
            if problem not in self.problems:
                log.error("alerting: %s", problem)
        self.problems = tuple(problems)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.step()
            except Exception as error:
                # Nothing else would bring it back; the verdict and the heartbeat tell of it.
                log.exception("alerting failed and tries again")
                self.problems = (f"alerting failed with {type(error).__name__}",)
            self._ending.wait(LEAST_S)
            self._wake.wait(EVERY_S - LEAST_S)
            self._wake.clear()


def _bout(alert: Alert) -> str:
    """What tells an alert from the ones before it of the same key."""
    return f"{alert.key} {alert.since_ms}"
