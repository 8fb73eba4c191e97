"""What a call is asked for: each mode is known, and a refusal names the parameter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.connect import ConnectRequest, read_connect
from switchhook.exotel.wire.rest_error import RestError

BASE = {"From": "+919876500001", "CallerId": "08047112233"}
STREAM = {"StreamUrl": "wss://bot.example/media", "StreamType": "bidirectional"}


def read(**more: str) -> ConnectRequest | RestError:
    return read_connect([*BASE.items(), *more.items()])


@pytest.mark.parametrize(
    "more, mode",
    [
        ({"Url": "http://my.exotel.com/acme/exoml/start_voice/77"}, "flow"),
        ({"To": "+919876500002"}, "two_numbers"),
        (STREAM, "voice_ai"),
        ({"Url": "http://my.exotel.com/acme/exoml/start_voice/77", "To": "0804"}, "flow"),
    ],
)
def test_the_mode_is_that_of_the_first_of_url_to_and_stream(more, mode):
    found = read(**more)
    assert isinstance(found, ConnectRequest)
    assert found.mode == mode


@pytest.mark.parametrize(
    "more, named",
    [
        ({}, "Url"),
        ({"From": "", "To": "1"}, "From"),
        ({"Url": "http://my.exotel.com/77"}, "Url"),
        ({"StreamUrl": "http://bot.example"}, "StreamUrl"),
        ({**STREAM, "StreamType": ""}, "StreamType"),
        ({**STREAM, "StreamName": "x" * 33}, "StreamName"),
        ({"To": "1", "TimeLimit": "14401"}, "TimeLimit"),
        ({"To": "1", "TimeLimit": "0000000019999"}, "TimeLimit"),
        ({"To": "1", "TimeOut": "soon"}, "TimeOut"),
        ({"To": "1", "CallType": "promo"}, "CallType"),
        ({"To": "1", "CustomField": "x" * 129}, "CustomField"),
        ({"To": "1", "StatusCallbackEvents[0]": "sometimes"}, "StatusCallbackEvents"),
        ({"To": "1", "StatusCallbackContentType": "text/plain"}, "StatusCallbackContentType"),
        ({"To": "1", "StatusCallback": "ftp://x"}, "StatusCallback"),
        ({"To": "1", "Record": "yes"}, "Record"),
    ],
)
def test_a_refusal_names_the_parameter(more, named):
    found = read(**more)
    assert isinstance(found, RestError)
    assert found.status == 400
    assert found.message.startswith(f"Invalid parameter {named}: got ")


def test_encoded_brackets_are_refused_where_they_were_seen():
    pairs = [*BASE.items(), ("To", "1"), ("StatusCallbackEvents[0]", "terminal")]
    assert isinstance(read_connect(pairs), ConnectRequest)
    assert isinstance(read_connect(pairs, encoded_brackets=True), RestError)


@given(st.dictionaries(st.sampled_from([*BASE, *STREAM, "Url", "To", "TimeOut"]), st.text()))
def test_it_never_raises(said):
    assert isinstance(read_connect([*said.items()]), ConnectRequest | RestError)
