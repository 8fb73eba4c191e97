"""Numbers in the forms that diallers take, and never another one's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.asked_number import whole_number
from switchhook.exotel.number_forms import NumberForm, in_form


@pytest.mark.parametrize(
    "number, form, region, written",
    [
        ("+919000012345", "e164", "IN", "+919000012345"),
        ("+919000012345", "digits", "IN", "919000012345"),
        ("+919000012345", "00", "IN", "00919000012345"),
        ("+919000012345", "national", "IN", "9000012345"),
        ("+919000012345", "0", "IN", "09000012345"),
        ("+14155550123", "national", "IN", "+14155550123"),
        ("+14155550123", "0", "IN", "+14155550123"),
        ("+6561234567", "national", "SG", "61234567"),
        ("+6561234567", "0", "SG", "61234567"),  # Singapore dials nothing before it
        ("+390612345678", "national", "IT", "0612345678"),
        ("anonymous", "digits", "IN", "anonymous"),
        ("", "0", "IN", ""),
        ("+", "national", "IN", "+"),
    ],
)
def test_a_number_in_a_form(number, form, region, written):
    assert in_form(number, NumberForm(form), region) == written


@given(st.from_regex(r"\+91[6-9][0-9]{9}", fullmatch=True), st.sampled_from(NumberForm))
def test_each_form_is_read_back(number, form):
    assert whole_number(in_form(number, form)) == number
