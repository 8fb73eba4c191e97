"""A number's entry on Exotel's whitelist: what is built is read, and nothing makes it raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.rest_error import RestError, build_error
from switchhook.exotel.wire.whitelist import (
    WhitelistEntry,
    WhitelistStatus,
    build_whitelist,
    parse_whitelist,
)

from .odd_json import odd_bodies

ENTRIES = st.builds(
    WhitelistEntry,
    st.sampled_from(WhitelistStatus),
    st.sampled_from(["", "Customer", "Agent", "API"]),
    st.none() | st.integers(0, 10**9),
)


@given(ENTRIES, st.booleans())
def test_what_is_built_is_read(entry, xml):
    assert parse_whitelist(build_whitelist(entry, xml=xml)) == entry


@pytest.mark.parametrize(
    "body, entry",
    [
        (
            b"<TwilioResponse><Result><Status>Whitelist</Status><Type>API</Type>"
            b"<Expiry>15552000</Expiry></Result></TwilioResponse>",
            WhitelistEntry(WhitelistStatus.WHITELIST, "API", 15_552_000),
        ),
        (
            b"<Result><Status>BLACKLIST</Status><Type/><Expiry>-1</Expiry></Result>",
            WhitelistEntry(WhitelistStatus.BLACKLIST),
        ),
        (b'{"result":{"status":"grey","expiry":[]}}', WhitelistEntry(WhitelistStatus.UNKNOWN)),
        (b'{"Result":{}}', WhitelistEntry(WhitelistStatus.UNKNOWN)),
    ],
)
def test_published_and_odd_entries(body, entry):
    assert parse_whitelist(body) == entry


@pytest.mark.parametrize(
    "body, problem",
    [
        (b"", "neither JSON nor XML"),
        (b'{"Status":"Whitelist"}', "no entry of the whitelist in the answer"),
        (build_error(RestError(404, "no such number"), xml=True), "a refusal: no such number"),
    ],
)
def test_what_holds_no_entry_says_so(body, problem):
    found = parse_whitelist(body)
    assert isinstance(found, UnreadableAnswer)
    assert problem in found.problem


@settings(deadline=None)
@given(st.binary(max_size=300) | odd_bodies("Result", "Status", "Type", "Expiry"))
def test_it_never_raises(body):
    assert isinstance(parse_whitelist(body), WhitelistEntry | UnreadableAnswer)
