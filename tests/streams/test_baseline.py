"""A share moved where chance does not explain it, and an hour is compared with its like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.streams.baseline import LEAST, Answered, shift, usual


def test_a_share_of_nothing_is_none():
    assert Answered().share is None
    assert Answered(1, 4).share == 0.25


def test_what_chance_explains_is_no_shift():
    assert shift(Answered(50, 100), Answered(52, 100), Answered()) == (0.0, 100)


def test_from_all_to_nobody_is_a_shift_of_all():
    """Two standard errors less: of 200 answers half were A."""
    moved, cases = shift(Answered(0, 100), Answered(100, 100), Answered())
    assert cases == 100
    assert moved == pytest.approx(1 - 2 * 0.0707, abs=1e-3)


def test_where_yesterday_has_too_few_the_hours_before_are_asked():
    few = Answered(0, LEAST - 1)
    assert shift(Answered(100, 100), few, Answered(300, 300)) == (0.0, 100)
    assert shift(Answered(100, 100), few, Answered()) == (None, 0)
    assert shift(Answered(), Answered(50, 100), Answered()) == (None, 0)


COUNTS = st.integers(0, 500)


@pytest.mark.parametrize(
    ("now", "then", "told"),
    [
        (Answered(0, 5), Answered(60, 60), True),
        (Answered(3, 5), Answered(54, 60), False),
        (Answered(2, 8), Answered(54, 60), False),
        (Answered(1, 12), Answered(54, 60), True),
    ],
)
def test_of_few_streams_only_what_is_plain_is_told(now, then, told):
    moved, cases = shift(now, then, Answered())
    assert cases == now.cases
    assert (moved >= 0.15) is told


@st.composite
def answers(draw):
    cases = draw(COUNTS)
    return Answered(draw(st.integers(0, cases)), cases)


@given(answers(), answers(), answers())
def test_a_shift_is_a_share_and_has_no_direction(now, day_before, hours_before):
    moved, cases = shift(now, day_before, hours_before)
    assert moved is None or 0 <= moved <= 1
    assert (moved is None) == (cases == 0)
    if day_before.cases >= LEAST and now.cases >= LEAST:
        assert shift(day_before, now, Answered())[0] == pytest.approx(moved)


@pytest.mark.parametrize(
    "days, week_ago, expected",
    [
        ((), None, None),
        ((None, None), 7, None),
        ((3, None, 5), None, 5),
        ((3, 5), 4, 4),  # a flow that is new
        ((0, 5), 9, 5),  # a free day
    ],
)
def test_usual_is_the_most_of_late_but_no_more_than_a_week_ago(days, week_ago, expected):
    assert usual(days, week_ago) == expected
