"""Texts that PostgreSQL can't keep, and what it says of values."""

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.store.postgresql.statements import (
    PREFIX,
    is_bad_value,
    restored,
    statement,
    storable,
)


@given(st.text(alphabet=st.sampled_from("a01\x00\x1a")))
def test_every_text_comes_back_as_it_was(text):
    kept = storable(text)
    assert "\x00" not in kept
    assert restored(kept) == text


def test_tables_have_the_version_in_their_names():
    assert (
        statement("SELECT seq FROM store_stream s") == f"SELECT seq FROM {PREFIX}stream s".encode()
    )


@pytest.mark.parametrize(
    ("error", "bad"),
    [
        (psycopg.errors.NumericValueOutOfRange(), True),
        (psycopg.errors.UniqueViolation(), True),
        (psycopg.errors.ProgramLimitExceeded(), True),
        (psycopg.DataError("cannot contain NUL"), True),
        (psycopg.errors.DiskFull(), False),
        (psycopg.OperationalError("gone"), False),
        (psycopg.errors.UndefinedTable(), False),
        (ValueError(), False),
    ],
)
def test_what_is_wrong_with_a_value_is_told_from_what_is_around_it(error, bad):
    assert is_bad_value(error) is bad
