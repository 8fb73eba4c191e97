"""The time that a report is about."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from switchhook.reports.week import Stretch, stretch_of
from switchhook.web.parameters import RefusedParameter

IST = ZoneInfo("Asia/Kolkata")
BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone=IST) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


NOW = ms("2026-11-26T15:00")  # a Thursday


@pytest.mark.parametrize(
    ("week", "since", "until", "name"),
    [
        ("", "2026-11-16", "2026-11-23", "2026-W47"),
        ("last", "2026-11-16", "2026-11-23", "2026-W47"),
        ("this", "2026-11-23", "2026-11-30", "2026-W48"),
        ("2026-W01", "2025-12-29", "2026-01-05", "2026-W01"),
        ("2020W53", "2020-12-28", "2021-01-04", "2020-W53"),
    ],
)
def test_a_week_begins_on_its_monday(week, since, until, name):
    assert stretch_of(week, "", "", NOW, IST) == Stretch(ms(since), ms(until), name)


def test_a_week_is_as_long_as_its_zone_makes_it():
    found = stretch_of("2026-W13", "", "", NOW, BERLIN)  # the clocks go forward on its Sunday
    assert found.until_ms - found.since_ms == (7 * 24 - 1) * 3_600_000


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-11-20", "2026-11-22", (ms("2026-11-20"), ms("2026-11-22"))),
        ("2026-11-20T10:30", "", (ms("2026-11-20T10:30"), NOW)),
        ("", "2026-11-22", (ms("2026-11-15"), ms("2026-11-22"))),
        ("2d", "1d", (NOW - 2 * 86_400_000, NOW - 86_400_000)),
        (
            "2026-11-20T10:30:00Z",
            "",
            (int(datetime(2026, 11, 20, 10, 30, tzinfo=UTC).timestamp() * 1000), NOW),
        ),
    ],
)
def test_a_time_of_its_own(since, until, expected):
    assert stretch_of("", since, until, NOW, IST) == Stretch(*expected)


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        (("2026-W54", "", ""), "week"),
        (("2025-W53", "", ""), "week"),
        (("yesterday", "", ""), "week"),
        (("2026-W49", "", ""), "week"),
        (("9999-W53", "", ""), "week"),
        (("last", "2d", ""), "week"),
        (("", "soon", ""), "since"),
        (("", "", "2026-13-01"), "until"),
        (("", "1d", "2d"), "since"),
        (("", "2026-01-01", "2026-03-01"), "since"),
    ],
)
def test_what_is_no_time_is_refused(asked, parameter):
    week, since, until = asked
    with pytest.raises(RefusedParameter) as refused:
        stretch_of(week, since, until, NOW, IST)
    assert refused.value.parameter == parameter
    assert refused.value.hint
