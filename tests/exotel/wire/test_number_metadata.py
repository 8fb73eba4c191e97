"""What Exotel knows of a number: what is built is read, and nothing makes it raise."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.number_metadata import (
    Dnd,
    NumberMetadata,
    build_metadata,
    parse_metadata,
)
from switchhook.exotel.wire.rest_error import RestError, build_error

from .odd_json import odd_bodies

WORD = st.text(string.ascii_letters + string.digits + "&<>()-\u0905", max_size=20)


@settings(deadline=None)
@given(
    st.builds(
        NumberMetadata,
        phone_number=WORD,
        circle=WORD,
        circle_name=WORD,
        kind=WORD,
        operator=WORD,
        operator_name=WORD,
        dnd=st.sampled_from(Dnd),
    ),
    st.booleans(),
)
def test_what_is_built_is_read(metadata, xml):
    assert parse_metadata(build_metadata(metadata, xml=xml)) == metadata


def test_the_published_example():
    body = (
        b'{"Numbers":{"PhoneNumber":"0XXXXX30240","Circle":"GJ","CircleName":"Gujarat Telecom '
        b'Circle","Type":"Mobile","Operator":"R","OperatorName":"Reliance","DND":"Yes"}}'
    )
    assert parse_metadata(body) == NumberMetadata(
        phone_number="0XXXXX30240",
        circle="GJ",
        circle_name="Gujarat Telecom Circle",
        kind="Mobile",
        operator="R",
        operator_name="Reliance",
        dnd=Dnd.YES,
    )


@pytest.mark.parametrize(
    "said, dnd",
    [("yes", Dnd.YES), ("NO", Dnd.NO), ("Unavailable", Dnd.UNAVAILABLE), ("maybe", Dnd.UNKNOWN)],
)
def test_another_word_for_dnd_is_unknown(said, dnd):
    found = parse_metadata(b'{"Numbers":{"DND":"%s"}}' % said.encode())
    assert isinstance(found, NumberMetadata)
    assert found.dnd is dnd


@pytest.mark.parametrize(
    "body, problem",
    [
        (b"", "neither JSON nor XML"),
        (b'{"Numbers":[]}', "nothing of a number in the answer"),
        (build_error(RestError(404, "no such number"), xml=False), "a refusal: no such number"),
    ],
)
def test_what_holds_nothing_says_so(body, problem):
    found = parse_metadata(body)
    assert isinstance(found, UnreadableAnswer)
    assert problem in found.problem


@settings(deadline=None)
@given(st.binary(max_size=300) | odd_bodies("Numbers", "DND", "Type"))
def test_it_never_raises(body):
    assert isinstance(parse_metadata(body), NumberMetadata | UnreadableAnswer)
