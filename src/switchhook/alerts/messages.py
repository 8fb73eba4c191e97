"""What is said of alerts, and when: one message for a cause, and not at night without need.

Everything follows from how things stand and what was said of them, so a restart neither repeats
nor forgets. A cause speaks first, once more when it is much worse, and when it is resolved.

By day a cause is silent for half an hour after it said that it is resolved. At night it speaks
three times at most; what is to be said beyond that waits for the morning, and is said if it still
holds. In quiet hours only critical alerts speak. A silence mutes everything but "resolved", which
is always said for what was said.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from switchhook.alerts.alert import Alert, Severity, much_worse
from switchhook.exotel.times import EPOCH
from switchhook.metrics import KNOWN, Labels, duration_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchhook.troubles.trouble import Trouble

MOST_A_NIGHT = 3
REPEAT_MS = 30 * 60_000
MOST_NAMED = 5
_NIGHT = (22 * 60, 7 * 60)


class Quiet(msgspec.Struct, frozen=True):
    """When people sleep, in minutes of their day; `hours` is None where nothing is to be quiet.

    Nights are counted all the same, from 22:00 to 07:00.
    """

    hours: tuple[int, int] | None = None
    zone: str = "Asia/Kolkata"

    def night(self, now_ms: int) -> str:
        """The day on whose evening the night began that a time is in; empty by day."""
        begin, end = self.hours or _NIGHT
        local = (EPOCH + timedelta(milliseconds=now_ms)).astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        if begin <= end:
            return local.date().isoformat() if begin <= minute < end else ""
        if minute >= begin:
            return local.date().isoformat()
        return (local.date() - timedelta(days=1)).isoformat() if minute < end else ""

    def quiet(self, now_ms: int) -> bool:
        """Whether only what is critical may speak."""
        return self.hours is not None and bool(self.night(now_ms))


class Silence(msgspec.Struct, frozen=True):
    """Mutes the alerts that match every pair, `rule` or a label by a pattern, until a time."""

    id: int
    matcher: Labels
    since_ms: int
    until_ms: int
    reason: str
    by: str

    def covers(self, alert: Alert, now_ms: int) -> bool:
        if not self.since_ms <= now_ms < self.until_ms:
            return False
        said = {**dict(alert.labels), "rule": alert.rule}
        return all(fnmatchcase(said.get(name, ""), pattern) for name, pattern in self.matcher)


class MessageKind(StrEnum):
    """Which of its messages a cause speaks."""

    FIRST = "first"
    WORSE = "worse"
    RESOLVED = "resolved"
    TEST = "test"


class LastNotification(msgspec.Struct, frozen=True, kw_only=True):
    """The last that a cause said; `told` how many times in `night`, `worse` whether it said so.

    `key` and `value` are of the alert that was told of, `severities` all that were since it began.
    """

    cause: str
    say: MessageKind
    severity: Severity
    key: str
    title: str
    labels: Labels
    value: float
    at_ms: int
    severities: tuple[Severity, ...] = ()
    worse: bool = False
    night: str = ""
    told: int = 0

    @property
    def open(self) -> bool:
        """Whether people believe that it goes on."""
        return self.say in (MessageKind.FIRST, MessageKind.WORSE)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message; `alerts` are the keys of those that it tells of. All text is plain.

    It is for those who hear of any of `severities`: who heard of the beginning hears of the end.
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
    severities: tuple[Severity, ...] = ()
    since_ms: int | None = None
    tell: str = ""
    streams: str = ""
    issue: str = ""


def is_over(message: Message, last: LastNotification | None) -> bool:
    """Whether the trouble that a message tells of has ended, by the last that its cause said.

    Whoever says that something begins after that has said, in between, that it is over.
    """
    return (
        message.say in (MessageKind.FIRST, MessageKind.WORSE)
        and last is not None
        and last.at_ms > message.at_ms
        and last.say in (MessageKind.FIRST, MessageKind.RESOLVED)
    )


def messages(
    alerts: Iterable[Alert],
    spoken: Mapping[str, LastNotification],
    silences: Sequence[Silence],
    quiet: Quiet,
    now_ms: int,
    troubles: Mapping[str, Trouble | None] | None = None,
) -> tuple[tuple[Message, LastNotification], ...]:
    """What is to be said now, each with what to remember of it; `spoken` is by cause.

    `troubles` are what is known of alerts in words, by their keys.
    """
    firing: dict[str, list[Alert]] = {}
    for alert in alerts:
        if alert.firing:
            firing.setdefault(alert.cause, []).append(alert)
    opened = {cause for cause, last in spoken.items() if last.open}
    found: list[tuple[Message, LastNotification]] = []
    for cause in sorted(firing.keys() | opened):
        last = spoken.get(cause)
        going = sorted(firing.get(cause, ()), key=lambda a: (-a.severity.rank, a.since_ms, a.key))
        may_speak = [
            alert
            for alert in going
            if not any(silence.covers(alert, now_ms) for silence in silences)
            and (alert.severity is Severity.CRITICAL or not quiet.quiet(now_ms))
        ]
        say = _say(last, going, may_speak, now_ms)
        if say is None or not _allowed(say, last, quiet, now_ms):
            continue
        message, after = _spoken(cause, say, last, may_speak, quiet, now_ms)
        trouble = (troubles or {}).get(after.key)
        if trouble is not None and say is not MessageKind.RESOLVED:
            message = _in_words(message, trouble)
            heard = message.title.partition(": ")[0]  # so "resolved" is of what people heard
            after = msgspec.structs.replace(after, title=heard, labels=())
        found.append((message, after))
    return tuple(found)


def _say(
    last: LastNotification | None, going: Sequence[Alert], may_speak: Sequence[Alert], now_ms: int
) -> MessageKind | None:
    """What a cause has to say, as things stand."""
    if last is None or not last.open:
        rested = last is None or abs(now_ms - last.at_ms) >= REPEAT_MS
        return MessageKind.FIRST if may_speak and rested else None
    if not going:
        return MessageKind.RESOLVED
    if not last.worse and any(_is_worse(alert, last) for alert in may_speak):
        return MessageKind.WORSE
    return None


def _is_worse(alert: Alert, last: LastNotification) -> bool:
    if alert.acknowledged:
        return False
    if alert.severity.rank > last.severity.rank:
        return True
    return alert.key == last.key and much_worse(alert, last.value)


def _allowed(say: MessageKind, last: LastNotification | None, quiet: Quiet, now_ms: int) -> bool:
    """Whether it may be said now, or waits for the morning."""
    night = quiet.night(now_ms)
    if not night or last is None:
        return True
    if last.night == night and last.told >= MOST_A_NIGHT:
        return False
    wakes = last.severity is Severity.CRITICAL or not quiet.quiet(now_ms)
    return wakes or say is not MessageKind.RESOLVED


def _spoken(
    cause: str,
    say: MessageKind,
    last: LastNotification | None,
    told: Sequence[Alert],
    quiet: Quiet,
    now_ms: int,
) -> tuple[Message, LastNotification]:
    night = quiet.night(now_ms)
    before = last.told if last is not None and last.night == night else 0
    if say is MessageKind.RESOLVED:
        assert last is not None
        after = msgspec.structs.replace(
            last, say=say, at_ms=now_ms, worse=False, night=night, told=before + 1
        )
        return _resolved(last, now_ms), after
    head = told[0]
    heard = {head.severity, *(last.severities if last is not None and last.open else ())}
    severities = tuple(sorted(heard, key=_rank))
    after = LastNotification(
        cause=cause,
        say=say,
        severity=severities[-1],
        severities=severities,
        key=head.key,
        title=head.title,
        labels=head.labels,
        value=head.value,
        at_ms=now_ms,
        worse=say is MessageKind.WORSE,
        night=night,
        told=before + 1,
    )
    return _message(cause, say, told, now_ms), after


def _message(cause: str, say: MessageKind, told: Sequence[Alert], now_ms: int) -> Message:
    head = told[0]
    return Message(
        cause=cause,
        say=say,
        severity=head.severity,
        title=_titled(head.title, head.labels, "much worse" if say is MessageKind.WORSE else ""),
        lines=tuple(_lines(told)),
        alerts=tuple(alert.key for alert in told),
        at_ms=now_ms,
        severities=(head.severity,),
    )


def _in_words(message: Message, trouble: Trouble) -> Message:
    """A message with all that the page knows: who is hit, whose fault it is, what to do."""
    said = (trouble.callers, trouble.went), (trouble.fault,), (trouble.todo,)
    lines = (" ".join(part for part in parts if part) for parts in said)
    return msgspec.structs.replace(
        message,
        title=trouble.what.removesuffix("."),
        lines=tuple(line for line in lines if line),
        since_ms=trouble.since_ms,
        tell=trouble.tell,
        streams=trouble.streams,
        issue=trouble.issue,
    )


def _resolved(last: LastNotification, now_ms: int) -> Message:
    lasted = duration_text((now_ms - last.at_ms) / 1000)
    return Message(
        cause=last.cause,
        say=MessageKind.RESOLVED,
        severity=last.severity,
        title=_titled(last.title, last.labels, "resolved"),
        lines=(f"It is over; it was last told of {lasted} ago.",),
        alerts=(last.key,),
        at_ms=now_ms,
        severities=last.severities,
    )


def _lines(alerts: Sequence[Alert]) -> Iterable[str]:
    # What a more severe rule says of the same figure need not be said again.
    alerts = list({(a.figure, a.labels): a for a in reversed(alerts)}.values())[::-1]
    for alert in alerts[:MOST_NAMED]:
        yield f"{_titled(alert.title, alert.labels)}: {reading(alert)}."
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


def _titled(title: str, labels: Labels, what: str = "") -> str:
    said = ", ".join(text for _, text in labels if text)
    title = f"{title} ({said})" if said else title
    return f"{title}: {what}" if what else title


def reading(alert: Alert) -> str:
    """The worst value so far in words: `80 % of 5`."""
    known = KNOWN.get(alert.figure)
    text = value_text(alert.value, known.unit if known is not None else "")
    return f"{text} of {alert.cases}" if alert.cases is not None else text


def _rank(severity: Severity) -> int:
    return severity.rank
