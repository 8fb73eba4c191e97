"""Texts that Exotel sends, interpreted; nothing is made up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchhook import Passthru, parse_passthru
from switchhook.exotel.fields import Unusable, e164, instant, seconds, with_plus
from switchhook.exotel.phone_numbers import hint_of as mask
from switchhook.exotel.times import IST


@pytest.mark.parametrize(
    "text, region, number",
    [
        ("09876543210", "IN", "+919876543210"),
        ("+919876543210", "IN", "+919876543210"),
        ("919876543210", "IN", "+919876543210"),
        ("9876543210", "IN", "+919876543210"),
        ("08047112233", "IN", "+918047112233"),
        ("+91 98765-43210", "IN", "+919876543210"),
        ("91234567", "SG", "+6591234567"),
        ("+6591234567", "IN", "+6591234567"),
        (None, "IN", None),
    ],
)
def test_a_number_becomes_e164(text, region, number):
    assert e164(text, region) == number


@pytest.mark.parametrize(
    "text",
    [
        "1234",  # a short code
        "57575",
        "98765xxxxx",  # masked
        "XXXXXXXXXX",
        "sip:agent@example.com",
        "anonymous",
        "",
        "0",
        "22334455",  # a local number: which city's?
        "+9198765432101234567",
        "९८७६५४३२१०",  # digits, but not those of a dialler
    ],
)
def test_what_is_no_full_number_is_kept_as_it_is(text):
    found = e164(text, "IN")
    assert isinstance(found, Unusable)
    # A message may be logged: it shows no more than two digits.
    assert sum(letter.isdigit() for letter in found.problem) <= 2


@pytest.mark.parametrize(
    "text, utc",
    [
        ("2026-11-24 10:31:58", "2026-11-24T05:01:58+00:00"),
        ("2026-11-24T10:31:58", "2026-11-24T05:01:58+00:00"),
        ("2024-01-15T10:30:00+05:30", "2024-01-15T05:00:00+00:00"),
        ("2024-01-15T10:30:00 05:30", "2024-01-15T05:00:00+00:00"),  # form decoding took its +
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00+00:00"),
        ("Wed, 23 Feb 2022 15:25:51", "2022-02-23T09:55:51+00:00"),
    ],
)
def test_a_time_is_utc_from_naive_ist(text, utc):
    found = instant(text)
    assert found is not None
    assert not isinstance(found, Unusable)
    assert found.isoformat() == utc


@pytest.mark.parametrize(
    "text", ["1970-01-01 05:30:00", "1970-01-01T00:00:00Z", "0000-00-00 00:00:00", None]
)
def test_a_placeholder_is_no_time(text):
    assert instant(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13-45 99:99:99",
        "9999-12-31T23:59:59-23:59",
        "20261012",  # what follows may be a number of eight digits, or of more
        "20261012911",
        "2026-10-12911",
        "2026W411",
    ],
)
def test_what_is_no_time_is_said(text):
    found = instant(text)
    assert isinstance(found, Unusable)
    assert "not a time" in found.problem


@pytest.mark.parametrize(
    "text, value", [("28", 28), ("0", 0), ("007", 7), ("28.9", 28), ("28.", 28), (None, None)]
)
def test_seconds_are_whole(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1e9", "28s", "٢٨", "9" * 400, "1.2.3", "NaN"])
def test_what_is_no_number_of_seconds_is_said(text):
    assert isinstance(seconds(text), Unusable)


def test_a_telephone_number_is_no_number_of_seconds():
    """As a number nothing would mask it; nor does the problem quote it."""
    assert seconds("999999") == 999_999
    for text in ("9876543", "9876543210", "9876543210.5"):
        found = seconds(text)
        assert isinstance(found, Unusable)
        assert "not a number of seconds" in found.problem
        assert text not in found.problem


@given(st.text(max_size=60), st.sampled_from(["IN", "SG", "US", "ZZ"]))
def test_no_text_raises(text, region):
    for found in (e164(text, region), instant(text), seconds(text)):
        assert found is None or isinstance(found, (str, int, Unusable)) or found.tzinfo is not None


@given(st.text(alphabet="0123456789९ +-x"))
def test_a_mask_shows_at_most_two_digits(text):
    assert sum(letter.isdigit() for letter in mask(text)) <= 2


@pytest.mark.parametrize(
    "text, region, number",
    [
        ("00919876543210", "IN", "+919876543210"),
        ("(080) 4711 2233", "IN", None),  # what a dialler sends begins with a digit or a plus
        ("+91 (80) 4711-2233", "IN", "+918047112233"),
        ("1800123456", "IN", "+911800123456"),
        ("081234567890", "ID", "+6281234567890"),
        ("6591234567", "SG", "+6591234567"),
        ("0123456789", "MY", "+60123456789"),
        ("2025550123", "US", "+12025550123"),
        ("09876543210", "US", None),
        ("09876543210", "ZZ", None),
        ("+919876543210", "ZZ", "+919876543210"),
        ("tel:+919876543210", "IN", None),
        ("+919876543210,+919876543211", "IN", None),
        ("9.19877E+11", "IN", None),
        ("0987xxxx10", "IN", None),
        ("0987654321", "IN", None),  # a digit short
        ("+0919876543210", "IN", None),
    ],
)
def test_a_number_in_its_region_or_none(text, region, number):
    found = e164(text, region)
    assert found == number or (number is None and isinstance(found, Unusable))


@pytest.mark.parametrize("text", ["00000000000", "0000000000", "+910000000000", "+00000000000"])
def test_zeros_alone_are_no_number(text):
    """As some networks send them for a caller who withholds his."""
    assert isinstance(e164(text, "IN"), Unusable)


@example("00000000001", "IN")
@example("0 0000000001", "ID")
@given(st.text("0123456789+ -()x", max_size=20), st.sampled_from(["IN", "SG", "ID", "US"]))
def test_a_number_is_made_of_the_digits_that_were_sent(text, region):
    """Behind its country code nothing is added, and it means the same when read again."""
    found = e164(text, region)
    if isinstance(found, str):
        assert re.fullmatch(r"\+[1-9][0-9]{6,14}", found)
        assert found[-7:] == re.sub(r"[^0-9]", "", text)[-7:]
        assert e164(found, region) == found


@pytest.mark.parametrize(
    "text, shown",
    [
        ("09876543210", "+919876543210"),
        ("57575", "57575"),
        ("98765xxxxx", "98765xxxxx"),
        ("sip:agent@example.com", "sip:agent@example.com"),
        ("anonymous", "anonymous"),
    ],
)
def test_what_was_sent_stands_beside_the_number(text, shown):
    passthru = parse_passthru(f"CallFrom={text}&CallTo={text}")
    assert (passthru.from_raw, passthru.from_) == (text, shown)
    assert (passthru.to_raw, passthru.to) == (text, shown)
    assert bool(passthru.defects) is (text == shown)


def test_the_endpoints_region_reads_its_numbers():
    passthru = parse_passthru("CallFrom=91234567", region="SG")
    assert (passthru.from_, passthru.from_raw) == ("+6591234567", "91234567")


@pytest.mark.parametrize(
    "text, utc",
    [
        ("2024-07-31T16:42:56 0530", "2024-07-31T11:12:56+00:00"),
        ("2024-07-31T16:42:56.123 05:30", "2024-07-31T11:12:56.123000+00:00"),
        ("2024-07-31T16:42:56-05:30", "2024-07-31T22:12:56+00:00"),
        ("2024-07-31 16:42:56+05:30", "2024-07-31T11:12:56+00:00"),
        ("Wed, 31 Jul 2024 16:42:56 +0530", "2024-07-31T11:12:56+00:00"),
        ("Wed, 31 Jul 2024 16:42:56 GMT", "2024-07-31T16:42:56+00:00"),
        ("2025-01-01 02:00:00", "2024-12-31T20:30:00+00:00"),
        ("1970-01-03 05:30:00", "1970-01-03T00:00:00+00:00"),
        ("2024-07-31 16:42:56 05:30", "2024-07-31T11:12:56+00:00"),
        ("Wed, 31 Jul 2024 16:42:56 0530", "2024-07-31T11:12:56+00:00"),
    ],
)
def test_more_times_in_utc(text, utc):
    found = instant(text)
    assert isinstance(found, datetime)
    assert found.isoformat() == utc


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01 00:00:00",
        "1970-01-02 05:29:59",
        "Thu, 01 Jan 1970 05:30:00",
        "1969-12-31 23:59:59",
        "0000-00-00T00:00:00Z",
    ],
)
def test_more_placeholders(text):
    """They are no time, and no defect either: Exotel sends one with every request."""
    passthru = parse_passthru(f"EndTime={text}")
    assert (passthru.ended_raw, passthru.ended_at, passthru.defects) == (text, None, ())


@given(st.datetimes(datetime(1970, 1, 4), datetime(9998, 12, 31)))
def test_a_naive_time_is_five_and_a_half_hours_before_utc(naive):
    """In both of Exotel's forms."""
    whole = naive.replace(microsecond=0)
    utc = whole.replace(tzinfo=UTC) - timedelta(hours=5, minutes=30)
    assert instant(f"{whole:%Y-%m-%d %H:%M:%S}") == utc
    assert instant(f"{whole:%a, %d %b %Y %H:%M:%S}") == utc


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=st.just(IST)))
def test_a_plus_that_was_read_as_a_blank_is_restored(time):
    text = time.isoformat()
    assert with_plus(text.replace("+", " ")) == text
    assert instant(text.replace("+", " ")) == instant(text) == time


def test_a_restored_plus_is_a_defect():
    passthru = parse_passthru("StartTime=2024-07-31T16:42:56+05:30")
    assert passthru.started_raw == "2024-07-31T16:42:56 05:30"
    assert [defect.problem for defect in passthru.defects] == [
        "a time's '+' was read as a blank; restored"
    ]


@given(st.integers(0, 10**6 - 1), st.none() | st.integers(0, 10**20 - 1))
def test_seconds_are_rounded_down(whole, part):
    text = str(whole) if part is None else f"{whole}.{part}"
    assert seconds(text) == whole


def test_what_cannot_be_used_is_a_defect_with_its_text():
    passthru = Passthru(dial_duration_raw="soon", created_raw="yesterday", direction_raw="sideways")
    assert [(defect.field, defect.problem) for defect in passthru.defects] == [
        ("call.dial_duration", "not a number of seconds: 'soon'"),
        ("call.created", "not a time: 'yesterday'"),
        ("direction", "unknown direction 'sideways'"),
    ]


@pytest.mark.parametrize(
    "word, way",
    [
        ("incoming", "inbound"),
        ("Inbound", "inbound"),
        ("outbound-dial", "outbound"),
        ("outbound dial", "outbound"),
        ("outbound-api", "outbound"),
        ("internal", None),
        (None, None),
    ],
)
def test_a_direction_is_one_of_two(word, way):
    assert Passthru(direction_raw=word).direction == way
