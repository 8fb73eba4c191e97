"""Who is told what of alerts, and when: one message for a cause, and none at night without need.

Everything follows from how things stand and what each destination heard, so a restart neither
repeats nor forgets. A destination hears of a cause first when it has a severity that it wants;
again when it rises to one that it has not heard, or once when it is much worse; and when it is
over. A rise is always said.

A cause that comes back rests, longer each time, unless it stays. At night a destination hears of it
three times at most at each severity; what is to be said beyond that waits for the morning, and is
said if it still holds. In quiet hours only critical alerts speak. A silence mutes everything but
"resolved", which is always said for what was said.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert, much_worse
from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.escalation import Policy, due_rounds, policy_of
from switchhook.alerts.message import (
    Message,
    MessageKind,
    acknowledged_message,
    heard_of,
    message_of,
    resolved_message,
)
from switchhook.alerts.quiet import OnCall, Quiet, Silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchhook.troubles.trouble import Trouble

MOST_A_NIGHT = 3
REST_MS, LONGEST_REST_MS = 30 * 60_000, 4 * 3_600_000
_STAYS = 6
"""What comes back speaks at once when it has stayed for this part of its rest."""
INHIBITED_MS = 2 * 3_600_000
"""For so long after it was last told of, a cause tells of what it inhibits, too."""
_FORGOTTEN_MS = 8 * 3_600_000
"""What comes back after so long counts as new."""


class Recipient(msgspec.Struct, frozen=True):
    """A destination: the severities that it hears of, and when it is on call, None is always."""

    name: str
    severities: tuple[Severity, ...] = tuple(Severity)
    on_call: OnCall | None = None


class LastNotification(msgspec.Struct, frozen=True, kw_only=True):
    """The last that a destination heard of a cause, and what it heard since that began.

    `severity` is the highest that it heard, `key` and `value` are of the alert that was told of;
    `rounds` is how often it was asked to be on it, `told` how many times at each severity in
    `night`, `returns` how often the cause came back lately, `title` what people heard.
    """

    cause: str
    destination: str
    say: MessageKind
    severity: Severity
    key: str
    title: str
    value: float
    at_ms: int
    began_ms: int
    worse: bool = False
    acknowledged: bool = False
    rounds: int = 1
    returns: int = 0
    night: str = ""
    told: tuple[tuple[Severity, int], ...] = ()

    @property
    def open(self) -> bool:
        """Whether people believe that it goes on."""
        return self.say is not MessageKind.RESOLVED


class Notification(msgspec.Struct, frozen=True):
    """A message to one destination, and what to remember of it."""

    message: Message
    after: LastNotification


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell, and when not."""

    recipients: Sequence[Recipient] = ()
    policies: Sequence[Policy] = ()
    quiet: Quiet = Quiet()
    silences: Sequence[Silence] = ()


def is_over(message: Message, last: LastNotification | None) -> bool:
    """Whether what a message says is no longer so, by the last that was said of its cause.

    What came after it is on its way, too, and says how it is now; only that it is over stays.
    """
    return (
        message.say not in (MessageKind.RESOLVED, MessageKind.TEST)
        and last is not None
        and last.at_ms > message.at_ms
    )


def notifications(
    alerts: Iterable[Alert],
    spoken: Mapping[tuple[str, str], LastNotification],
    settings: NotificationSettings,
    now_ms: int,
    troubles: Mapping[str, Trouble | None] | None = None,
) -> list[Notification]:
    """What is to be said now; `spoken` is by cause and destination.

    `troubles` are what is known of alerts in words, by their keys.
    """
    firing: dict[str, list[Alert]] = {}
    for alert in alerts:
        if alert.firing:
            firing.setdefault(alert.cause, []).append(alert)
    opened = {cause for (cause, _), last in spoken.items() if last.open}
    found: list[Notification] = []
    for cause in sorted(firing.keys() | opened):
        going = sorted(firing.get(cause, ()), key=lambda a: (-a.severity.rank, a.since_ms, a.key))
        now = _Now(cause, going, spoken, settings, now_ms, troubles or {})
        found += filter(None, map(now.notification, settings.recipients))
    return found


class _Now:
    """One cause as it stands now."""

    def __init__(
        self,
        cause: str,
        going: Sequence[Alert],
        spoken: Mapping[tuple[str, str], LastNotification],
        settings: NotificationSettings,
        now_ms: int,
        troubles: Mapping[str, Trouble | None],
    ) -> None:
        self._cause, self._going, self._spoken = cause, going, spoken
        self._telling, self._now_ms, self._troubles = settings, now_ms, troubles
        self._night = settings.quiet.night(now_ms)
        self._quiet = settings.quiet.quiet(now_ms)
        self._may_speak = [
            alert
            for alert in going
            if not any(silence.covers(alert, now_ms) for silence in settings.silences)
            and (alert.severity is Severity.CRITICAL or not self._quiet)
            and not self._goes_well(alert)
        ]
        self._by = next((alert.acknowledged for alert in going if alert.acknowledged), "")
        self._rounds = self._due_rounds()

    def notification(self, to: Recipient) -> Notification | None:
        """What one destination is to hear, if anything."""
        last = self._spoken.get((self._cause, to.name))
        wanted = [
            alert
            for alert in self._may_speak
            if alert.severity in to.severities and not self._inhibited(alert, to)
        ]
        say = self._say(to, last, wanted)
        if say is None or not self._allowed(say, last, wanted):
            return None
        if say is MessageKind.RESOLVED:
            assert last is not None
            return self._resolved(last)
        if say is MessageKind.ACKNOWLEDGED:
            assert last is not None
            return self._acknowledged(last)
        return self._told(to, say, last, wanted)

    def _goes_well(self, alert: Alert) -> bool:
        """Whether it is only not over yet: nobody is called for that."""
        trouble = self._troubles.get(alert.key)
        return trouble is not None and trouble.over

    def _inhibited(self, alert: Alert, to: Recipient) -> bool:
        told = self._spoken.get((alert.inhibitor, to.name))
        return told is not None and abs(self._now_ms - told.at_ms) < INHIBITED_MS

    # What is to be said.

    def _say(
        self, to: Recipient, last: LastNotification | None, wanted: Sequence[Alert]
    ) -> MessageKind | None:
        rounds = self._rounds.get(to.name, 0)
        if last is None or not last.open:
            speaks = bool(wanted) and rounds > 0 and self._rested(last, wanted)
            return MessageKind.FIRST if speaks else None
        if not any(alert.severity in to.severities for alert in self._going):
            return MessageKind.RESOLVED
        if wanted and wanted[0].severity.rank > last.severity.rank:
            return MessageKind.WORSE
        if self._by:
            chained = self._policed(to.name) and not last.acknowledged
            return MessageKind.ACKNOWLEDGED if chained else None
        if wanted and rounds > last.rounds:
            return MessageKind.REMINDER
        worse = not last.worse and any(
            alert.key == last.key and much_worse(alert, last.value) for alert in wanted
        )
        return MessageKind.WORSE if worse else None

    def _rested(self, last: LastNotification | None, wanted: Sequence[Alert]) -> bool:
        """Whether it may speak again after it was over."""
        if last is None:
            return True
        rest_ms = min(REST_MS << last.returns, LONGEST_REST_MS)
        stayed_ms = self._now_ms - min(alert.fired_ms or self._now_ms for alert in wanted)
        return abs(self._now_ms - last.at_ms) >= rest_ms or stayed_ms * _STAYS >= rest_ms

    def _allowed(
        self, say: MessageKind, last: LastNotification | None, wanted: Sequence[Alert]
    ) -> bool:
        """Whether it may be said now, or waits for the morning."""
        if not self._night or last is None or say is MessageKind.REMINDER:
            return True
        if say in (MessageKind.RESOLVED, MessageKind.ACKNOWLEDGED):
            if self._quiet and last.severity is not Severity.CRITICAL:
                return False
            severity = last.severity
        else:
            severity = wanted[0].severity
        return last.night != self._night or dict(last.told).get(severity, 0) < MOST_A_NIGHT

    # Escalation.

    def _policy(self) -> Policy | None:
        return policy_of(self._telling.policies, self._going[0]) if self._going else None

    def _policed(self, name: str) -> bool:
        policy = self._policy()
        return policy is not None and name in policy.names()

    def _due_rounds(self) -> dict[str, int]:
        """How many times each destination should have been asked by now."""
        in_some = {name for policy in self._telling.policies for name in policy.names()}
        rounds = {each.name: 1 for each in self._telling.recipients if each.name not in in_some}
        policy = self._policy()
        if policy is None:
            # Who is in a policy that does not take this is told as everybody is.
            return {each.name: 1 for each in self._telling.recipients}
        if self._by:
            return rounds  # nobody else is to be woken
        severities = {alert.severity for alert in self._may_speak}
        on_call = {
            each.name
            for each in self._telling.recipients
            if severities & set(each.severities)
            and (each.on_call is None or each.on_call.now(self._now_ms))
        }
        heard = (self._spoken.get((self._cause, name)) for name in in_some)
        began = (each.began_ms for each in heard if each is not None and each.open)
        return rounds | due_rounds(policy, on_call, min(began, default=None), self._now_ms)

    # What is said.

    def _told(
        self, to: Recipient, say: MessageKind, last: LastNotification | None, told: Sequence[Alert]
    ) -> Notification:
        head = told[0]
        trouble = self._troubles.get(head.key)
        message = message_of(self._cause, say, told, trouble, self._now_ms)
        after = LastNotification(
            cause=self._cause,
            destination=to.name,
            say=say,
            severity=head.severity,
            key=head.key,
            title=heard_of(head, trouble),
            value=head.value,
            at_ms=self._now_ms,
            began_ms=self._now_ms,
            worse=say is MessageKind.WORSE,
            rounds=max(self._rounds.get(to.name, 1), 1),
            returns=self._returns(last),
            night=self._night,
            told=self._counted(last, head.severity, say),
        )
        if last is not None and last.open:
            after = msgspec.structs.replace(
                after,
                severity=max(head.severity, last.severity, key=lambda each: each.rank),
                began_ms=last.began_ms,
                worse=after.worse or last.worse,
                acknowledged=last.acknowledged,
                rounds=max(after.rounds, last.rounds),
                returns=last.returns,
            )
        return Notification(message, after)

    def _returns(self, last: LastNotification | None) -> int:
        if last is None or abs(self._now_ms - last.at_ms) >= _FORGOTTEN_MS:
            return 0
        return last.returns + 1

    def _acknowledged(self, last: LastNotification) -> Notification:
        message = acknowledged_message(
            self._cause, last.title, last.severity, self._going, self._by, self._now_ms
        )
        after = msgspec.structs.replace(
            last,
            say=MessageKind.ACKNOWLEDGED,
            at_ms=self._now_ms,
            acknowledged=True,
            night=self._night,
            told=self._counted(last, last.severity, MessageKind.ACKNOWLEDGED),
        )
        return Notification(message, after)

    def _resolved(self, last: LastNotification) -> Notification:
        message = resolved_message(
            self._cause,
            last.title,
            last.severity,
            last.key,
            last.began_ms,
            bool(self._going),
            self._now_ms,
        )
        after = msgspec.structs.replace(
            last,
            say=MessageKind.RESOLVED,
            at_ms=self._now_ms,
            worse=False,
            acknowledged=False,
            rounds=1,
            night=self._night,
            told=self._counted(last, last.severity, MessageKind.RESOLVED),
        )
        return Notification(message, after)

    def _counted(
        self, last: LastNotification | None, severity: Severity, say: MessageKind
    ) -> tuple[tuple[Severity, int], ...]:
        """How many times it was told at each severity in this night."""
        told: Counter[Severity] = Counter()
        if last is not None and last.night == self._night:
            told.update(dict(last.told))
        if say is not MessageKind.REMINDER:
            told[severity] += 1
        return tuple(sorted(told.items()))
