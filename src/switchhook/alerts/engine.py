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

from switchhook.alerts.alert import Alert, evaluate, joined
from switchhook.alerts.alert_rule import AlertRule
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.heartbeat import why_silent
from switchhook.alerts.memory_keeper import Memory
from switchhook.alerts.notification import NotificationSettings, notifications
from switchhook.alerts.quiet import Quiet, Silence
from switchhook.alerts.sender import Sender
from switchhook.delivery.outbox import Outbox
from switchhook.errors import LedgerError, SwitchhookError
from switchhook.system.repeating import Repeating
from switchhook.troubles.metrics import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.alerts.book import AlertBook
    from switchhook.alerts.heartbeat import Heartbeat
    from switchhook.alerts.sender import Destinations
    from switchhook.delivery.outbox import DeliveryTable
    from switchhook.metrics import Figure, Labels, Source
    from switchhook.troubles.trouble import Trouble

log = logging.getLogger(__name__)

EVERY_S, LEAST_S = 1.0, 0.5
MOST_SILENCE_MS = 90 * 86_400_000


class Alerting:
    """Alerts from `start` to `stop`. Any thread may ask, silence and acknowledge.

    `troubles` are what the sources' last figures were made of, in words; `acknowledged` hears of
    the issue that somebody is on, by its id, and who it is.
    """

    def __init__(
        self,
        book: AlertBook,
        table: DeliveryTable,
        sources: Sequence[Source],
        destinations: Destinations,
        *,
        rules: Sequence[AlertRule] = DEFAULTS,
        quiet: Quiet = Quiet(),  # noqa: B008 - it is frozen
        heartbeat: Heartbeat | None = None,
        troubles: Callable[[], Iterable[Trouble]] = tuple,
        acknowledged: Callable[[str, str], object] = lambda issue, by: None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.rules, self.quiet, self.heartbeat = tuple(rules), quiet, heartbeat
        self.book, self._sources, self._troubles = book, tuple(sources), troubles
        self.now_ms, self._acknowledged = now_ms, acknowledged
        outbox = Outbox(table)
        self._memory = Memory(book, outbox)
        self.sender = Sender(
            outbox, destinations, is_over=self._memory.is_over, now_ms=now_ms, chance=chance
        )
        self._lock = threading.Lock()
        self._figures: tuple[Figure, ...] = ()
        self.evaluated_ms: int | None = None
        self.problems: tuple[str, ...] = ()
        self._sends = False
        self._repeating = Repeating(
            "alerting", self._step, every_s=EVERY_S, least_s=LEAST_S, failed=self._failed
        )

    def use(
        self,
        destinations: Destinations,
        *,
        rules: Sequence[AlertRule],
        quiet: Quiet,
        heartbeat: Heartbeat | None,
    ) -> None:
        """Go on by a changed configuration; alerts of rules that are gone end."""
        with self._lock:
            self.sender.destinations = destinations
            self.rules, self.quiet, self.heartbeat = tuple(rules), quiet, heartbeat
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
                self._memory.alerts.values(),
                key=lambda a: (not a.firing, -a.severity.rank, a.since_ms, a.key),
            )

    @property
    def silences(self) -> list[Silence]:
        """Those that last."""
        now_ms = self.now_ms()
        with self._lock:
            return [silence for silence in self._memory.silences if silence.until_ms > now_ms]

    @property
    def destinations(self) -> Destinations:
        """Whom it tells."""
        return self.sender.destinations

    def silence(self, matcher: Labels, until_ms: int, reason: str, by: str) -> Silence:
        """Mute what matches until a time. Raises LedgerError."""
        now_ms = self.now_ms()
        until_ms = min(until_ms, now_ms + MOST_SILENCE_MS)
        silence = self.book.add_silence(matcher, now_ms, until_ms, reason, by)
        with self._lock:
            self._memory.silences.append(silence)
        self.wake()
        return silence

    def end_silence(self, id: int) -> bool:
        """End a silence; whether there was one. Raises LedgerError."""
        found = self.book.end_silence(id, self.now_ms())
        with self._lock:
            self._memory.silences = [each for each in self._memory.silences if each.id != id]
        self.wake()
        return found

    def acknowledge(self, id: str, by: str) -> Alert | None:
        """Note that somebody is on it, and on all of its cause. None if it is over."""
        with self._lock:
            alert = next((each for each in self._memory.alerts.values() if each.id == id), None)
            if alert is None:
                return None
            self._memory.acknowledge(alert.cause, by)
            trouble = self._told(tuple(self._memory.alerts.values())).get(alert.key)
        if trouble is not None and trouble.issue:
            try:
                self._acknowledged(trouble.issue, by)
            except LedgerError as error:  # nobody is called all the same
                log.warning("an issue does not know that somebody is on it: %s", error)
        self.wake()
        return alert

    def acknowledge_issue(self, issue: str, by: str) -> None:
        """Note that somebody is on whatever is of an issue, by its id."""
        with self._lock:
            alerts = tuple(self._memory.alerts.values())
            for alert in alerts:
                trouble = self._told(alerts)[alert.key]
                if trouble is not None and trouble.issue == issue:
                    self._memory.acknowledge(alert.cause, by)
        self.wake()

    def test(self, name: str, by: str) -> dict[str, str | None]:
        """Send a test to a destination, or to all of a policy, and wait for it.

        By destination: None where it was taken, else why not; nothing where there is no such name.
        """
        tried = [self.sender.test(each, by) for each in self.destinations.told_by(name)]
        with self._lock:
            self._memory.unsent += tried
            self._memory.save()
        return {each.destination: each.problem or None for each in tried}

    def wake(self) -> None:
        """Look soon: something new was folded, or somebody decided."""
        self._repeating.wake()

    # How it runs.

    def start(self) -> None:
        self._repeating.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End; what could not be kept or sent by now waits for the next start."""
        self._repeating.stop(timeout_s)
        with self._lock:
            self._memory.save()  # before it waits for who may hang: the ledger may be gone then
        self.sender.worker.stop()

    def step(self) -> None:
        """Look at the figures once, and do what follows."""
        now_ms = self.now_ms()
        problems: list[str] = []
        with self._lock:
            loaded = self._memory.load(now_ms)
            handed_in = self._memory.handed_in()
        for id, by in handed_in:
            self.acknowledge(id, by)
        if not loaded:
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
            if self._memory.may_go_on(now_ms):
                self._judge(now_ms)
                self._memory.save()
        self.sender.worker.wake()
        self._note(problems)
        self.evaluated_ms = now_ms
        if self.heartbeat is not None:
            self.heartbeat.beat(problems[0] if problems else why_silent(figures, now_ms))

    def _judge(self, now_ms: int) -> None:
        memory = self._memory
        changed = evaluate(self.rules, self._figures, memory.alerts, now_ms)
        for alert in joined(changed, memory.alerts.values()):
            memory.note_alert(alert)
        memory.silences = [each for each in memory.silences if each.until_ms > now_ms]
        alerts = tuple(memory.alerts.values())
        whom = self.sender.destinations
        settings = NotificationSettings(
            recipients=whom.recipients,
            policies=whom.policies,
            quiet=self.quiet,
            silences=memory.silences,
        )
        for each in notifications(alerts, memory.spoken, settings, now_ms, self._told(alerts)):
            memory.note_spoken(each.after)
            log.warning("alert to %s: %s", each.after.destination, each.message.title)
            memory.unsent.append(self.sender.delivery(each))

    def _told(self, alerts: Sequence[Alert]) -> dict[str, Trouble | None]:
        """What is known of alerts in words, by their keys."""
        troubles = tuple(self._troubles())
        known = {key: trouble for trouble in troubles for key in trouble.covers}
        known |= {trouble.key: trouble for trouble in troubles}
        return {alert.key: known.get(key_of(alert.figure, alert.labels)) for alert in alerts}

    def _note(self, problems: Sequence[str]) -> None:
        fresh = tuple(dict.fromkeys(problems))  # what hangs fails each rule alike
        for problem in fresh:
            if problem not in self.problems:
                log.error("alerting: %s", problem)
        self.problems = fresh

    def _step(self) -> None:
        try:
            self.step()
        finally:
            if not self._sends:
                # Not before it is known what was said: what is over is not sent any more.
                self._sends = True
                self.sender.worker.start()

    def _failed(self, error: Exception) -> None:
        """The verdict and the heartbeat tell of it."""
        log.error("alerting failed and tries again", exc_info=error)
        self.problems = (f"alerting failed with {type(error).__name__}",)
