"""Four sources, one story: who is believed, where they disagree, and when to ask again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.calls.sources import (
    FIELDS,
    GIVE_UP_MS,
    LOOKS_MS,
    MORE_LOOKS_MS,
    NEAR_US,
    DetailsAttempt,
    HeartbeatReport,
    Source,
    SourceReport,
    after_look,
    call_sources,
    first_due,
)

ENDED = 1_780_000_000_000
MINUTE = 60_000


# When to look.


def test_details_are_looked_at_two_five_and_fifteen_minutes_after_the_end():
    due = first_due("a", "c", ENDED, ENDED)
    times = []
    while due is not None:
        times.append((due.due_ms - ENDED) / MINUTE)
        due = after_look(due, DetailsAttempt.ENDED, due.due_ms, 0.5)
    assert times == [2, 5, 15]


def test_a_call_that_still_runs_is_looked_at_until_the_hour():
    due = first_due("a", "c", ENDED, ENDED)
    times = []
    while due is not None:
        times.append((due.due_ms - ENDED) / MINUTE)
        due = after_look(due, DetailsAttempt.RUNNING, due.due_ms, 0.5)
    assert times == [2, 5, 15, 30, 60]


def test_looks_that_are_late_become_one():
    late = first_due("a", "c", ENDED, ENDED + 7 * MINUTE)
    assert late.due_ms == ENDED + 5 * MINUTE
    assert (
        after_look(late, DetailsAttempt.ENDED, ENDED + 7 * MINUTE, 0.5).due_ms
        == ENDED + 15 * MINUTE
    )
    assert (
        after_look(late, DetailsAttempt.ENDED, ENDED + 20 * MINUTE, 0.5).due_ms
        == ENDED + 15 * MINUTE
    )
    assert first_due("a", "c", ENDED, ENDED + GIVE_UP_MS + 1) is None


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(DetailsAttempt), st.integers(0, 20 * MINUTE), st.floats(0, 1)),
        min_size=200,
        max_size=200,
    ),
    st.integers(-MINUTE, GIVE_UP_MS),
)
def test_looking_always_ends_within_the_hour(looks, first):
    now = ENDED + first
    due = first_due("a", "c", ENDED, now)
    asked = 0
    for look, late, chance in looks:
        if due is None:
            break
        assert due.due_ms <= ENDED + GIVE_UP_MS
        now = max(now, due.due_ms) + late
        asked += 1
        due = after_look(due, look, now, chance)
        if due is not None and look is DetailsAttempt.FAILED:
            assert due.due_ms > now
    assert due is None
    assert asked < 100


def test_every_time_is_within_the_hour():
    assert list(LOOKS_MS + MORE_LOOKS_MS) == sorted(LOOKS_MS + MORE_LOOKS_MS)
    assert MORE_LOOKS_MS[-1] <= GIVE_UP_MS


# The story.


def passthru(at=1, **fields):
    return SourceReport(Source.PASSTHRU, at, fields)


def callback(at=2, **fields):
    return SourceReport(Source.CALLBACK, at, fields)


def details(at=3, **fields):
    return SourceReport(Source.DETAILS, at, fields)


def test_nothing_said_is_no_story():
    assert call_sources([]) == call_sources([passthru()])
    assert call_sources([]).fields == ()


def test_each_field_has_its_sources():
    found = call_sources(
        [
            details(status="completed", duration="65", price="0.5"),
            passthru(status="in-progress", **{"from": "09811100001"}),
            callback(status="completed", talked="60"),
        ]
    )
    assert [each.name for each in found.fields] == [
        "status",
        "from",
        "duration",
        "talked",
        "price",
    ]
    status = found.field("status")
    assert (status.text, status.source, status.agreed) == ("completed", Source.DETAILS, True)
    assert [each.source for each in status.said] == list(Source)
    assert found.field("talked").source is Source.CALLBACK
    assert found.field("nothing") is None
    assert found.disagreements == ()


def test_where_they_disagree_it_is_said_in_words():
    found = call_sources(
        [
            callback(status="completed", recording_url="https://x/1"),
            details(status="failed", recording_url="https://x/2"),
        ]
    )
    assert found.disagreements == ("status: completed by callback, failed by call details",)
    assert found.field("status").text == "failed"


@pytest.mark.parametrize(
    "name, one, other, agreed",
    [
        ("status", "completed", "Completed ", True),
        ("status", "cancelled", "canceled", True),
        ("status", "in-progress", "failed", True),
        ("status", "busy", "no-answer", False),
        ("direction", "incoming", "inbound", True),
        ("direction", "outbound-dial", "outbound-api", True),
        ("direction", "incoming", "outbound-api", False),
        ("from", "09811100001", "+919811100001", True),
        ("from", "09811100001", "+919811100002", False),
        ("from", "anonymous", "+919811100002", True),
        ("started", "2026-01-05 10:00:00", "Mon, 05 Jan 2026 10:00:04", True),
        ("started", "2026-01-05 10:00:00", "2026-01-05 10:00:09", False),
        ("ended", "1970-01-01 05:30:00", "2026-01-05 10:00:09", True),
        ("duration", "65", "66", True),
        ("duration", "65", "80", False),
        ("talked", "", "80", True),
        ("talked", "many", "80", True),
        ("custom_field", "a", "b", False),
        ("price", "0.5", "1", True),
    ],
)
def test_what_counts_as_the_same(name, one, other, agreed):
    found = call_sources([passthru(**{name: one}), details(**{name: other})])
    assert (found.disagreements == ()) is agreed


def test_a_final_word_stands_whatever_comes_late():
    found = call_sources(
        [callback(5, status="in-progress"), callback(4, status="failed"), passthru(status="queued")]
    )
    assert found.field("status").text == "failed"
    found = call_sources([details(status=""), passthru(status="completed")])
    assert found.field("status").text == "completed"
    found = call_sources([details(9, status="in-progress"), callback(status="completed")])
    assert found.field("status").text == "completed"


def test_hostile_words_are_shown_as_one_plain_line():
    found = call_sources(
        [passthru(custom_field="a\n\x1b[2J\u202e" + "x" * 999), details(custom_field="b")]
    )
    (said,) = found.disagreements
    assert said.isprintable()
    assert len(said) < 200


TELLINGS = st.lists(
    st.tuples(
        st.sampled_from(Source),
        st.integers(0, 5),
        st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=8), max_size=4),
    ).map(lambda said: SourceReport(*said)),
    max_size=4,
    unique_by=lambda each: (each.source, each.at_us),
)


@settings(deadline=None)
@given(TELLINGS)
def test_the_order_of_telling_changes_nothing(tellings):
    stories = {repr(call_sources(order)) for order in itertools.permutations(tellings)}
    assert len(stories) == 1


# Heartbeats.


@pytest.mark.parametrize(
    "beat, troubles",
    [
        (HeartbeatReport(0, "OK"), ()),
        (HeartbeatReport(0, "WARNING"), ("heartbeat: Exotel said WARNING for the account",)),
        (
            HeartbeatReport(0, "critical", ("+918047112233",)),
            ("heartbeat: Exotel said CRITICAL for this call's number",),
        ),
        (HeartbeatReport(0, "CRITICAL", ("+918047119999",)), ()),
        (HeartbeatReport(-NEAR_US - 1, "CRITICAL"), ()),
        (HeartbeatReport(60_000_000 + NEAR_US + 1, "CRITICAL"), ()),
    ],
)
def test_heartbeats_of_the_calls_time_and_number_are_told(beat, troubles):
    found = call_sources([], [beat, beat], numbers=("08047112233",), begun_us=0, over_us=60_000_000)
    assert found.troubles == troubles


def test_without_the_calls_time_no_heartbeat_is_its():
    assert call_sources([], [HeartbeatReport(0, "CRITICAL")]).troubles == ()


# What says less.

KNOWN = {
    "status": "completed",
    "from": "09876543210",
    "to": "08047112233",
    "started": "2026-11-29 03:00:00",
    "ended": "2026-11-29 03:00:28",
    "talked": "28",
    "custom_field": "order 7",
}
_NOTHING = ["", "null", "1970-01-01 05:30:00", "0000-00-00 00:00:00"]
_LESS = {
    "status": ["", "null", "in-progress", "ringing"],
    "from": ["", "null", "anonymous"],
    "to": ["", "null", "43210"],
    "started": _NOTHING,
    "ended": _NOTHING,
    "talked": ["", "null", "0", "7"],
    "custom_field": ["", "null"],
}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Source),
            st.integers(0, 9),
            st.fixed_dictionaries(
                {}, optional={name: st.sampled_from(words) for name, words in _LESS.items()}
            ),
        ),
        max_size=5,
    ),
    st.sampled_from([Source.CALLBACK, Source.DETAILS]),
    st.integers(0, 9),
)
def test_later_events_with_less_never_stand_over_what_is_known(events, source, at_us):
    """Of the same source whatever comes; of a later source what is no number, time or end."""
    said = [SourceReport(who, at, fields) for who, at, fields in events if not later(who, source)]
    story = call_sources([*said, SourceReport(source, at_us, KNOWN)])
    fields = {name: found.text for name in KNOWN if (found := story.field(name))}
    assert fields == KNOWN


def later(one: Source, other: Source) -> bool:
    return list(Source).index(one) > list(Source).index(other)


@pytest.mark.parametrize("affected", ["+918047112233", "08047112233", "a1b2sid1abt"])
def test_a_heartbeat_is_of_the_call_by_its_number_or_the_numbers_sid(affected):
    said = {"from": "09876543210", "to": "08047112233", "phone_number_sid": "a1b2sid1abt"}
    beats = [HeartbeatReport(0, "CRITICAL", (affected,)), HeartbeatReport(0, "WARNING", ("x",))]
    story = call_sources([SourceReport(Source.CALLBACK, 0, said)], beats, begun_us=0)
    assert story.troubles == ("heartbeat: Exotel said CRITICAL for this call's number",)
