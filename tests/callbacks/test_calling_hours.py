"""When people may be called: in their own zone, within hours and on days."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from callbacks.promised import IST, NUMBER, ist, shown
from switchhook.callbacks.calling_hours import (
    day_begins_ms,
    next_day_ms,
    opens_ms,
    times_of,
    zones_of,
)
from switchhook.callbacks.settings import HOURS, CallbackSettings, CallingHours

DEFAULT = HOURS["default"]


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ((5, 8, 59), "Mon 09:00"),
        ((5, 9), "Mon 09:00"),
        ((5, 20, 59), "Mon 20:59"),
        ((5, 21), "Tue 09:00"),
        ((6, 0), "Tue 09:00"),
    ],
)
def test_within_the_hours_that_is_now_and_else_when_they_begin(at, opens):
    assert shown(opens_ms(DEFAULT, (IST,), ist(*at))) == opens


def test_a_day_on_which_nobody_is_called_is_passed_over():
    weekdays = CallingHours(days=(0, 1, 2, 3, 4))
    assert shown(opens_ms(weekdays, (IST,), ist(9, 21))) == "Mon 09:00"


def test_hours_that_never_open_have_no_moment():
    assert opens_ms(CallingHours(days=()), (IST,), ist(5, 12)) is None


def test_hours_may_end_at_midnight():
    late = CallingHours(9 * 60, 24 * 60)
    assert shown(opens_ms(late, (IST,), ist(5, 23, 59))) == "Mon 23:59"
    assert shown(opens_ms(late, (IST,), ist(6, 0))) == "Tue 09:00"


def test_where_clocks_are_changed_the_hours_are_those_of_the_wall():
    berlin = ZoneInfo("Europe/Berlin")
    before = opens_ms(DEFAULT, (berlin,), ist(5, 5))
    summer = opens_ms(DEFAULT, (berlin,), ist(5, 5) + 150 * 86_400_000)
    assert before is not None
    assert summer is not None
    assert (summer - before) % 86_400_000 == 23 * 3_600_000


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        (NUMBER, "Asia/Calcutta"),
        ("+6281234567890", "Asia/Jakarta"),
        ("words", "Asia/Kolkata"),
        ("+88312345678901", "Asia/Kolkata"),
    ],
)
def test_the_zone_is_the_numbers_own_where_it_has_one(number, zone):
    assert [each.key for each in zones_of(number, "Asia/Kolkata")] == [zone]


SYDNEY, LONDON = "+61412345678", "+447400123456"
PERTH_ZONE, SYDNEY_ZONE = ZoneInfo("Australia/Perth"), ZoneInfo("Australia/Sydney")


@pytest.mark.parametrize(
    ("number", "at", "opens"),
    [
        # 20:59 in India is 2:29 the next day in Sydney and 15:29 in London.
        (LONDON, (5, 20, 59), "Mon 20:59"),
        (LONDON, (6, 9), "Tue 14:30"),
        (LONDON, (6, 2), "Tue 02:00"),
        # 9:00 on Cocos Island (6:30) until 21:00 on Lord Howe (in summer 11:00).
        (SYDNEY, (5, 20, 59), "Tue 08:00"),
        (SYDNEY, (6, 15, 29), "Tue 15:29"),
        (SYDNEY, (6, 15, 31), "Wed 08:00"),
    ],
)
def test_who_may_be_in_several_zones_is_called_when_it_is_day_in_all(number, at, opens):
    zones = zones_of(number, "Asia/Kolkata")
    assert len(zones) > 1
    assert shown(opens_ms(DEFAULT, zones, ist(*at))) == opens


def test_a_promise_abroad_is_due_and_over_by_the_hours_there():
    settings = CallbackSettings(within_s=4 * 3600, delay_s=60)
    found = times_of(settings, LONDON, ist(6, 9))
    assert tuple(map(shown, found)) == ("Tue 14:30", "Tue 18:30")


def test_the_day_of_who_may_be_in_several_zones_is_over_once_it_is_in_all():
    zones = (PERTH_ZONE, SYDNEY_ZONE)
    at = ist(5, 12)  # 14:30 in Perth, 17:30 in Sydney
    assert shown(day_begins_ms(zones, at)) == "Sun 18:30"
    assert shown(next_day_ms(DEFAULT, zones, at)) == "Tue 06:30"
    # Midnight has passed in Sydney, and not in Perth.
    assert shown(day_begins_ms(zones, ist(5, 20))) == "Sun 21:30"
    assert shown(next_day_ms(DEFAULT, zones, ist(5, 20))) == "Wed 06:30"


def test_zones_too_far_apart_have_no_hours_in_common():
    zones = (ZoneInfo("Pacific/Honolulu"), ZoneInfo("Pacific/Guam"))
    evening = CallingHours(19 * 60, 21 * 60)
    assert opens_ms(evening, zones, ist(5, 12)) is None


def test_the_day_is_the_callees():
    assert day_begins_ms((IST,), ist(5, 0)) == day_begins_ms((IST,), ist(5, 23, 59)) == ist(5, 0)
    assert next_day_ms(DEFAULT, (IST,), ist(5, 12)) == ist(6, 9)


@pytest.mark.parametrize(
    ("made", "due", "until"),
    [
        ((5, 12), "Mon 12:01", "Mon 16:00"),
        ((5, 20, 50), "Mon 20:51", "Tue 12:50"),
        ((5, 20, 59), "Tue 09:00", "Tue 12:59"),
        ((5, 23), "Tue 09:00", "Tue 13:00"),
    ],
)
def test_the_time_of_a_promise_is_counted_while_people_may_be_called(made, due, until):
    found = times_of(CallbackSettings(within_s=4 * 3600, delay_s=60), NUMBER, ist(*made))
    assert tuple(map(shown, found)) == (due, until)


def test_a_promise_that_never_may_be_kept_is_over_without_being_due():
    settings = CallbackSettings(hours=CallingHours(days=()), within_s=3600)
    made = ist(5, 12)
    assert times_of(settings, NUMBER, made) == (made + 3_600_000, made + 3_600_000)
