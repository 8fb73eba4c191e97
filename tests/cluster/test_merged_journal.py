"""The journal of all nodes, read as one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from handed_over import now_ms, record
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.errors import ClusterError, JournalError
from switchhook.exotel.times import DAY_MS
from switchhook.journal.source import Origin


@pytest.fixture
def journal(shared):
    with closing(MergedJournal(shared.url)) as journal:
        yield journal


@pytest.fixture
def filled(shared, journal):
    """Thirty records of three nodes on two days, and one of 1970."""
    start = now_ms() - DAY_MS
    for node in (1, 2, 3):
        some = [
            record(seq, start + seq * 3_600_000, b"%d/%d" % (node, seq), asked=seq, option=1)
            for seq in range(1, 11)
        ]
        shared.hand_over(node, some)
    shared.place()
    behind = 3_600_000 - now_ms()
    shared.hand_over(4, [record(1, 3_600_000, b"of 1970")], undated=True, clock_ms=behind)
    shared.place()
    return journal


def test_a_journal_that_nobody_began_is_empty(journal):
    assert journal.read(0, 10) == []
    assert journal.read_back(None, 10) == []
    assert (journal.last_seq(), journal.first_seq(), journal.node) == (0, 0, None)
    assert journal.get(1) is None
    assert journal.get_many([]) == {}
    assert journal.seek(0) == 1
    assert journal.seq_of(Origin(1, 1)) is None
    assert journal.size_bytes() > 0


def test_reads_in_both_directions(filled):
    found = filled.read(0, 100)
    assert [each.seq for each in found] == list(range(1, 32))
    assert [each.seq for each in filled.read(28, 2)] == [29, 30]
    assert filled.read_back(None, 100) == found[::-1]
    assert filled.read_back(4, 2) == [found[2], found[1]]
    assert [each.seq for each in filled.read(0, 3)] == [1, 2, 3]
    assert filled.read(31, 5) == []
    first = found[0]
    assert first.origin == Origin(1, 1)
    assert (first.body, first.asked, first.option, first.mono) == (b"1/1", 1, 1, None)
    assert (first.steady, first.damage) == (first.at, "")
    for node in (1, 2, 3):
        assert [each.origin.seq for each in found if each.origin.node == node] == [*range(1, 11)]
    assert found[-1].body == b"of 1970"
    assert found[-1].at == 3_600_000
    assert abs(found[-1].steady - now_ms()) < 60_000


def test_reads_no_more_bytes_than_wanted_but_always_one_record(filled):
    assert [each.seq for each in filled.read(0, 100, max_bytes=1)] == [1]
    assert [each.seq for each in filled.read(0, 100, max_bytes=7)] == [1, 2, 3]
    assert [each.seq for each in filled.read_back(None, 100, max_bytes=1)] == [31]


def test_gets_single_records_and_knows_both_numbers(filled):
    assert filled.get_many([3, 30, 99]).keys() == {3, 30}
    for each in filled.read(0, 100):
        assert filled.seq_of(each.origin) == each.seq
        assert filled.get(each.seq) == each
    assert filled.seq_of(Origin(3, 11)) is None


def test_seeks_by_time(filled):
    found = filled.read(0, 30)
    assert filled.seek(found[0].steady) == 1
    assert filled.seek(found[7].steady) == 7  # the first of three at that time
    assert filled.seek(found[7].steady + 1) == 10
    assert filled.seek(found[7].steady, low=8) == 8
    assert filled.seek(found[-1].steady + DAY_MS, high=31) == 31
    assert filled.seek(found[9].steady, high=5) == 5
    assert filled.seek(7, time_of=lambda place, _: place) == 7


def test_what_is_handed_over_later_is_seen(shared, filled):
    shared.hand_over(2, [record(11, now_ms())])
    assert filled.read(31, 10) == []  # it has no place yet
    shared.place()
    assert [each.origin for each in filled.read(31, 10)] == [Origin(2, 11)]
    assert filled.last_seq() == 32


def test_a_record_that_was_changed_in_the_database_is_damaged(shared, filled):
    shared.connection.execute(
        "UPDATE cluster_receipt SET body = 'forged' WHERE node = 2 AND seq = 4"
    )
    place = filled.seq_of(Origin(2, 4))
    damaged = [each for each in filled.read(0, 100) if each.damage]
    assert [each.seq for each in damaged] == [place]
    assert "record 4 of node 2 is damaged" in damaged[0].damage
    assert filled.get(place) is None
    assert filled.damage.keys() == {place}


def test_what_came_damaged_stays_so(shared, journal):
    hole = record(2, 0, b"", kind=-1, damage="it is missing")
    shared.hand_over(1, [record(1, now_ms())])
    shared.hand_over(1, [hole], undated=True)
    shared.place()
    assert [each.damage for each in journal.read(0, 5)] == ["", "it is missing"]


def test_a_day_that_is_gone_is_passed_over(shared, filled):
    before = filled.read(0, 100)
    day = before[0].at // DAY_MS
    shared.connection.execute(f"DROP TABLE {shared.partition(day * DAY_MS)}")
    kept = [each for each in before if each.at // DAY_MS != day]
    assert 0 < len(kept) < len(before)
    assert filled.read(0, 100) == kept
    assert filled.get_many(each.seq for each in before).keys() == {each.seq for each in kept}


def test_a_long_stretch_that_is_gone_is_no_end(shared, journal):
    start = now_ms() - 2 * DAY_MS
    shared.hand_over(1, [record(seq, start) for seq in range(1, 1201)])
    shared.hand_over(1, [record(1201, now_ms())])
    shared.place()
    shared.connection.execute(f"TRUNCATE {shared.partition(start)}")
    assert [each.seq for each in journal.read(0, 10)] == [1201]
    assert [each.seq for each in journal.read(5, 2000)] == [1201]


def test_connections_that_were_ended_are_replaced(shared, filled):
    with ThreadPoolExecutor(8) as many:
        assert {len(each) for each in many.map(lambda _: filled.read(0, 99), range(40))} == {31}
    ended = shared.connection.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND query LIKE '%cluster_%'"
    ).fetchone()
    assert ended[0] >= 1
    with ThreadPoolExecutor(8) as many:
        assert {len(each) for each in many.map(lambda _: filled.read(0, 99), range(40))} == {31}


def test_a_database_that_is_away_is_said_so_as_a_journal_error():
    with closing(MergedJournal("postgresql://asha:geheim@127.0.0.1:1/x")) as journal:
        with pytest.raises(JournalError, match=r"asha@127\.0\.0\.1:1/x") as said:
            journal.read(0, 1)
        assert isinstance(said.value.__cause__, ClusterError)
        assert "geheim" not in str(said.value)


def test_three_nodes_that_write_meanwhile_are_read_once_and_in_order(shared, journal):
    start, ended = now_ms(), threading.Event()

    def write() -> None:
        for turn in range(20):
            for node in (1, 2, 3):
                first = turn * 5 + 1
                some = [record(seq, start + seq, b"x") for seq in range(first, first + 5)]
                shared.hand_over(node, some)
            shared.place(most=7)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    found = []
    while not ended.is_set() or journal.last_seq() > len(found):
        found += journal.read(found[-1].seq if found else 0, 11)
    writer.join()
    assert [each.seq for each in found] == list(range(1, 301))
    for node in (1, 2, 3):
        assert [each.origin.seq for each in found if each.origin.node == node] == [*range(1, 101)]
