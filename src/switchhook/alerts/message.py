"""What a message about alerts says."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert
from switchhook.alerts.alert_rule import Severity
from switchhook.metrics import KNOWN, Labels, duration_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.troubles.trouble import Trouble

MOST_NAMED = 5
_NOW = re.compile(r" \([^()]* now\)")
"""What is true only of the moment when it is said."""


class MessageKind(StrEnum):
    """Which of its messages a cause speaks."""

    FIRST = "first"
    WORSE = "worse"
    REMINDER = "reminder"
    """Nobody has said yet that they are on it."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    TEST = "test"
    NEWS = "news"
    """Something went as it should, or not, and nobody has to do anything about it."""

    @property
    def asks(self) -> bool:
        """Whether it asks somebody to be on it."""
        return self in (MessageKind.FIRST, MessageKind.WORSE, MessageKind.REMINDER)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message; `alerts` are the keys of those that it tells of. All text is plain.

    `tell` names whom to tell, in the operator's words; `streams` is a search for what was hit,
    `issue` the id of what most of it is of.
    """

    cause: str
    say: MessageKind
    severity: Severity
    title: str
    lines: tuple[str, ...]
    alerts: tuple[str, ...]
    at_ms: int
    since_ms: int | None = None
    tell: str = ""
    streams: str = ""
    issue: str = ""
    page: str = ""
    """The console's page that has it, where that is not the page of alerts."""
    on_it: tuple[str, int] | None = None
    """The alert to be on, its id and when it fired, where that is asked for."""
    unknown_ms: int | None = None
    """Since when it is not known how it is, as its node is away."""
    id: str = ""
    """What its destination tells a repeat by; set as it is sent."""


def message_of(
    cause: str, say: MessageKind, alerts: Sequence[Alert], trouble: Trouble | None, now_ms: int
) -> Message:
    """What is said of alerts that go on, the worst first; `trouble` is what the page knows."""
    head = alerts[0]
    message = Message(
        cause=cause,
        say=say,
        severity=head.severity,
        title=titled(head.title, head.labels),
        lines=tuple(_lines(alerts)),
        alerts=tuple(alert.key for alert in alerts),
        at_ms=now_ms,
        since_ms=min(alert.since_ms for alert in alerts),
        unknown_ms=head.unknown_ms,
        on_it=None if head.fired_ms is None or head.acknowledged else (head.id, head.fired_ms),
    )
    if trouble is not None:
        message = _in_words(message, trouble)
    elif say is MessageKind.WORSE:
        message = msgspec.structs.replace(message, title=f"{message.title}: much worse")
    if head.acknowledged:
        lines = (*message.lines, f"{head.acknowledged} is on it.")
        message = msgspec.structs.replace(message, lines=lines)
    if say is MessageKind.REMINDER:
        lines = ("Nobody has said yet that they are on it.", *message.lines)
        message = msgspec.structs.replace(message, title=f"Still: {message.title}", lines=lines)
    return message


def heard_of(alert: Alert, trouble: Trouble | None) -> str:
    """By what name people heard of an alert, for what is said of it later."""
    if trouble is None:
        return titled(alert.title, alert.labels)
    return _NOW.sub("", trouble.what.removesuffix(".").partition(": ")[0])


def acknowledged_message(
    cause: str, title: str, severity: Severity, alerts: Sequence[Alert], by: str, now_ms: int
) -> Message:
    """For those who were woken: somebody is on it. `title` is what they heard."""
    return Message(
        cause=cause,
        say=MessageKind.ACKNOWLEDGED,
        severity=severity,
        title=f"{title}: {by} is on it",
        lines=("Nobody else is called for it now.",),
        alerts=tuple(alert.key for alert in alerts),
        at_ms=now_ms,
    )


def resolved_message(
    cause: str, title: str, severity: Severity, key: str, told_ms: int, less: bool, now_ms: int
) -> Message:
    """For those who heard of it; `less` where it goes on, but not so that they would be told."""
    lasted = duration_text((now_ms - told_ms) / 1000)
    over = "It is over" if not less else f"It goes on, but is no longer {severity.value}"
    return Message(
        cause=cause,
        say=MessageKind.RESOLVED,
        severity=severity,
        title=f"{title}: {'no longer ' + severity.value if less else 'resolved'}",
        lines=(f"{over}; it was first told of {lasted} ago.",),
        alerts=(key,),
        at_ms=now_ms,
    )


def _in_words(message: Message, trouble: Trouble) -> Message:
    """A message with all that the page knows: who is hit, whose fault it is, what to do."""
    said = (trouble.callers, trouble.went), (trouble.fault,), (trouble.todo,)
    lines = (" ".join(part for part in parts if part) for parts in said)
    return msgspec.structs.replace(
        message,
        title=trouble.what.removesuffix("."),
        lines=tuple(line for line in lines if line),
        since_ms=message.since_ms if trouble.since_ms is None else trouble.since_ms,
        tell=trouble.tell,
        streams=trouble.streams,
        issue=trouble.issue,
    )


def _lines(alerts: Sequence[Alert]) -> Iterable[str]:
    # What a more severe rule says of the same figure need not be said again.
    alerts = list({(a.figure, a.labels): a for a in reversed(alerts)}.values())[::-1]
    for alert in alerts[:MOST_NAMED]:
        yield ": ".join(filter(None, (titled(alert.title, alert.labels), reading(alert)))) + "."
        members = [m for m in alert.members if m != alert.labels]
        for member in members[:MOST_NAMED]:
            yield "  " + ", ".join(f"{name} {text}" for name, text in member if text)
        if len(members) > MOST_NAMED:
            yield f"  and {len(members) - MOST_NAMED} more"
    if len(alerts) > MOST_NAMED:
        yield f"And {len(alerts) - MOST_NAMED} more."
    advice = dict.fromkeys(alert.advice for alert in alerts if alert.advice)
    for each in list(advice)[:2]:
        yield f"What to do: {each}."


def titled(title: str, labels: Labels) -> str:
    """A title with whom it is of: `A bot fails (Sales)`."""
    said = ", ".join(text for _, text in labels if text)
    return f"{title} ({said})" if said else title


def reading(alert: Alert) -> str:
    """The worst value so far in words: `80 % of 5`; empty where the title says all there is."""
    known = KNOWN.get(alert.figure)
    unit = known.unit if known is not None else ""
    if unit == "yes":
        return ""
    text = value_text(alert.value, unit)
    return f"{text} of {alert.cases}" if alert.cases is not None else text
