"""Percentiles by buckets: upper bounds, and what is beyond the greatest."""

from __future__ import annotations

import pytest

from switchhook.streams.answer_times import AnswerPercentiles, answer_times


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        ({"answer_ms <= 1": 100}, AnswerPercentiles(100, 1, 1)),
        ({"answer_ms <= 1": 98, "answer_ms <= 50": 2}, AnswerPercentiles(100, 1, 50)),
        ({"answer_ms <= 1": 99, "answer_ms <= 50": 1}, AnswerPercentiles(100, 1, 1)),
        (
            {"answer_ms <= 5": 1, "answer_ms > 10000": 9},
            AnswerPercentiles(10, 10_000, 10_000, True),
        ),
        ({"answered": 5}, AnswerPercentiles(0, None, None)),
    ],
)
def test_times_are_told_by_their_bounds(counted, expected):
    assert answer_times(counted) == expected
