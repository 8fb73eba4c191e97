"""ActiveStreams in every form that is documented or likely (exotel-platform D)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.active_streams import (
    ActiveStreams,
    UnreadableAnswer,
    build_json,
    build_xml,
    parse,
)

from .odd_json import odd_bodies

COUNT = st.integers(0, 10**6 - 1)


@given(COUNT, COUNT, st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True))
def test_what_is_built_is_read(active, allowed, account):
    value = ActiveStreams(active, allowed, account)
    assert parse(build_json(value)) == value
    assert parse(build_xml(value)) == ActiveStreams(active, allowed, None)


@pytest.mark.parametrize(
    "body, value",
    [
        (b'{"Stream":{"ActiveStreamCount":"12","ThrottleLimit":"100"}}', ActiveStreams(12, 100)),
        (b'{"TwilioResponse":{"Stream":{"ActiveStreamCount":1}}}', ActiveStreams(1)),
        (b'{"active_streams":"7","max_allowed_streams":null}', ActiveStreams(7)),
        (b"<Stream><activestreamcount> 3 </activestreamcount></Stream>", ActiveStreams(3)),
        (b'[{"activeStreams": 4}]', ActiveStreams(4)),
    ],
)
def test_other_spellings_are_read_too(body, value):
    assert parse(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html><body>Sign in</body></html>",
        b'{"active_streams": -1}',
        b'{"active_streams": 18446744073709551615}',  # -1 as a uint64, as a counter underflows
        b'{"active_streams": true}',
        b'{"active_streams": {"a": 1}}',
        b'{"active_streams": "many"}',
        b'{"status": "error", "active_streams": 0, "max_allowed_streams": 100}',
        b"<TwilioResponse><status>Failed</status><ActiveStreamCount>0</ActiveStreamCount>"
        b"</TwilioResponse>",
        b"<a><ActiveStreamCount>1</ActiveStreamCount>",
        b'<!DOCTYPE a [<!ENTITY x "1">]><a><ActiveStreamCount>&x;</ActiveStreamCount></a>',
        b"[" * 100_000,
        b"<a>" * 1000,
        b"\xff\xfe",
    ],
)
def test_what_holds_no_figure_is_an_alarm_and_no_zero(body):
    assert isinstance(parse(body), UnreadableAnswer)


@given(st.binary(max_size=300) | odd_bodies("active_streams", "MaxAllowedStreams", "status"))
def test_it_never_raises(body):
    assert isinstance(parse(body), ActiveStreams | UnreadableAnswer)
