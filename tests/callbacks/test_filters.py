"""Filters of promises: each condition, none, and their words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from callbacks.some_promises import NUMBER, T, number, promise
from switchhook.callbacks.filters import ENDED, LIVE, PromiseFilter, words
from switchhook.callbacks.promise import PromiseState

MADE = replace(promise(class_="gold"), id=1_234)
S = PromiseState

CASES = [
    (PromiseFilter(), PromiseFilter(), "all"),
    (PromiseFilter(ids=(1_234,)), PromiseFilter(ids=(2,)), "number 1,234"),
    (
        PromiseFilter(states=(S.OPEN, S.PAUSED)),
        PromiseFilter(states=(S.KEPT,)),
        "open or paused",
    ),
    (PromiseFilter(accounts=("main",)), PromiseFilter(accounts=("b",)), "of account main"),
    (PromiseFilter(classes=("gold",)), PromiseFilter(classes=("",)), "of class gold"),
    (
        PromiseFilter(reason="throttled"),
        PromiseFilter(reason="failed"),
        "because of throttled",
    ),
    (PromiseFilter(number=NUMBER), PromiseFilter(number=number(9)), "to +91••••••••01"),
    (
        PromiseFilter(made_since_ms=T),
        PromiseFilter(made_since_ms=T + 1),
        "made from 2023-11-14T22:13:20+00:00 on",
    ),
    (
        PromiseFilter(made_before_ms=T + 1_000),
        PromiseFilter(made_before_ms=T),
        "made before 2023-11-14T22:13:21+00:00",
    ),
    (
        PromiseFilter(due_before_ms=T + 1_000),
        PromiseFilter(due_before_ms=T),
        "due before 2023-11-14T22:13:21+00:00",
    ),
]


@pytest.mark.parametrize(("fits", "other", "said"), CASES)
def test_each_condition_chooses_and_is_said(fits, other, said):
    assert fits.matches(MADE)
    assert not other.matches(MADE) or other == PromiseFilter()
    assert words(fits) == said


def test_several_conditions_all_have_to_hold():
    wanted = PromiseFilter(states=(S.OPEN,), classes=("gold",))
    assert wanted.matches(MADE)
    assert not wanted.matches(replace(MADE, class_="tin"))
    assert words(wanted) == "open, of class gold"


def test_every_state_is_live_or_ended():
    assert {*LIVE, *ENDED} == set(PromiseState)
    assert not {*LIVE} & {*ENDED}
