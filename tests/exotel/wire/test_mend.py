"""Queries that were pasted wrongly are read as they were meant, and others stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.mend import mend

SECOND = "a second '?' where '&' was meant; read as '&'"
CUT = "an '&' in JSON that was not percent-encoded; mended"


@pytest.mark.parametrize(
    "query, mended, problems",
    [
        (b"secret=x?CallSid=a1&To=b", b"secret=x&CallSid=a1&To=b", [SECOND]),
        (b"secret=x?To=b", b"secret=x?To=b", []),
        (b"a=x?CallSid=a1&CallSid=b2", b"a=x?CallSid=a1&CallSid=b2", []),
        (b'Stream={"Url":"w?a=1&b=2"}&To=b', b'Stream={"Url":"w?a=1%26b=2"}&To=b', [CUT]),
        (b'Stream={"Url":"w"}&To=b', b'Stream={"Url":"w"}&To=b', []),
        (b'Stream={"Url":"w&To=b', b'Stream={"Url":"w&To=b', []),
    ],
)
def test_what_was_pasted_is_read_as_meant(query, mended, problems):
    found: list[str] = []
    assert mend(query, found) == mended
    assert found == problems


@given(st.binary(max_size=100))
def test_what_shows_no_accident_stays(query):
    found: list[str] = []
    assert mend(query, found) == query or found
