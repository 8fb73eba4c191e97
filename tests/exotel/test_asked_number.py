"""Telephone numbers in the spellings that people paste."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.asked_number import asked_number


@pytest.mark.parametrize(
    "text",
    [
        "+919876543210",
        "09876543210",
        "9876543210",
        "919876543210",
        "+91 98765 43210",
        "+91-98765-43210",
        "(0) 98765-43210",
        "+91 (0) 98765 43210",
        "0091 98765 43210",
        "tel:+91-98765-43210",
        "sip:09876543210@sip.example.com",
        "%2B919876543210",
        "\u202a+91 98765 43210\u202c",
        "+91\u00a098765\u201143210",
        "९८७६५४३२१०",
        "+９１９８７６５４３２１０",
        "'09876543210",
        '"9876543210"',
        "<+919876543210>",
        "98765.43210",
    ],
)
def test_a_number_in_any_spelling(text):
    assert asked_number(text) == "+919876543210"


@pytest.mark.parametrize(
    "text, asked",
    [
        ("98765", "98765"),
        ("*3210", "*3210"),
        ("+9198765", "+9198765"),
        ("+1 415 555 0123", "+14155550123"),
    ],
)
def test_a_beginning_an_end_and_numbers_from_abroad(text, asked):
    assert asked_number(text) == asked


@pytest.mark.parametrize(
    "text",
    ["", "12", "*12", "7f31bb90c2d84e0fa6550e1d9c2b1abo", "bot.example", "+", "cause:throttled"],
)
def test_what_is_no_number(text):
    assert asked_number(text) is None


@given(st.text())
def test_whatever_is_pasted(text):
    found = asked_number(text)
    assert found is None or found.lstrip("+*").isdigit()
