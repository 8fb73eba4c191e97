"""Times without a zone are of the one that times are shown in."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from switchhook.cli import moments
from switchhook.cli.moments import with_zone

NOW = 1_795_000_000_000


@pytest.fixture(autouse=True)
def singapore(monkeypatch):
    monkeypatch.setattr(moments, "own_zone", lambda: timezone(timedelta(hours=8), "+08"))


@pytest.mark.parametrize(
    "text, utc",
    [
        ("2026-11-29 11:00", "2026-11-29T03:00:00Z"),
        ("2026-11-29T11:00:07", "2026-11-29T03:00:07Z"),
        ("2026-11-29", "2026-11-28T16:00:00Z"),
        ("yesterday", "2026-11-16T16:00:00Z"),
        ("yesterday 21:30", "2026-11-17T13:30:00Z"),
        ("17 Nov 21:30:05", "2026-11-17T13:30:05Z"),
        ("2 hours ago", "2026-11-18T09:06:40Z"),
        ("2026-11-29T11:00:00+05:30", "2026-11-29T05:30:00Z"),
        ("0001-01-01", "1970-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+00:01", "1970-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59-00:01", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time(text, utc):
    assert datetime.fromisoformat(with_zone(text, NOW)) == datetime.fromisoformat(utc)


@pytest.mark.parametrize("text", ["2h", "90s", "2026-11-29T03:00:00Z", "noon", "", "2026-13-45"])
def test_what_has_its_zone_or_is_none_stays(text):
    assert with_zone(text, NOW) == text


def test_until_a_day_is_until_its_end():
    assert with_zone("2026-11-17", NOW, end=True) == "2026-11-17T16:00:00.000Z"
    assert with_zone("yesterday 21:30", NOW, end=True) == "2026-11-17T13:30:00.000Z"
