"""The simulation of callbacks counts what it says it counts."""

from __future__ import annotations

import pytest

from benchmarks.calling_back import Ambiguous, Result, ambiguous, plot, storm, told


@pytest.mark.slow
def test_a_few_callers_of_a_storm_are_called_back():
    made = storm(1, 30)
    assert (made.callers, made.kept) == (30, 30)
    assert made.most_active <= made.streams - 2
    assert made.minutes[-1][0] == 30
    assert sum(asked for _, asked in made.minutes) >= 30
    assert plot(made).count("<path") > 3
    text = told(Result("now", 1, Ambiguous(1, 2, 1, 0, {"kept": 1}), made))
    assert "30 called back" in text
    assert "**0 were called twice.**" in text


@pytest.mark.slow
def test_no_request_is_answered_and_each_promise_ends():
    made = ambiguous(1, 4)
    assert made.promises == 4
    assert made.doubts >= 4
    assert sum(made.ended.values()) == 4
    assert made.doubles == 0
