"""Alerts, silences and what was sent as the JSON objects of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import KNOWN, value_text
from switchhook.web.json import Json, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.alerts.alert import Alert
    from switchhook.alerts.alert_rule import AlertRule
    from switchhook.alerts.book import SentMessage
    from switchhook.alerts.engine import Alerting
    from switchhook.alerts.quiet import Silence
    from switchhook.metrics import Figure, Labels

MOST_RESOLVED, MOST_SENT = 50, 100
MATCHED = ("rule", *sorted({label for known in KNOWN.values() for label in known.labels}))
"""What a silence may go by: the rule, and every label of a figure."""
LONGEST_S = 30 * 86_400
"""The longest silence."""


class RuleReading:
    """A rule as it is looked at: the rule, and its figure that is worst just now."""

    def __init__(self, rule: AlertRule, figures: Sequence[Figure]) -> None:
        self.rule = rule
        known = [figure for figure in figures if figure.value is not None]
        self.figure = max(
            known,
            key=lambda f: (-1 if rule.comparison.falling else 1) * (f.value or 0.0),
            default=None,
        )
        self.others = max(len(figures) - 1, 0)

    @property
    def unit(self) -> str:
        known = KNOWN.get(self.rule.figure)
        return known.unit if known is not None else ""

    @property
    def text(self) -> str:
        """Its value in words; empty where nothing is known."""
        if self.figure is None:
            return ""
        return value_text(self.figure.value, self.unit)

    @property
    def limit(self) -> str:
        """What it must not be."""
        if self.unit == "yes":
            return "yes"
        return f"{self.rule.comparison.value} {value_text(self.rule.threshold, self.unit)}"


def readings(rules: Iterable[AlertRule], figures: Iterable[Figure]) -> list[RuleReading]:
    """Each rule with its figures as they are."""
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    return [RuleReading(rule, by_name.get(rule.figure, [])) for rule in rules]


def alerts_json(engine: Alerting) -> Json:
    """Everything about alerts."""
    heartbeat = engine.heartbeat
    return {
        "alerts": [alert_json(each) for each in engine.alerts],
        "resolved": [alert_json(each) for each in engine.book.resolved(MOST_RESOLVED)],
        "silences": [silence_json(each) for each in engine.silences],
        "sent": [_sent(each) for each in engine.book.sent(MOST_SENT)],
        "rules": [_rule(each) for each in readings(engine.rules, engine.figures)],
        "destinations": [
            {"name": to.name, "severities": [each.value for each in to.severities]}
            for to in engine.destinations.recipients
        ],
        "policies": [
            {
                "name": each.name,
                "steps": [list(step) for step in each.steps],
                "wait_s": each.wait_ms // 1000,
                "repeat": each.repeat,
                "match": _labels(each.match),
            }
            for each in engine.destinations.policies
        ],
        "evaluated_at": _time(engine.evaluated_ms),
        "problems": list(engine.problems),
        "heartbeat": None
        if heartbeat is None
        else {"beat_at": _time(heartbeat.beat_ms), "problem": heartbeat.problem or None},
    }


def alert_json(alert: Alert) -> Json:
    """One alert."""
    return {
        "id": alert.id,
        "rule": alert.rule,
        "title": alert.title,
        "state": alert.state.value,
        "severity": alert.severity.value,
        "labels": _labels(alert.labels),
        "members": [_labels(each) for each in alert.members],
        "figure": alert.figure,
        "value": alert.value,
        "cases": alert.cases,
        "since": _time(alert.since_ms),
        "unknown_since": _time(alert.unknown_ms),
        "fired_at": _time(alert.fired_ms),
        "resolved_at": _time(alert.resolved_ms),
        "lapsed": alert.lapsed,
        "acknowledged_by": alert.acknowledged or None,
        "advice": alert.advice,
    }


def silence_json(silence: Silence) -> Json:
    """A silence."""
    return {
        "id": silence.id,
        "matcher": _labels(silence.matcher),
        "since": _time(silence.since_ms),
        "until": _time(silence.until_ms),
        "reason": silence.reason,
        "by": silence.by,
    }


def _sent(sent: SentMessage) -> Json:
    message, delivery = sent.message, sent.delivery
    return {
        "id": delivery.public_id,
        "at": _time(message.at_ms),
        "destination": delivery.destination,
        "say": message.say.value,
        "severity": message.severity.value,
        "title": message.title,
        "lines": list(message.lines),
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "done_at": _time(delivery.done_ms),
        "problem": delivery.problem or None,
    }


def _rule(reading: RuleReading) -> Json:
    rule, figure = reading.rule, reading.figure
    return {
        "name": rule.name,
        "title": rule.title,
        "figure": rule.figure,
        "comparison": rule.comparison.value,
        "threshold": rule.threshold,
        "for_s": rule.for_s,
        "severity": rule.severity.value,
        "group_by": list(rule.group_by),
        "least_cases": rule.least_cases,
        "advice": rule.advice,
        "now": None
        if figure is None
        else {
            "value": figure.value,
            "cases": figure.cases,
            "labels": _labels(figure.labels),
            "at": _time(figure.at_ms),
        },
    }


def _labels(labels: Labels) -> Json:
    return dict(labels)


def _time(ms: int | None) -> str | None:
    return None if ms is None else time_of(ms * 1000)
