"""Alerts: rules on figures, and when one is pending, firing or resolved.

`evaluate` gives only what changed. A figure that is unknown, and one without cases, is neither
failure nor recovery: the alert stays what it was.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert_rule import AlertRule, Severity
from switchhook.metrics import KNOWN, OTHER, Figure, Labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_GROUPS = 100
"""Alerts of one rule: what labels come from outside beyond that are one group, `other`."""
MOST_MEMBERS = 20
LAPSE_MS = 24 * 3_600_000
"""An alert ends when nothing was known of its figures for so long."""
_KNOWN_EVERY_MS = 600_000
_WORSENED = 1.1


class AlertState(StrEnum):
    """Pending until it lasted, then firing, then resolved; a pending one may just end."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Event(StrEnum):
    """What an evaluation finds of an alert."""

    BREACHED = "breached"
    LASTED = "lasted"
    """Breached for as long as the rule asks."""
    CLEARED = "cleared"
    STAYED_CLEAR = "stayed clear"
    """Clear for as long as the rule asks."""
    LAPSED = "lapsed"
    """Nothing was known for a day, or the rule is gone, or what it was of."""


NEXT = {
    (AlertState.RESOLVED, Event.BREACHED): AlertState.PENDING,
    (AlertState.RESOLVED, Event.LASTED): AlertState.FIRING,
    (AlertState.PENDING, Event.BREACHED): AlertState.PENDING,
    (AlertState.PENDING, Event.LASTED): AlertState.FIRING,
    (AlertState.PENDING, Event.CLEARED): AlertState.RESOLVED,
    (AlertState.PENDING, Event.STAYED_CLEAR): AlertState.RESOLVED,
    (AlertState.PENDING, Event.LAPSED): AlertState.RESOLVED,
    (AlertState.FIRING, Event.BREACHED): AlertState.FIRING,
    (AlertState.FIRING, Event.LASTED): AlertState.FIRING,
    (AlertState.FIRING, Event.CLEARED): AlertState.FIRING,
    (AlertState.FIRING, Event.STAYED_CLEAR): AlertState.RESOLVED,
    (AlertState.FIRING, Event.LAPSED): AlertState.RESOLVED,
}
"""Every move there is. What is resolved stays so until it is breached again, as a new alert."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's alert for one group. Times are Unix ms.

    `labels` are the group's, sorted; `members` those of the figures that breached, worst first.
    `value` is the worst so far, to a tenth, `cases` how many it is made of. `since_ms` is when the
    breach began, by the figure itself where it knows; `known_ms` when something was last said of
    its figures, to ten minutes; `unknown_ms` since when they are unknown, where they say so: of a
    node that is away nobody knows whether it ended.
    """

    rule: str
    title: str
    figure: str
    falling: bool
    severity: Severity
    labels: Labels
    topic: str
    advice: str
    state: AlertState
    since_ms: int
    value: float
    cases: int | None
    members: tuple[Labels, ...]
    known_ms: int
    unknown_ms: int | None = None
    fired_ms: int | None = None
    clear_ms: int | None = None
    resolved_ms: int | None = None
    lapsed: bool = False
    acknowledged: str = ""
    inhibited_by: str = ""

    @property
    def key(self) -> str:
        """What tells it from every other."""
        return named(self.rule, self.labels)

    @property
    def id(self) -> str:
        """The same, short and harmless, for addresses and forms."""
        return hashlib.blake2b(self.key.encode(errors="surrogatepass"), digest_size=8).hexdigest()

    @property
    def cause(self) -> str:
        """What it is a sign of: alerts of one cause are told of together."""
        return named(self.topic or self.rule, self.labels)

    @property
    def inhibitor(self) -> str:
        """The cause that tells of it already, where it does; empty where none can."""
        return named(self.inhibited_by, self.labels) if self.inhibited_by else ""

    @property
    def firing(self) -> bool:
        return self.state is AlertState.FIRING


def named(name: str, labels: Labels) -> str:
    """A name with its labels: `bot-failing{bot=Sales}`."""
    if not labels:
        return name
    return f"{name}{{{','.join(f'{key}={text}' for key, text in sorted(labels))}}}"


def evaluate(
    rules: Sequence[AlertRule],
    figures: Iterable[Figure],
    states: Mapping[str, Alert],
    now_ms: int,
) -> tuple[Alert, ...]:
    """The alerts that changed, by rules and the figures as they are now.

    `states` are the alerts so far by key. A pending alert that ends comes back resolved without a
    `fired_ms`: nobody needs to hear of it.
    """
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    changed: list[Alert] = []
    judged: set[str] = set()
    for rule in rules:
        for labels, group in _groups(rule, by_name.get(rule.figure, ()), states).items():
            key = named(rule.name, labels)
            judged.add(key)
            before = states.get(key)
            after = _judge(rule, labels, group, before, now_ms)
            if after is not None and after != before:
                changed.append(after)
    for key, alert in states.items():
        if key not in judged and alert.state is not AlertState.RESOLVED:
            changed.append(_ended(alert, Event.LAPSED, now_ms))
    return tuple(changed)


def joined(changed: Iterable[Alert], live: Iterable[Alert]) -> tuple[Alert, ...]:
    """What changed, with what is new on the word of who is on the same cause already."""
    on_it = {alert.cause: alert.acknowledged for alert in live if alert.acknowledged}
    return tuple(
        msgspec.structs.replace(alert, acknowledged=on_it[alert.cause])
        if alert.cause in on_it and not alert.acknowledged
        else alert
        for alert in changed
    )


def _groups(
    rule: AlertRule, figures: Sequence[Figure], states: Mapping[str, Alert]
) -> dict[Labels, list[Figure]]:
    """A rule's figures by group, and its live alerts of which nothing is heard."""
    found: dict[Labels, list[Figure]] = {}
    live = {
        alert.labels: alert
        for alert in states.values()
        if alert.rule == rule.name and alert.state is not AlertState.RESOLVED
    }
    for figure in figures:
        labels = tuple(sorted(pair for pair in figure.labels if pair[0] in rule.group_by))
        found.setdefault(labels, []).append(figure)
    if len(found) > MOST_GROUPS:
        found = _bounded(rule, found, live)
    for labels in live:
        found.setdefault(labels, [])
    return found


def _bounded(
    rule: AlertRule, found: dict[Labels, list[Figure]], live: Mapping[Labels, Alert]
) -> dict[Labels, list[Figure]]:
    """Of too many groups the live ones and those with most cases; the rest as one."""
    rest: Labels = tuple(sorted((name, OTHER) for name in rule.group_by))
    busiest = sorted(
        found,
        key=lambda labels: (labels not in live, -sum(f.cases or 0 for f in found[labels]), labels),
    )
    kept = {labels: found[labels] for labels in busiest[: MOST_GROUPS - 1]}
    for labels in busiest[MOST_GROUPS - 1 :]:
        kept.setdefault(rest, []).extend(found[labels])
    return kept


class _Look(msgspec.Struct, frozen=True):
    """What a group's figures say: breached, cleared or (in between) neither."""

    breached: bool
    cleared: bool
    value: float = 0.0
    cases: int | None = None
    members: tuple[Labels, ...] = ()
    since_ms: int | None = None


def _look(rule: AlertRule, figures: Sequence[Figure], before: Alert | None) -> _Look | None:
    """None where nothing is known that would say either."""
    worst_first = sorted(
        (f for f in figures if f.value is not None and _enough(f, rule.least_cases)),
        key=lambda f: ((f.value or 0.0) * (1 if rule.comparison.falling else -1), f.labels),
    )
    breaching = [f for f in worst_first if rule.breached(f.value or 0.0)]
    if breaching:
        worst = breaching[0]
        members = tuple(dict.fromkeys(tuple(sorted(f.labels)) for f in breaching))
        began = [f.since_ms for f in breaching if f.since_ms is not None]
        since_ms = min(began, default=None)
        return _Look(True, False, worst.value or 0.0, worst.cases, members[:MOST_MEMBERS], since_ms)
    least = rule.least_cases // 2
    known = {
        tuple(sorted(f.labels)): f.value
        for f in figures
        if f.value is not None and _enough(f, least)
    }
    needed = before.members if before is not None and before.members else tuple(known)
    if not needed or not all(labels in known for labels in needed):
        return None
    return _Look(False, all(rule.cleared(known[labels]) for labels in needed))


def _enough(figure: Figure, least: int) -> bool:
    return figure.cases is None or figure.cases >= max(least, 1)


def _judge(
    rule: AlertRule,
    labels: Labels,
    figures: Sequence[Figure],
    before: Alert | None,
    now_ms: int,
) -> Alert | None:
    live = before if before is not None and before.state is not AlertState.RESOLVED else None
    if figures and all(figure.gone for figure in figures):
        return None if live is None else _ended(live, Event.LAPSED, now_ms)
    look = _look(rule, figures, live)
    if look is not None and look.breached:
        return _breached(rule, labels, look, live, now_ms)
    if live is None:
        return None
    if look is None:
        return _unknown(live, figures, now_ms)
    live = _known(live, now_ms)
    if not look.cleared:
        return msgspec.structs.replace(live, clear_ms=None)
    clear_ms = live.clear_ms if live.clear_ms is not None else now_ms
    stayed = now_ms - clear_ms >= rule.clear_for_s * 1000
    event = Event.STAYED_CLEAR if stayed else Event.CLEARED
    if NEXT[live.state, event] is AlertState.RESOLVED:
        return _ended(live, event, now_ms)
    return msgspec.structs.replace(live, clear_ms=clear_ms)


def _breached(
    rule: AlertRule, labels: Labels, look: _Look, live: Alert | None, now_ms: int
) -> Alert:
    seen_ms = now_ms if look.since_ms is None else look.since_ms
    since_ms = live.since_ms if live is not None else seen_ms
    lasted = now_ms - since_ms >= rule.for_s * 1000
    event = Event.LASTED if lasted else Event.BREACHED
    state = NEXT[live.state if live is not None else AlertState.RESOLVED, event]
    if live is None:
        return Alert(
            rule=rule.name,
            title=rule.title,
            figure=rule.figure,
            falling=rule.comparison.falling,
            severity=rule.severity,
            labels=labels,
            topic=rule.topic,
            advice=rule.advice,
            state=state,
            since_ms=since_ms,
            value=look.value,
            cases=look.cases,
            members=look.members,
            known_ms=now_ms,
            fired_ms=now_ms if state is AlertState.FIRING else None,
            inhibited_by=rule.inhibited_by,
        )
    worse = _worsened(live, look.value)
    return msgspec.structs.replace(
        _known(live, now_ms),
        state=state,
        fired_ms=now_ms if state is AlertState.FIRING and not live.firing else live.fired_ms,
        clear_ms=None,
        value=look.value if worse else live.value,
        cases=look.cases if worse else live.cases,
        members=tuple(dict.fromkeys((*live.members, *look.members)))[:MOST_MEMBERS],
    )


def _worsened(alert: Alert, value: float) -> bool:
    if alert.falling:
        return value < alert.value and value * _WORSENED <= alert.value
    return value > alert.value and value >= alert.value * _WORSENED


def _known(alert: Alert, now_ms: int, unknown_ms: int | None = None) -> Alert:
    said = now_ms - alert.known_ms < _KNOWN_EVERY_MS
    if said and (alert.unknown_ms is None) == (unknown_ms is None):
        return alert
    if alert.unknown_ms is not None and unknown_ms is not None:
        unknown_ms = alert.unknown_ms  # each look gives it a little otherwise
    return msgspec.structs.replace(alert, known_ms=now_ms, unknown_ms=unknown_ms)


def _unknown(alert: Alert, figures: Sequence[Figure], now_ms: int) -> Alert:
    """An alert of which nothing is known: it lapses, unless its figures say since when."""
    since = [f.since_ms for f in figures if f.value is None and f.since_ms is not None]
    if since:
        return _known(alert, now_ms, min(since))
    if now_ms - alert.known_ms >= LAPSE_MS:
        return _ended(alert, Event.LAPSED, now_ms)
    return alert


def _ended(alert: Alert, event: Event, now_ms: int) -> Alert:
    return msgspec.structs.replace(
        alert,
        state=NEXT[alert.state, event],
        resolved_ms=now_ms,
        clear_ms=None,
        lapsed=event is Event.LAPSED,
    )


def much_worse(alert: Alert, said: float) -> bool:
    """Whether an alert is much worse than when its value was as it was said."""
    if alert.falling:
        return alert.value <= said / 2 and alert.value < said
    known = KNOWN.get(alert.figure)
    if known is not None and known.unit == "share":
        return alert.value >= min(2 * said, (1 + said) / 2 + 0.2) and alert.value > said
    return alert.value >= 3 * said and alert.value >= said + 10
