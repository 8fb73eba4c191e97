"""Refusals of Exotel's API: what is built is read, and nothing that comes makes it raise."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.wire.rest_error import (
    RestError,
    build_error,
    build_later_error,
    parse_error,
)

from .odd_json import odd_bodies

WORD = st.text(string.ascii_letters + string.digits + "+:/._-<&>'\"\u0905", min_size=1)
ERRORS = st.builds(RestError, st.integers(100, 599), WORD, st.none() | st.integers(1, 10**6 - 1))


@settings(deadline=None)
@given(ERRORS, st.booleans())
def test_what_is_built_is_read(error, xml):
    assert parse_error(build_error(error, xml=xml)) == error


@settings(deadline=None)
@given(ERRORS)
def test_what_is_built_for_later_versions_is_read(error):
    body = build_later_error(error, "GET", "a1")
    same = error.code is None or error.code == error.status
    assert parse_error(body) == RestError(error.status, error.message, None if same else error.code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"response":{"code":200,"data":{"sid":"a1"},"error_data":null}}',
        b'{"response":{"code":"x","error_data":{"message":"y"}}}',
        b"[]",
        b'{"Call":{"Sid":"a1"}}',
        b'{"RestException":{"Status":"soon","Message":"x"}}',
        '{"RestException":{"Status":"²"}}'.encode(),
        b'{"RestException":{"Status":"' + b"4" * 5000 + b'"}}',
    ],
)
def test_what_is_no_refusal_is_none(body):
    assert parse_error(body) is None


@settings(deadline=None)
@given(st.binary(max_size=300) | odd_bodies("RestException", "Status", "Code"))
def test_it_never_raises(body):
    assert isinstance(parse_error(body), RestError | None)
