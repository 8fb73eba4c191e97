"""The axis of a call: everything on it, nothing beyond it, and gaps that are said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchhook.calls.timeline import Gap, TimelineEntry, timeline

LANES = ("call", "stream", "passthru")
S = 1_000_000


def entry(at_s, lane="passthru", until_s=None):
    until = None if until_s is None else until_s * S
    return TimelineEntry(at_us=at_s * S, lane=lane, title="x", until_us=until)


def test_nothing_known_is_no_timeline():
    assert timeline([], LANES) is None


def test_entries_are_in_order_and_lanes_in_theirs():
    line = timeline([entry(9), entry(3, "stream", 9), entry(1, "passthru")], LANES)
    assert [each.at_us // S for each in line.entries] == [1, 3, 9]
    assert line.lanes == ("stream", "passthru")
    assert line.began_us == S


def test_what_came_later_is_measured_from_when_the_call_began():
    call, whole = timeline([entry(3), entry(4)], LANES), timeline([entry(3), entry(204)], LANES)
    assert (call.length_s, whole.length_s, whole.seconds_after(call.began_us)) == (1, 201, 201)


def test_a_long_silence_is_a_gap():
    line = timeline([entry(0), entry(1), entry(41), entry(100)], LANES)
    assert line.gaps == (Gap(S, 41 * S), Gap(41 * S, 100 * S))
    assert line.gaps[0].seconds == 40


def test_a_stream_that_runs_is_no_silence():
    assert timeline([entry(0, "stream", 100), entry(100)], LANES).gaps == ()


def test_a_short_silence_is_none():
    assert timeline([entry(0), entry(4)], LANES).gaps == ()


def test_one_moment_has_an_axis_too():
    line = timeline([entry(5)], LANES)
    assert line.until_us > line.from_us
    assert 0 <= line.place(line.entries[0].at_us) <= 100


@given(
    st.lists(
        st.tuples(st.integers(-(10**15), 10**15), st.sampled_from(LANES), st.integers(0, 10**12)),
        min_size=1,
        max_size=20,
    )
)
def test_everything_is_on_the_axis(parts):
    entries = [
        TimelineEntry(at_us=at, lane=lane, title="x", until_us=at + lasts)
        for at, lane, lasts in parts
    ]
    line = timeline(entries, LANES)
    assert all(line.from_us <= each.at_us <= each.end_us <= line.until_us for each in entries)
    assert all(line.from_us <= tick <= line.until_us for tick in line.ticks)
    assert len(line.ticks) <= 8
    assert all(gap.from_us < gap.until_us for gap in line.gaps)
