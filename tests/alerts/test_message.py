"""What a message says."""

from __future__ import annotations

import pytest

from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.message import MessageKind, message_of, reading
from switchhook.metrics import KNOWN, duration_text, value_text


def test_words():
    assert [
        value_text(v, u) for v, u in ((0.8, "share"), (None, ""), (3, "count"), (1, "yes"))
    ] == [
        "80 %",
        "unknown",
        "3",
        "yes",
    ]
    assert [duration_text(s) for s in (40, 600, 7200, 200_000)] == [
        "40 s",
        "10 min",
        "2 h",
        "2 days",
    ]


@pytest.mark.parametrize("rule", DEFAULTS, ids=lambda rule: rule.name)
def test_what_fires_is_said_once_and_without_a_bare_yes(rule):
    """Where its figure is whether something is so, the title says that."""
    labels = tuple((name, "mumbai-2") for name in rule.group_by)
    alert = Alert(
        rule=rule.name, title=rule.title, figure=rule.figure, falling=rule.comparison.falling,
        severity=rule.severity, labels=labels, topic=rule.topic, advice=rule.advice,
        state=AlertState.FIRING, since_ms=0, value=1.0, cases=None, members=(), known_ms=0,
        fired_ms=0,
    )  # fmt: skip
    first, *_ = message_of("cause", MessageKind.FIRST, [alert], None, 0).lines
    assert not first.endswith((": yes.", ": no."))
    worth_saying = KNOWN[rule.figure].unit != "yes"
    assert (": " in first) is worth_saying
    assert bool(reading(alert)) is worth_saying
