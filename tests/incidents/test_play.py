"""A few of the incidents of docs/alerts.md: seen, told and ended within their bounds."""

from __future__ import annotations

import pytest

from incidents.healthy import Alarms, false_alarms
from incidents.incidents import INCIDENTS
from incidents.play import play

pytestmark = pytest.mark.slow
PLAYED = ("bot dead", "network down for 40 bots", "broken rules file")


@pytest.mark.parametrize("incident", [each for each in INCIDENTS if each.name in PLAYED])
def test_it_is_seen_told_and_over_in_time(incident):
    course = play(incident, 30)
    assert course.messages <= 3
    assert course.first_s is not None
    assert course.pager is not None
    assert course.over_s is not None
    assert course.over_s <= 120 or course.good <= 5
    if not incident.bad:
        assert course.red_s is None
        return
    assert course.red_s is not None
    assert course.red_s <= 20 or course.calls_to_red <= 10
    assert course.critical_s is not None
    assert course.critical_s <= course.red_s + 60
    assert course.pager.message.severity == "critical"


@pytest.mark.parametrize("per_minute", [1, 30])
def test_healthy_traffic_alarms_nobody(per_minute):
    assert false_alarms(per_minute, 0.02, 1) == Alarms(0, 0)
