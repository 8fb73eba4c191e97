"""The link by which one says, without signing in, that one is on it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchhook.alerts.on_it_link import OnIt, make_link, read_link

KEY = b"k" * 32
ON_IT = OnIt("0123456789abcdef", 1_764_050_400_000, "ops-1_night")


def test_it_says_what_it_was_made_of():
    assert read_link(KEY, make_link(KEY, ON_IT)) == ON_IT


@given(st.integers(0, 90), st.characters(codec="utf-8"))
def test_a_changed_one_is_none(at, character):
    link = make_link(KEY, ON_IT)
    changed = link[: at % len(link)] + character + link[at % len(link) + 1 :]
    assert (read_link(KEY, changed) == ON_IT) is (changed == link)
    assert changed == link or read_link(KEY, changed) is None


@given(st.text(max_size=600))
def test_anything_else_is_none(text):
    assert read_link(KEY, text) is None


def test_one_of_another_folder_is_none():
    assert read_link(b"o" * 32, make_link(KEY, ON_IT)) is None
