"""One value says the same whether it came bare, padded, quoted or guarded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.scalar import (
    MOST_DIGITS,
    clean,
    guard,
    whole_number,
    without_surrogates,
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", None),
        (" \r\n\t", None),
        ("null", None),
        (" NULL ", None),
        ('"null"', None),
        ('""', None),
        ('" "', None),
        ("nulls", "nulls"),
        ("a1", "a1"),
        (" a 1\n", "a 1"),
        ('"8"', "8"),
        ('" 8 "', "8"),
        ('"\\u0038"', "8"),
        ('"https:\\/\\/x"', "https://x"),
        ('"a\nb"', "a\nb"),
        ('"\\"8\\""', '"8"'),
        ('"a"b"', 'a"b'),
        ('"bad \\x escape"', "bad \\x escape"),
        ('"', '"'),
        ('"open', '"open'),
        ("'8'", "'8'"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\ud83d"', "\ufffd"),
        ("0", "0"),
        ("false", "false"),
    ],
)
def test_clean(text, said):
    assert clean(text) == said


@pytest.mark.parametrize(
    ("text", "guarded"),
    [("a1", "a1"), ("null", '"null"'), ('"8"', '"\\"8\\""'), ("é b", "é b"), ("", '""')],
)
def test_guard_quotes_only_what_would_be_misread(text, guarded):
    assert guard(text) == guarded


TEXTS = st.text() | st.text(' "\\nul\n', max_size=12)


@given(TEXTS)
def test_what_was_said_survives_guard_and_clean(text):
    said = clean(text)
    if said is not None:
        assert clean(guard(said)) == said


@given(TEXTS)
def test_clean_drops_only_blanks_and_quotes(text):
    """What neither is quoted nor a word for nothing only loses the blanks around it."""
    trimmed = text.strip()
    if trimmed[:1] != '"' and trimmed.lower() not in ("", "null"):
        assert clean(text) == trimmed


@given(st.text())
def test_clean_undoes_json(text):
    """Exotel's engine encodes some scalars as JSON, `digits` for one."""
    said = text.strip()
    assert clean(json.dumps(text)) == (None if said.lower() in ("", "null") else said)


@given(st.text(st.characters(), max_size=20))
def test_without_surrogates_can_be_encoded(text):
    mended = without_surrogates(text)
    assert len(mended) == len(text)
    assert mended.encode(errors="strict") is not None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (999_999, 999_999),
        (10**MOST_DIGITS, None),
        (2**64 - 1, None),
        (-1, None),
        (True, None),
        (3.0, None),
        (None, None),
        ([7], None),
        ("7", 7),
        (" 007 ", 7),
        ("²", None),
        ("١", None),
        ("+7", None),
        ("0000000019999", None),
        ("9" * 5000, None),
    ],
)
def test_whole_number(value, number):
    assert whole_number(value) == number
