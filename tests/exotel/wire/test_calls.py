"""Call details: what is built is read, in both forms, and nothing that comes makes it raise."""

from __future__ import annotations

import string
from datetime import datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.calls import (
    CallRecord,
    CallsPage,
    build_call,
    build_page,
    parse_call,
    parse_page,
)
from switchhook.exotel.wire.rest_error import RestError, build_error

from .odd_json import odd_bodies

WORD = st.text(string.ascii_letters + string.digits + "+:/._-<&>'\"\u0905\u0ba4", min_size=1)
MAYBE = st.none() | WORD
TIME = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(
    lambda at: at.replace(microsecond=0)
)
COUNT = st.none() | st.integers(0, 10**6 - 1)
RECORDS = st.builds(
    CallRecord,
    sid=WORD,
    account_sid=WORD,
    from_=WORD,
    to=MAYBE,
    phone_number_sid=st.just("") | WORD,
    status=WORD,
    direction=WORD,
    created=st.none() | TIME,
    updated=st.none() | TIME,
    started=st.none() | TIME,
    ended=st.none() | TIME,
    duration_s=COUNT,
    price=MAYBE,
    answered_by=MAYBE,
    recording_url=MAYBE,
    custom_field=MAYBE,
    talk_s=COUNT,
    leg1_status=MAYBE,
    leg2_status=MAYBE,
    legs=st.lists(st.fixed_dictionaries({"Id": WORD, "OnCallDuration": WORD}), max_size=4).map(
        tuple
    ),
)


@settings(deadline=None)
@given(RECORDS, st.booleans())
def test_what_is_built_is_read(record, xml):
    assert parse_call(build_call(record, xml=xml, details=True)) == record


BARE = CallRecord(
    sid="a1",
    account_sid="",
    from_="",
    to=None,
    phone_number_sid="",
    status="",
    direction="",
    created=None,
    updated=None,
)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Call":{"Sid":"a1"}}',
        b'{"TwilioResponse":{"call":{"sid":"a1","Price":"","Duration":"long"}}}',
        b"<TwilioResponse><Call><Sid>a1</Sid><EndTime>0000-00-00 00:00:00</EndTime></Call>"
        b"</TwilioResponse>",
        b'{"Call":{"Sid":"a1","EndTime":"1970-01-01 05:30:00","Duration":-1,"To":{"x":1}}}',
        b'{"Call":{"Sid":"a1","Details":[],"Duration":"999999999999999999999"}}',
    ],
)
def test_what_is_not_said_or_no_value_is_not_made_up(body):
    assert parse_call(body) == BARE


def test_legs_may_stand_in_a_list_of_their_own():
    body = b'{"Call":{"Sid":"a1","Details":{"Legs":[{"Id":1},{"Leg":[{"Id":2},{"Id":3}]},4]}}}'
    record = parse_call(body)
    assert isinstance(record, CallRecord)
    assert record.legs == ({"Id": 1}, {"Id": 2}, {"Id": 3})


@pytest.mark.parametrize(
    "body, problem",
    [
        (b"", "neither JSON nor XML"),
        (b"<html><body>Sign in</body></html>", "no call in the answer"),
        (b'{"Call":{"Status":"completed"}}', "a call without a Sid"),
        (b'{"Call":[]}', "no call in the answer"),
        (b"[]", "no call in the answer"),
        (build_error(RestError(404, "there is no such call"), xml=False), "there is no such call"),
        (build_error(RestError(404, "there is no such call"), xml=True), "there is no such call"),
    ],
)
def test_what_holds_no_call_says_so(body, problem):
    found = parse_call(body)
    assert isinstance(found, UnreadableAnswer)
    assert problem in found.problem


@settings(deadline=None)
@given(st.binary(max_size=300) | odd_bodies("Call", "Sid", "Duration", "Details", "Legs", "Leg"))
def test_it_never_raises(body):
    assert isinstance(parse_call(body), CallRecord | UnreadableAnswer)


LISTED = RECORDS.map(
    # The list tells of no details, and of no CustomField.
    lambda each: msgspec.structs.replace(
        each, talk_s=None, leg1_status=None, leg2_status=None, legs=(), custom_field=None
    )
)


@settings(deadline=None)
@given(st.lists(LISTED, max_size=4), st.booleans(), st.none() | st.just("/v1/next?Before=a"))
def test_a_page_that_is_built_is_read(records, xml, following):
    body = build_page(
        records,
        total=len(records),
        page_size=50,
        first="/v1/first",
        previous=None,
        following=following,
        xml=xml,
    )
    assert parse_page(body) == CallsPage(tuple(records), len(records), following)


@pytest.mark.parametrize(
    "body, sids",
    [
        (b'{"Calls":[]}', []),
        (
            b'{"TwilioResponse":{"Calls":[{"Call":{"Sid":"a1"}},{"Call":{"Sid":"a2"}}]}}',
            ["a1", "a2"],
        ),
        (b"<TwilioResponse><Calls/></TwilioResponse>", []),
        (b"<TwilioResponse><Calls><Call><Sid>a1</Sid></Call></Calls></TwilioResponse>", ["a1"]),
    ],
)
def test_other_forms_of_a_page(body, sids):
    found = parse_page(body)
    assert isinstance(found, CallsPage)
    assert [each.sid for each in found.records] == sids


@pytest.mark.parametrize(
    "body, problem",
    [
        (b"", "neither JSON nor XML"),
        (b"<html><body>Sign in</body></html>", "no list of calls in the answer"),
        (b'{"Call":{"Sid":"a1"}}', "no list of calls in the answer"),
        (b'{"Calls":[{"Sid":"a1"},{"From":"x"}]}', "a call without a Sid in the list"),
        (b'{"Calls":["a1"]}', "a call without a Sid in the list"),
        (b'{"Calls":7}', "a call without a Sid in the list"),
        (build_error(RestError(403, "not yours"), xml=False), "a refusal: not yours"),
    ],
)
def test_what_is_no_whole_page_says_so(body, problem):
    """A call that is looked for must not be missed because its row can't be read."""
    found = parse_page(body)
    assert isinstance(found, UnreadableAnswer)
    assert problem in found.problem


@settings(deadline=None)
@given(st.binary(max_size=300) | odd_bodies("Calls", "Call", "Sid", "Metadata", "Total"))
def test_reading_a_page_never_raises(body):
    assert isinstance(parse_page(body), CallsPage | UnreadableAnswer)
