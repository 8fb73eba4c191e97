"""The Retry-After header is read in both of its forms, and nothing that it says makes it raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.retry_after import read_retry_after

NOW = 1_780_000_000_000


@pytest.mark.parametrize(
    "text, wait",
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 120 ", 120),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_622_230_399),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_in_both_forms(text, wait):
    found = read_retry_after(text, NOW)
    assert found == (wait if wait is None or wait < 10**10 else pytest.approx(wait, abs=10**9))


@settings(deadline=None)
@given(st.none() | st.text())
def test_reading_retry_after_never_raises(text):
    found = read_retry_after(text, NOW)
    assert found is None or found >= 0
