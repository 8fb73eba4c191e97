"""Which calls a list is asked for: filters are read, and a wrong one is named."""

from __future__ import annotations

from datetime import datetime

import pytest

from switchhook.exotel.wire.call_filter import CallFilter, read_filter
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
        ]
    ) == CallFilter(
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
    ],
)
def test_a_refusal_names_the_filter(name, text):
    found = read_filter([(name, text)])
    assert isinstance(found, RestError)
    assert found.message.startswith(f"Invalid parameter {name}: got ")
