"""The days of the receipts, and which of them can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.cluster.days import day_in, day_of, days_ahead, first_ms, is_near, table_of

TODAY = day_of(1_796_000_000_000)


@given(st.integers(-100_000, 2_000_000))
def test_its_table_says_the_day(day):
    assert day_in(table_of(day)) == day
    assert day_of(first_ms(day)) == day
    assert day_of(first_ms(day) - 1) == day - 1


def test_a_table_has_a_name_that_people_read():
    assert table_of(TODAY) == "cluster_receipt_20261130"


@pytest.mark.parametrize("table", ["cluster_receipt_undated", "cluster_receipt_", "20261130"])
def test_another_table_is_of_no_day(table):
    assert day_in(table) is None


def test_days_are_made_ahead():
    assert days_ahead(TODAY) == set(range(TODAY, TODAY + 8))
    assert all(is_near(day, TODAY) for day in days_ahead(TODAY))


@pytest.mark.parametrize(("days", "near"), [(8, True), (9, False), (-1100, True), (-1101, False)])
def test_a_clock_that_is_off_by_more_is_wrong(days, near):
    assert is_near(TODAY + days, TODAY) is near
