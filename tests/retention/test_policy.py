"""What may go, and when: never too early, and always to an end."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.times import DAY_MS
from switchhook.journal.closed import Segment, SegmentState, closed_up_to
from switchhook.retention.policy import (
    DeleteRows,
    DeleteSegment,
    Holdings,
    Matter,
    Removed,
    RetentionLimits,
    Roll,
    expired,
    next_step,
    report,
)

NOW = 1_000 * DAY_MS
FOR_EVER = RetentionLimits(0, 0, 0, 0, 0, 0, 0)


def segment(first, last, first_day, last_day, state=SegmentState.SEALED):
    name = f"{first:020d}.sqlite"
    if last < first:
        return Segment(name, state, first, last)
    return Segment(name, state, first, last, first_day * DAY_MS, last_day * DAY_MS, 100)


OLD = segment(1, 10, 100, 110)
NEWER = segment(11, 20, 111, 990)
OPEN = segment(21, 30, 990, 999, SegmentState.OPEN)


def limits(**days):
    return msgspec.structs.replace(FOR_EVER, **days)


def test_a_segment_goes_when_all_of_it_is_older():
    holdings = Holdings((OLD, NEWER, OPEN), folded_seq=30)
    assert expired(holdings, 110 * DAY_MS, NOW) == ()
    assert expired(holdings, 110 * DAY_MS + 1, NOW) == (OLD,)
    assert expired(holdings, 991 * DAY_MS, NOW) == (OLD, NEWER)


def test_what_is_not_folded_stays():
    assert expired(Holdings((OLD, NEWER, OPEN), folded_seq=9), NOW, NOW) == ()
    assert expired(Holdings((OLD, NEWER, OPEN), folded_seq=10), NOW, NOW) == (OLD,)


def test_the_last_segment_stays_whatever_its_age():
    """Its name is what the journal counts on from, sealed or not."""
    assert expired(Holdings((OLD, NEWER), folded_seq=30), NOW, NOW) == (OLD,)


def test_an_empty_open_segment_needs_the_one_before():
    """It alone says how far time has come."""
    begun = segment(21, 20, 0, 0, SegmentState.OPEN)
    assert expired(Holdings((OLD, NEWER, begun), folded_seq=30), NOW, NOW) == (OLD,)
    assert expired(Holdings((begun,), folded_seq=30), NOW, NOW) == ()


def test_an_abandoned_segment_goes_with_the_others_and_a_superseded_one_at_once():
    abandoned = msgspec.structs.replace(OLD, state=SegmentState.ABANDONED)
    dead = segment(11, 10, 0, 0, SegmentState.SUPERSEDED)
    assert expired(Holdings((abandoned, dead, NEWER, OPEN), 30), 200 * DAY_MS, NOW) == (
        abandoned,
        dead,
    )
    assert expired(Holdings((dead, NEWER, OPEN), 30), 0, NOW) == (dead,)


def test_the_open_segment_is_sealed_before_it_holds_anything_back():
    holdings = Holdings((OPEN,), folded_seq=30)
    assert next_step(holdings, limits(raw_days=100), NOW) is None
    assert next_step(holdings, limits(raw_days=90), NOW) == Roll(30)
    assert next_step(holdings, FOR_EVER, NOW) is None


def test_stories_go_before_what_they_point_into():
    holdings = Holdings((OLD, NEWER, OPEN), 30, {Matter.STORIES: 100 * DAY_MS})
    step = next_step(holdings, limits(raw_days=500, stories_days=500), NOW)
    assert step == DeleteRows(Matter.STORIES, 500 * DAY_MS)
    told = Holdings((OLD, NEWER, OPEN), 30, {Matter.STORIES: 990 * DAY_MS})
    assert next_step(told, limits(raw_days=500, stories_days=500), NOW) == DeleteSegment(OLD)


def test_nothing_is_kept_for_ever_only_where_nothing_is_said():
    holdings = Holdings((OLD, NEWER, OPEN), 30, dict.fromkeys(Matter, 0))
    assert next_step(holdings, FOR_EVER, NOW) is None


def test_the_report_has_every_class_with_its_oldest_row():
    holdings = Holdings((OLD, NEWER, OPEN), 30, {Matter.AUDIT: 900 * DAY_MS})
    gone = {Matter.RAW: Removed(Matter.RAW, 7, 70, NOW)}
    by = {each.matter: each for each in report(holdings, limits(raw_days=800), gone, NOW)}
    assert set(by) == set(Matter)
    assert by[Matter.RAW].oldest_ms == 100 * DAY_MS
    assert by[Matter.RAW].overdue_ms == 100 * DAY_MS
    assert by[Matter.RAW].removed.rows == 7
    assert (by[Matter.AUDIT].oldest_ms, by[Matter.AUDIT].overdue_ms) == (900 * DAY_MS, 0)
    assert by[Matter.CAPACITY].oldest_ms is None


@pytest.mark.parametrize("seq, closed", [(20, True), (21, False), (99, False)])
def test_whether_everything_up_to_a_seq_is_closed(seq, closed):
    assert closed_up_to((OLD, NEWER, OPEN), seq) is closed


@st.composite
def journals(draw):
    """Segments as a writer leaves them: consecutive, time never going back, the last one open."""
    found, seq, at = [], 1, draw(st.integers(0, 500)) * DAY_MS
    for _ in range(draw(st.integers(0, 8))):
        count = draw(st.integers(0, 5))
        state = draw(st.sampled_from([SegmentState.SEALED, SegmentState.ABANDONED]))
        until = at + draw(st.integers(0, 100)) * DAY_MS
        found.append(
            Segment(f"{seq}", state, seq, seq + count - 1, at, until)
            if count
            else Segment(f"{seq}-{len(found)}", state, seq, seq - 1)
        )
        seq, at = seq + count, until if count else at
    if draw(st.booleans()):
        found.append(Segment(f"{seq}", SegmentState.OPEN, seq, seq, at, at))
    return tuple(found)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    segments=journals(),
    folded=st.integers(0, 40),
    days=st.lists(st.integers(0, 900), min_size=7, max_size=7),
    rows=st.lists(st.lists(st.integers(0, 1000), max_size=5), min_size=7, max_size=7),
)
def test_retention_removes_nothing_that_is_younger_and_ends(segments, folded, days, rows):
    """Every step is carried out as asked until there is none; each makes something less."""
    rules = RetentionLimits(*days)
    left = {matter: sorted(each) for matter, each in zip(Matter, rows, strict=True)}
    left.pop(Matter.RAW)
    steps = 0
    while True:
        oldest = {m: each[0] * DAY_MS if each else None for m, each in left.items()}
        step = next_step(Holdings(segments, folded, oldest), rules, NOW)
        if step is None:
            break
        steps += 1
        assert steps < 100
        match step:
            case DeleteSegment(gone):
                limit = rules.raw_days
                assert limit
                assert gone.last_at is None or gone.last_at < NOW - limit * DAY_MS
                assert gone.last_seq <= folded or gone.state is SegmentState.SUPERSEDED
                assert gone != segments[-1]
                segments = tuple(each for each in segments if each != gone)
            case DeleteRows(matter, before):
                limit = rules.days(matter)
                assert limit
                assert before <= NOW - limit * DAY_MS
                removed = [day for day in left[matter] if day * DAY_MS < before]
                assert removed
                left[matter] = [day for day in left[matter] if day * DAY_MS >= before]
            case Roll(seq):
                assert segments[-1].state is SegmentState.OPEN
                last = segments[-1]
                sealed = msgspec.structs.replace(last, state=SegmentState.SEALED)
                empty = Segment(f"{seq + 1}", SegmentState.OPEN, seq + 1, seq)
                segments = (*segments[:-1], sealed, empty)
    for matter in left:
        limit = rules.days(matter)
        assert not limit or all(day * DAY_MS >= NOW - limit * DAY_MS for day in left[matter])


def test_a_segment_that_is_damaged_goes_when_the_one_after_it_may_have_begun():
    """Nobody knows its times: it is as old as what came next, and never goes before that."""
    lost = Segment("b", SegmentState.DAMAGED, 11, 20)
    after = segment(21, 30, 500, 600)
    holdings = Holdings((OLD, lost, after, OPEN), folded_seq=30)
    assert expired(holdings, 111 * DAY_MS, NOW) == (OLD,)
    assert expired(holdings, 500 * DAY_MS, NOW) == (OLD,)
    assert expired(holdings, 500 * DAY_MS + 1, NOW) == (OLD, lost)
