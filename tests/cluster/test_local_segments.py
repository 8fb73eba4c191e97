"""When a node may let go of a part of its own journal."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from switchhook.cluster.local_segments import LocalLimits, Waiting, may_go, roll_due, waiting
from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.journal.closed import Segment, SegmentState

NOW = 1_796_000_000_000
LIMITS = LocalLimits(window_h=168, raw_days=400, ceiling_bytes=1000)
OLDEST = Segment("1", SegmentState.SEALED, 1, 10, NOW - 20 * DAY_MS, NOW - 19 * DAY_MS, 300)
NEXT = Segment("11", SegmentState.SEALED, 11, 20, NOW - 19 * DAY_MS, NOW - 1, 200)
OPEN = Segment("21", SegmentState.OPEN, 21, 25, NOW - 1, NOW, 100)
ALL = (OLDEST, NEXT, OPEN)


def gone(segments=ALL, since=None, limits=LIMITS, size=0):
    return may_go(segments, since or {}, limits, size, NOW)


def test_it_goes_once_the_database_had_it_for_the_window():
    week = 168 * HOUR_MS
    assert gone(since={"1": NOW - week}) == OLDEST
    assert gone(since={"1": NOW - week + 1}) is None
    assert gone(since={"11": NOW - week}) is None, "the oldest first"


@pytest.mark.parametrize("limits", [LIMITS, replace(LIMITS, window_h=0, raw_days=1)])
def test_what_the_database_does_not_have_stays(limits):
    assert gone(limits=limits, size=10_000) is None


def test_requests_are_not_kept_longer_than_they_may():
    since = {"1": NOW}
    assert gone(since=since, limits=replace(LIMITS, raw_days=18)) == OLDEST
    assert gone(since=since, limits=replace(LIMITS, raw_days=20)) is None
    assert gone(since=since, limits=replace(LIMITS, raw_days=0)) is None
    undated = replace(OLDEST, state=SegmentState.DAMAGED, first_at=None, last_at=None)
    assert gone((undated, OPEN), since, replace(LIMITS, raw_days=1)) is None


def test_near_the_ceiling_it_goes_before_its_time():
    assert gone(since={"1": NOW}, size=900) == OLDEST
    assert gone(since={"1": NOW}, size=899) is None


@pytest.mark.parametrize("state", [SegmentState.OPEN, SegmentState.SEALED])
def test_the_newest_and_what_is_written_stay(state):
    since = {"1": 0, "11": 0}
    assert gone((replace(OLDEST, state=state),), since) is None
    assert gone((replace(OLDEST, state=SegmentState.OPEN), NEXT, OPEN), since) is None


def test_what_holds_no_record_goes_at_once():
    assert gone((replace(OLDEST, state=SegmentState.SUPERSEDED), OPEN)) is not None
    assert gone((replace(OLDEST, last_seq=0), OPEN)) is not None


def test_what_waits_is_what_is_closed_and_not_confirmed():
    assert waiting(ALL, 0) == Waiting(2, 500)
    assert waiting(ALL, 10) == Waiting(1, 200)
    assert waiting(ALL, 19) == Waiting(1, 200)
    assert waiting(ALL, 25) == Waiting()
    assert waiting((), 0) == Waiting()


def test_an_open_one_is_sealed_before_it_holds_back_what_is_in_it():
    old = replace(OPEN, first_at=NOW - 17 * HOUR_MS)
    assert roll_due((old,), LIMITS, NOW) == 25
    assert roll_due((replace(OPEN, first_at=NOW - 16 * HOUR_MS),), LIMITS, NOW) is None
    assert roll_due((old,), replace(LIMITS, raw_days=1), NOW) == 25
    assert roll_due((replace(old, state=SegmentState.SEALED),), LIMITS, NOW) is None
    assert roll_due((), LIMITS, NOW) is None
