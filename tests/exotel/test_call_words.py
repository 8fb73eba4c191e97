"""How much words say of a call: less never stands over more."""

from __future__ import annotations

import pytest

from switchhook.exotel.call_words import (
    NOTHING,
    SOMETHING,
    USABLE,
    call_status,
    is_final,
    worth_of_number,
    worth_of_seconds,
    worth_of_text,
    worth_of_time,
)


@pytest.mark.parametrize(
    "text, worth",
    [
        ("1970-01-01 05:30:00", NOTHING),
        ("1970-01-01T00:00:00Z", NOTHING),
        ("Thu, 01 Jan 1970 05:30:00", NOTHING),
        ("0000-00-00 00:00:00", NOTHING),
        ("soon", SOMETHING),
        ("2026-11-29 03:00:00", USABLE),
        (" Sun, 29 Nov 2026 03:00:00 ", USABLE),
    ],
)
def test_times(text, worth):
    assert worth_of_time(text) == worth


@pytest.mark.parametrize(
    "text, worth",
    [("", NOTHING), (" ", NOTHING), ("null", NOTHING), ("NULL", NOTHING), ("nil", SOMETHING)],
)
def test_texts(text, worth):
    assert worth_of_text(text) == worth


def test_numbers_in_full_say_more_than_parts_and_words():
    assert worth_of_number("09876543210") > worth_of_number("anonymous")
    assert worth_of_number("+919876543210") > worth_of_number("43210")


def test_a_longer_time_says_more():
    assert worth_of_seconds("28") > worth_of_seconds("0") > worth_of_seconds("long")


@pytest.mark.parametrize("word", ["completed", "No Answer", "no_answer", "cancelled", " BUSY "])
def test_final_words_in_every_spelling(word):
    assert is_final(word)
    assert call_status(word) in {"completed", "no-answer", "canceled", "busy"}


@pytest.mark.parametrize("word", [None, "", "in-progress", "ringing", "queued", "done"])
def test_others_are_not_final(word):
    assert not is_final(word)
