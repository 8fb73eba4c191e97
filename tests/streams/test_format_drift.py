"""Changes in the form of requests: what is new at once, what is gone only if it should be there."""

from __future__ import annotations

import pytest

from switchhook.streams.facet import Form
from switchhook.streams.format_drift import Change, changes


def forms(*said, endpoint="sales"):
    return [Form(0, endpoint, aspect, value, count) for aspect, value, count in said]


def flat(count):
    return ("dialect", "flat", count)


CASES = {
    "nothing changed": ([flat(50), ("key", "From", 50)], [flat(60), ("key", "From", 60)], []),
    "a new key": (
        [flat(50)],
        [flat(50), ("key", "NewKey", 1)],
        [("key", "NewKey", "new", 0, 1)],
    ),
    "a new dialect": (
        [flat(50)],
        [flat(49), ("dialect", "json", 1)],
        [("dialect", "json", "new", 0, 1)],
    ),
    "a key is gone": (
        [flat(50), ("key", "From", 50)],
        [flat(50)],
        [("key", "From", "gone", 50, 0)],
    ),
    "a rare one is not missed": ([flat(1000), ("key", "From", 3)], [flat(50)], []),
    "too few came to miss it": ([flat(50), ("key", "From", 50)], [flat(5)], []),
    "a defect is much more frequent": (
        [flat(100), ("defect", "from", 2)],
        [flat(100), ("defect", "from", 40)],
        [("defect", "from", "more", 2, 40)],
    ),
    "and much less": (
        [flat(100), ("defect", "from", 40)],
        [flat(100), ("defect", "from", 2)],
        [("defect", "from", "less", 40, 2)],
    ),
    "an endpoint without a past is all new, so nothing is": ([], [flat(50)], []),
}


@pytest.mark.parametrize(("before", "after", "expected"), CASES.values(), ids=CASES)
def test_what_changed_since_yesterday(before, after, expected):
    assert changes(forms(*before), forms(*after)) == [Change("sales", *each) for each in expected]


def test_endpoints_are_compared_with_themselves():
    before = forms(flat(50)) + forms(("dialect", "json", 50), endpoint="b")
    after = forms(flat(50)) + forms(("dialect", "json", 50), endpoint="b")
    assert changes(before, after) == []


def test_hours_of_a_day_are_one():
    after = [*forms(flat(25)), *forms(flat(25), ("key", "X", 1)), *forms(("key", "X", 1))]
    assert changes(forms(flat(50)), after) == [Change("sales", "key", "X", "new", 0, 2)]
