"""The mark of a test: made by the folder's key alone, and only for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.system.request_mark import LONGEST_S, Mark, make_mark, read_mark

KEY, OTHER = b"k" * 32, b"o" * 32
TEST, AT_S = "00112233aabbccdd", 1_795_000_000


def test_the_key_reads_what_it_made():
    assert read_mark(KEY, make_mark(KEY, TEST, AT_S)) == Mark(TEST, AT_S)


def test_no_other_key_makes_one():
    assert read_mark(KEY, make_mark(OTHER, TEST, AT_S)) is None


@given(st.integers(0), st.characters(codec="latin-1"))
def test_no_letter_of_it_can_be_changed(place, letter):
    mark = make_mark(KEY, TEST, AT_S)
    place %= len(mark)
    changed = mark[:place] + letter + mark[place + 1 :]
    assert (read_mark(KEY, changed) is None) == (changed != mark)


@given(st.text())
def test_any_text_is_read(text):
    assert read_mark(KEY, text) is None


@pytest.mark.parametrize(
    ("off_s", "fresh"), [(0, True), (LONGEST_S, True), (LONGEST_S + 1, False), (-400, False)]
)
def test_it_is_good_for_a_while(off_s, fresh):
    assert Mark(TEST, AT_S).fresh(AT_S + off_s) is fresh
