"""What a call is asked for: each mode is known, and a refusal names the parameter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.wire.connect import ConnectRequest, build_connect, read_connect
from switchhook.exotel.wire.query import parse_pairs
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


NUMBERS = st.sampled_from(["+919876500001", "08047112233"])
COMMON = {
    "from_": NUMBERS,
    "caller_id": NUMBERS,
    "time_limit_s": st.none() | st.integers(1, 14_400),
    "ring_s": st.none() | st.integers(1, 60),
    "record": st.booleans(),
    "status_callback": st.none() | st.just("https://hooks.example/status/main/a%20b?c=d&e"),
    "status_events": st.lists(st.sampled_from(["terminal", "answered"]), unique=True).map(tuple),
    "status_json": st.booleans(),
    "custom_field": st.none() | st.text("ab:;&=+% \u0905", min_size=1, max_size=20),
}
REQUESTS = (
    st.builds(ConnectRequest, mode=st.just("flow"), app_id=st.just("77001"), **COMMON)
    | st.builds(ConnectRequest, mode=st.just("two_numbers"), to=NUMBERS, **COMMON)
    | st.builds(
        ConnectRequest,
        mode=st.just("voice_ai"),
        stream_url=st.just("wss://a:b@bot.example/media?sample-rate=8000&x=y"),
        stream_name=st.none() | st.just("a name"),
        **COMMON,
    )
)


@given(REQUESTS)
def test_what_is_built_is_read(request):
    form = build_connect(request, "acme")
    assert b"%5B" not in form.upper()
    assert read_connect(parse_pairs(form, [])) == request


def test_the_form_is_the_documented_one():
    request = ConnectRequest(
        mode="flow",
        from_="+919876500001",
        caller_id="08047112233",
        app_id="77001",
        ring_s=30,
        status_callback="https://hooks.example/status",
        status_events=("terminal", "answered"),
        custom_field="switchhook:a1:1",
    )
    assert build_connect(request, "acme") == (
        b"From=%2B919876500001&CallerId=08047112233&CallType=trans"
        b"&Url=http%3A%2F%2Fmy.exotel.com%2Facme%2Fexoml%2Fstart_voice%2F77001&TimeOut=30"
        b"&StatusCallback=https%3A%2F%2Fhooks.example%2Fstatus&CustomField=switchhook%3Aa1%3A1"
        b"&StatusCallbackEvents[0]=terminal&StatusCallbackEvents[1]=answered"
    )
