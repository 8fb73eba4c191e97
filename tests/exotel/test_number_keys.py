"""Numbers are found by their beginning and their end, and by nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.number_keys import (
    digits_asked,
    key_ranges,
    number_keys,
    number_matches,
    split_number,
)


@pytest.mark.parametrize(
    "number, code, national",
    [
        ("+919000012345", "91", "9000012345"),
        ("+12125550123", "1", "2125550123"),
        ("+6281234567890", "62", "81234567890"),
        ("09000012345", "", "9000012345"),
        ("+91 90000-12345", "91", "9000012345"),
        ("+99900", "", "99900"),  # no country has it
        ("anonymous", "", ""),
    ],
)
def test_a_number_is_split_behind_its_countrys_code(number, code, national):
    assert split_number(number) == (code, national)


@pytest.mark.parametrize(
    "pattern, number, found",
    [
        ("90000", "+919000012345", True),
        ("090000", "+919000012345", True),
        ("+9190000", "+919000012345", True),
        ("+190000", "+919000012345", False),
        ("*2345", "+919000012345", True),
        ("*12346", "+919000012345", False),
        ("919000012345", "+919000012345", True),
        ("91900", "+919000012345", False),  # too few digits to have a country's code
        ("90000", "91", False),
        ("90000", None, False),
        ("9%", "+919000012345", False),
    ],
)
def test_a_pattern_is_a_beginning_or_an_end(pattern, number, found):
    assert number_matches(pattern, number) is found


DIGITS = st.text("0123456789", min_size=3, max_size=12)
NUMBERS = st.one_of(DIGITS, DIGITS.map("+{}".format), DIGITS.map("+91{}".format))
PATTERNS = st.one_of(DIGITS, DIGITS.map("+{}".format), DIGITS.map("*{}".format))


@given(NUMBERS, PATTERNS)
def test_what_matches_has_a_key_in_the_ranges(number, pattern):
    """Else an index that is asked by ranges would not find what a look at each number does."""
    if number_matches(pattern, number):
        keys, ranges = number_keys(number), key_ranges(pattern)
        assert any(begin <= key < end for key in keys for begin, end in ranges)


@given(NUMBERS)
def test_a_number_is_found_by_its_own_digits(number):
    code, national = split_number(number)
    if len(national) >= 3:
        assert number_matches("*" + (code + national)[-10:], number)
    else:
        assert number_keys(number) == ()


@pytest.mark.parametrize("pattern, digits", [("98765", 5), ("+9198765", 5), ("*3210", 4)])
def test_digits_of_a_country_do_not_count(pattern, digits):
    assert digits_asked(pattern) == digits
