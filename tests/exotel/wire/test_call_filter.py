"""Which calls a list is asked for: filters are read, and a wrong one is named."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.call_filter import CallFilter, build_filter, read_filter
from switchhook.exotel.wire.query import parse_pairs
from switchhook.exotel.wire.rest_error import RestError


def test_nothing_said_is_a_page_of_all():
    assert read_filter([]) == CallFilter()


def test_filters_are_read():
    assert read_filter(
        [
            ("DateCreated", "gte:2026-01-05 10:00:00; lte:2026-01-06 00:00:00"),
            ("Status", "completed"),
            ("Direction", ""),
            ("PageSize", "100"),
            ("From", "+919811100001,+919811100002"),
            ("PhoneNumber", "+918047112233"),
        ]
    ) == CallFilter(
        from_="+919811100001,+919811100002",
        phone_number="+918047112233",
        created_from=datetime(2026, 1, 5, 10),
        created_to=datetime(2026, 1, 6),
        status="completed",
        page_size=100,
    )


@pytest.mark.parametrize(
    "name, text",
    [
        ("DateCreated", "2026-01-05"),
        ("DateCreated", "gte:yesterday"),
        ("DateCreated", "gte:2026-01-01 00:00:00;lte:2026-03-01 00:00:00"),
        ("PageSize", "0"),
        ("PageSize", "101"),
        ("PageSize", "many"),
        ("PageSize", "0000000019999"),
        ("PageSize", "9" * 5000),
        ("From", "1,2,3,4,5,6"),
        ("PhoneNumber", "1,2,3,4,5,6"),
    ],
)
def test_a_refusal_names_the_filter(name, text):
    found = read_filter([(name, text)])
    assert isinstance(found, RestError)
    assert found.message.startswith(f"Invalid parameter {name}: got ")


WORD = st.none() | st.sampled_from(["completed", "outbound-api", "+919811100001", "a&b=c"])
FIRST = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 15)).map(
    lambda at: at.replace(microsecond=0)
)
LAST = st.datetimes(datetime(2026, 1, 16), datetime(2026, 1, 31)).map(
    lambda at: at.replace(microsecond=0)
)


@given(
    st.builds(
        CallFilter,
        created_from=st.none() | FIRST,
        created_to=st.none() | LAST,
        status=WORD,
        direction=WORD,
        from_=WORD,
        to=WORD,
        phone_number=WORD,
        before=WORD,
        after=WORD,
        page_size=st.integers(1, 100),
    )
)
def test_what_is_built_is_read(wanted):
    assert read_filter(parse_pairs(build_filter(wanted), [])) == wanted


def test_times_are_asked_for_in_the_documented_form():
    wanted = CallFilter(created_from=datetime(2026, 1, 5, 10), created_to=datetime(2026, 1, 5, 11))
    assert dict(parse_pairs(build_filter(wanted), []))["DateCreated"] == (
        "gte:2026-01-05 10:00:00;lte:2026-01-05 11:00:00"
    )
