"""The days of all nodes' journal: listed, and dropped whole."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from handed_over import EPOCH, FENCE, now_ms, record
from switchhook.cluster import partitioned_journal
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.cluster.partitioned_journal import PartitionedJournal
from switchhook.errors import JournalError
from switchhook.exotel.times import DAY_MS
from switchhook.journal.closed import SegmentState
from switchhook.journal.source import Origin
from switchhook.retention.policy import Holdings, Matter, RetentionLimits, expired

OPEN, SEALED = SegmentState.OPEN, SegmentState.SEALED


@pytest.fixture
def journal(shared):
    with closing(MergedJournal(shared.url)) as journal:
        yield journal


@pytest.fixture
def days(shared):
    return PartitionedJournal(shared.url, FENCE)


def three_days(shared):
    """Two nodes' records of five days ago, three days ago and today; the second is late."""
    now = now_ms()
    times = [now - 5 * DAY_MS, now - 3 * DAY_MS, now]
    shared.hand_over(1, [record(seq, at) for seq, at in enumerate(times, start=1)])
    shared.place()
    shared.hand_over(2, [record(seq, at + 1) for seq, at in enumerate(times, start=1)])
    shared.place()
    return times


def test_each_day_is_a_segment_in_the_order_of_time(shared, days):
    assert days.segments() == ()
    times = three_days(shared)
    found = days.segments()
    assert [each.name for each in found] == [shared.partition(at) for at in times]
    assert [each.state for each in found] == [SEALED, SEALED, OPEN]
    assert [(each.first_seq, each.last_seq) for each in found] == [(1, 4), (2, 5), (3, 6)]
    assert [(each.first_at, each.last_at) for each in found] == [(at, at + 1) for at in times]
    assert all(each.bytes > 0 for each in found)


def test_what_comes_later_is_counted_in(shared, days):
    times = three_days(shared)
    days.segments()
    shared.hand_over(3, [record(1, times[0] - 7)])
    shared.place()
    oldest = days.segments()[0]
    assert (oldest.first_seq, oldest.last_seq, oldest.first_at) == (1, 7, times[0] - 7)


def test_a_day_goes_whole_and_readers_go_on(shared, days, journal):
    three_days(shared)
    before = journal.read(0, 10)
    oldest = days.segments()[0]
    assert days.delete(oldest) == oldest.bytes
    assert [each.seq for each in journal.read(0, 10)] == [2, 3, 5, 6]
    assert journal.get_many([1, 2, 3, 4]) == {each.seq: each for each in before[1:3]}
    assert journal.seq_of(Origin(1, 1)) is None
    assert oldest.name not in {each.name for each in days.segments()}
    assert PartitionedJournal(shared.url, FENCE).segments() == days.segments()
    days.clear_strays()


def test_a_reader_in_the_middle_of_a_transaction_holds_it_up_and_loses_nothing(shared, days):
    three_days(shared)
    oldest = days.segments()[0]
    with closing(psycopg.connect(shared.url)) as reader:
        reader.execute("SELECT count(*) FROM cluster_receipt")
        assert reader.execute("SELECT count(*) FROM cluster_receipt").fetchone() == (6,)
        with pytest.raises(JournalError):
            days.delete(oldest)
    days.clear_strays()  # what was cut short is finished
    assert oldest.name not in {each.name for each in days.segments()}
    tables = shared.connection.execute("SELECT relname FROM pg_class").fetchall()
    assert (oldest.name,) not in tables


def test_what_has_no_place_yet_keeps_its_day(shared, days):
    times = three_days(shared)
    shared.hand_over(3, [record(1, times[0])])
    with pytest.raises(JournalError, match="no place yet"):
        days.delete(days.segments()[0])
    shared.hand_over(4, [record(1, times[0] - 2 * DAY_MS)])
    lonely = days.segments()[0]
    assert (lonely.state, lonely.first_at) == (OPEN, None)


def test_a_day_that_nothing_is_in_goes(shared, days):
    three_days(shared)
    empty = shared.partition(now_ms() - 9 * DAY_MS)
    found = days.segments()[0]
    assert (found.name, found.state, found.last_at) == (empty, SEALED, None)
    days.delete(found)
    assert len(days.segments()) == 3


def test_an_empty_day_between_others_is_no_segment_and_yesterday_stays(shared, days):
    three_days(shared)
    shared.partition(now_ms() - 4 * DAY_MS)
    yesterday = shared.partition(now_ms() - DAY_MS)
    found = {each.name: each.state for each in days.segments()}
    assert len(found) == 4
    assert found[yesterday] is OPEN
    gone = expired(Holdings(days.segments(), folded_seq=6), now_ms(), now_ms())
    assert yesterday not in {each.name for each in gone}


@pytest.mark.parametrize("hour", [0.01, 12.5, 23.9])
def test_today_is_what_it_is_at_any_hour(shared, hour):
    at = f"to_timestamp({(20_000 + hour / 24) * 86_400})"
    sql = partitioned_journal._TODAY.replace("clock_timestamp()", at)
    assert shared.connection.execute(sql).fetchone() == (20_000,)


def test_what_is_undated_goes_by_when_it_was_placed(shared, days, journal):
    now = now_ms()
    shared.hand_over(1, [record(1, 86_400_000)], undated=True, clock_ms=86_400_000 - now)
    shared.hand_over(1, [record(2, now + 400 * DAY_MS)], undated=True)
    shared.place()
    (found,) = days.segments()
    assert found.name.startswith("undated_")
    assert (found.first_seq, found.last_seq, found.state) == (1, 2, OPEN)
    assert found.last_at == pytest.approx(now, abs=60_000)
    shared.connection.execute("UPDATE cluster_place SET steady = steady - %s", (4 * DAY_MS,))
    shared.hand_over(1, [record(3, now)])
    shared.place()
    old = PartitionedJournal(shared.url, FENCE)
    assert [each.state for each in old.segments()] == [SEALED, OPEN]
    old.delete(old.segments()[0])
    assert [each.seq for each in journal.read(0, 9)] == [3]
    left = shared.connection.execute("SELECT count(*) FROM cluster_receipt_undated").fetchone()
    assert left == (0,)


def test_retention_takes_the_days_that_are_too_old(shared, days):
    three_days(shared)
    before = RetentionLimits(raw_days=4).before_ms(Matter.RAW, now_ms())
    segments = days.segments()
    assert expired(Holdings(segments, folded_seq=6), before, now_ms()) == segments[:1]
    assert expired(Holdings(segments, folded_seq=3), before, now_ms()) == ()


def test_who_leads_no_more_removes_nothing(shared, days):
    three_days(shared)
    oldest = days.segments()[0]
    shared.connection.execute("UPDATE cluster_lease SET epoch = %s", (EPOCH + 1,))
    with pytest.raises(JournalError, match="leads no more"):
        days.delete(oldest)
    assert len(shared.places()) == 6
