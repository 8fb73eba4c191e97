"""What a command ends with, by all that was found."""

from __future__ import annotations

import pytest

from switchhook.doctor.finding import exit_code, fail, ok, unchecked, warn

OK, WARN, FAIL, UNCHECKED = (
    ok("a", "b"),
    warn("a", "b", "c"),
    fail("a", "b", "c"),
    unchecked("a", "b"),
)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        ([OK, OK], 0),
        ([OK, UNCHECKED], 2),
        ([OK, WARN], 1),
        ([UNCHECKED, FAIL, OK], 1),
    ],
)
def test_the_exit_code_says_whether_there_is_something_to_do(found, code):
    assert exit_code(found) == code
