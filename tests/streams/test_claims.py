"""Claims are merged in any order, with any repeats, and what is known stays."""

from __future__ import annotations

from functools import reduce
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.passthru import Passthru
from switchhook.journal.receipt import receipt_id
from switchhook.streams.claims import all_said, first_said, last_said, merge_said, text_of

FIELDS = ("from_", "to_raw", "call_status", "started_raw", "ended_raw", "custom_field")
PLACEHOLDERS = ["", "null", "1970-01-01 05:30:00", "1970-01-01T00:00:00Z", "0000-00-00 00:00:00"]
TIMES = [*PLACEHOLDERS, None, "soon", "2026-11-29 03:00:00", "2026-11-29 03:00:07"]
NUMBERS = [None, "anonymous", "43210", "09876543210", "+14155550123"]

passthrus = st.builds(
    Passthru,
    from_raw=st.sampled_from(NUMBERS),
    to_raw=st.sampled_from(NUMBERS),
    call_status=st.sampled_from([None, "ringing", "in-progress", "completed", "busy"]),
    started_raw=st.sampled_from(TIMES),
    ended_raw=st.sampled_from(TIMES),
    custom_field=st.sampled_from([None, "a", "b"]),
)


def claims(at, passthru):
    return all_said(receipt_id(1_700_000_000_000 + at, 1, at), passthru, FIELDS)


@given(
    st.lists(passthrus, min_size=1, max_size=6),
    st.randoms(),
    st.sampled_from([first_said, last_said]),
)
def test_in_any_order_and_number_they_are_the_same(said, random: Random, choose):
    found = [claims(at, each) for at, each in enumerate(said)]
    straight = reduce(lambda one, other: merge_said(one, other, choose), found)
    mixed = [*found, *random.choices(found, k=3)]
    random.shuffle(mixed)
    assert reduce(lambda one, other: merge_said(one, other, choose), mixed) == straight


KNOWN = {
    "from_": "+919876543210",
    "to_raw": "08047112233",
    "call_status": "completed",
    "started_raw": "2026-11-29 03:00:00",
    "ended_raw": "2026-11-29 03:00:07",
}
less = st.builds(
    Passthru,
    from_raw=st.sampled_from([None, "", "anonymous", "43210"]),
    to_raw=st.sampled_from([None, "", "anonymous", "43210"]),
    call_status=st.sampled_from([None, "ringing", "in-progress"]),
    started_raw=st.sampled_from([None, "soon", *PLACEHOLDERS]),
    ended_raw=st.sampled_from([None, "soon", *PLACEHOLDERS]),
)


@given(st.lists(less, max_size=5), st.integers(0, 5), st.sampled_from([first_said, last_said]))
def test_what_is_known_stays_whatever_says_less_before_or_after(said, place, choose):
    whole = Passthru(
        from_raw="09876543210",
        to_raw=KNOWN["to_raw"],
        call_status=KNOWN["call_status"],
        started_raw=KNOWN["started_raw"],
        ended_raw=KNOWN["ended_raw"],
    )
    said.insert(place, whole)
    found = [claims(at, each) for at, each in enumerate(said)]
    merged = reduce(lambda one, other: merge_said(one, other, choose), found)
    assert {name: text_of(merged, name) for name in KNOWN} == KNOWN


def test_a_time_of_nothing_is_no_claim():
    said = [claims(0, Passthru(ended_raw=text)) for text in PLACEHOLDERS if text != "null"]
    assert not any("ended_raw" in each for each in said)
