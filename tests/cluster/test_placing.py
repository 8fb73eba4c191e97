"""Places: gapless, in each node's own order, fair, and in time whatever the clocks say."""

from __future__ import annotations

import random
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handed_over import EPOCH, FENCE, now_ms, record
from switchhook.cluster.placing import Row, Waiting, clock_problem, place_some, steady_times
from switchhook.errors import NotLeaderError
from switchhook.exotel.times import DAY_MS
from switchhook.journal.checking import UNREADABLE
from switchhook.journal.receipt import ClockStep, RecordKind, encode
from switchhook.postgresql_server import connect

NOW = 1_795_000_000_000


def waiting(**changes):
    given = {"node": 1, "until": 9, "seq": None, "at": None, "steady": None, "axis": None}
    return Waiting(**{**given, "clock_ms": 0, **changes})


def rows(*moments, kind=4000):
    return [Row(seq, at, mono, kind, None) for seq, (at, mono) in enumerate(moments, start=1)]


def test_three_nodes_take_turns_and_each_keeps_its_order(shared):
    start = now_ms() - 60_000
    for node in (1, 2, 3):
        shared.hand_over(node, [record(seq, start + 10 * seq + node) for seq in range(1, 101)])
    steps = shared.place(most=30)
    assert [step.count for step in steps][:3] == [30, 30, 30]
    places = shared.places()
    assert [place for place, _, _ in places] == list(range(1, 301))
    for node in (1, 2, 3):
        assert [seq for _, whose, seq in places if whose == node] == list(range(1, 101))
    first = places[:30]
    assert {node: sum(whose == node for _, whose, _ in first) for node in (1, 2, 3)} == {
        1: 10,
        2: 10,
        3: 10,
    }
    assert [node for _, node, _ in first[:6]] == [1, 2, 3, 1, 2, 3]  # as they belong in time


def test_what_is_committed_late_is_not_passed_over(shared):
    start = now_ms() - 60_000
    with closing(connect(shared.url)) as one, closing(connect(shared.url)) as other:
        shared.hand_over(1, [record(1, start)])
        shared.hand_over(2, [record(1, start)])
        shared.place()
        with one.transaction():
            shared.hand_over(1, [record(seq, start + seq) for seq in (2, 3)], by=one)
            with other.transaction():
                shared.hand_over(2, [record(seq, start + seq) for seq in (2, 3)], by=other)
                assert shared.place()[0].count == 0
            assert shared.place()[0].count == 2  # the other's, whose rows were written later
        assert shared.place()[0].count == 2
    assert [(node, seq) for _, node, seq in shared.places()] == [
        *((1, 1), (2, 1)),
        *((2, 2), (2, 3)),
        *((1, 2), (1, 3)),
    ]
    assert [place for place, _, _ in shared.places()] == [1, 2, 3, 4, 5, 6]


def test_holes_of_refused_records_hold_nobody_up(shared):
    start = now_ms() - 60_000
    shared.hand_over(1, [record(4, start), record(5, start), record(9, start)])
    shared.hand_over(2, [record(7, start), record(8, start)])
    shared.place()
    shared.connection.execute("UPDATE cluster_handed SET seq = 12 WHERE node = 1")
    assert [step.count for step in shared.place()] == [0]  # those were refused
    shared.hand_over(1, [record(13, start), record(15, start)])
    shared.place()
    assert [seq for _, node, seq in shared.places() if node == 1] == [4, 5, 9, 13, 15]
    assert [seq for _, node, seq in shared.places() if node == 2] == [7, 8]
    assert shared.connection.execute("SELECT seq FROM cluster_placed").fetchall() == [(8,), (15,)]


def test_a_record_of_another_day_between_is_not_passed_over(shared):
    now = now_ms()
    shared.hand_over(1, [record(1, now)])
    shared.place()
    far = record(3, now - 30 * DAY_MS)
    shared.hand_over(1, [record(2, now), far, record(5, now + 1)])
    shared.hand_over(1, [record(6, 0, kind=UNREADABLE, damage="lost")], undated=True)
    shared.place()
    assert [seq for _, _, seq in shared.places()] == [1, 2, 3, 5, 6]


def test_what_cant_be_read_stands_for_all_before_it(shared):
    start = now_ms() - 60_000
    hole = record(5, 0, b"", kind=UNREADABLE, damage="records 2 to 5 are missing")
    shared.hand_over(1, [record(1, start)])
    shared.hand_over(1, [hole], undated=True)
    shared.hand_over(1, [record(6, start)])
    shared.place()
    assert [seq for _, _, seq in shared.places()] == [1, 5, 6]


def test_it_finds_records_of_other_days(shared):
    now = now_ms()
    times = [now - 40 * DAY_MS, now - 30 * DAY_MS, now - 30 * DAY_MS + 5, now - 2 * DAY_MS, now]
    for seq, at in enumerate(times, start=1):
        shared.hand_over(1, [record(seq, at)])
        shared.place()
    shared.hand_over(1, [record(6, 86_400_000)], undated=True)
    shared.place(most=1)
    assert [seq for _, _, seq in shared.places()] == [1, 2, 3, 4, 5, 6]


def test_only_who_leads_gives_places(shared):
    shared.hand_over(1, [record(1, now_ms())])
    shared.connection.execute("UPDATE cluster_lease SET epoch = %s", (EPOCH + 1,))
    with pytest.raises(NotLeaderError):
        shared.place()
    assert shared.places() == []


def test_no_place_is_given_twice_though_all_are_removed(shared):
    shared.hand_over(1, [record(1, now_ms()), record(2, now_ms())])
    shared.place()
    shared.connection.execute("DELETE FROM cluster_place")
    shared.hand_over(1, [record(3, now_ms())])
    shared.place()
    assert shared.places() == [(3, 1, 3)]


def test_a_machine_whose_ledger_was_taken_along_keeps_its_numbers(shared):
    start = now_ms() - 60_000
    shared.connection.execute(
        "INSERT INTO cluster (one, id, key, base_node, base_seq) VALUES (1, 'c', '', 5, 13)"
    )
    shared.hand_over(2, [record(1, start)])
    assert "node 5 up to record 13 come first" in place_some(shared.connection, FENCE).problem
    shared.hand_over(5, [record(seq, start) for seq in range(11, 15)])
    shared.place(most=2)
    assert shared.places()[:3] == [(11, 5, 11), (12, 5, 12), (13, 5, 13)]
    assert sorted(shared.places()[3:]) == [(14, 2, 1), (15, 5, 14)]


def test_a_right_clock_is_believed():
    found, _ = steady_times(rows((NOW, 5), (NOW + 3, 8)), waiting(clock_ms=1500), NOW + 9)
    assert found == [NOW, NOW + 3]


@pytest.mark.parametrize("off", [DAY_MS, -DAY_MS, 10_000, -NOW + 5_000])
def test_a_clock_that_is_off_is_mended(off):
    some = rows((NOW + off, 5), (NOW + off + 3, 8))
    found, _ = steady_times(some, waiting(clock_ms=off), NOW + 9)
    assert found == [NOW, NOW + 3]
    plain = [each._replace(mono=None) for each in some]
    assert steady_times(plain, waiting(clock_ms=off), NOW + 9)[0] == [NOW, NOW + 3]


def test_a_step_that_nobody_has_measured_yet_moves_nothing():
    some = rows((NOW, 5), (NOW + DAY_MS + 1, 6), (NOW + DAY_MS + 2, 7), (NOW + 3, 8))
    found, axis = steady_times(some, waiting(), NOW + 9)
    assert found == [NOW, NOW + 1, NOW + 2, NOW + 3]
    assert axis.step.lasted_ms == 2


def test_what_another_release_knew_of_a_nodes_clocks_is_no_obstacle():
    found, axis = steady_times(rows((NOW, 5)), waiting(axis=b"\xc1", steady=NOW - 9), NOW + 9)
    assert found == [NOW]
    assert axis is not None


def test_a_clock_that_was_set_after_the_start_tells_of_what_was_before():
    some = rows((5_000, 5_000), (6_000, 6_000), (NOW, 7_000))
    assert steady_times(some, waiting(), NOW + 90)[0] == [NOW - 2_000, NOW - 1_000, NOW]
    booted = Row(3, NOW, 7_000, RecordKind.CLOCK, encode(ClockStep(boot=True)))
    found, _ = steady_times([*some[:2], booted], waiting(), NOW + 90)
    assert found == [NOW + 90, NOW + 90, NOW + 90]  # nobody knows for how long it was off


@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**6), st.none() | st.integers(0, 10**6))),
    st.integers(-(10**6), 10**6),
    st.integers(0, 10**6),
)
def test_it_never_goes_back_nor_beyond_now(steps, clock_ms, steady):
    some = rows(*((NOW + at, mono) for at, mono in steps))
    found, _ = steady_times(some, waiting(steady=NOW + steady, clock_ms=clock_ms), NOW + 10**6)
    assert found == sorted(found)
    assert all(NOW + steady <= each <= NOW + 10**6 for each in found)


def test_whatever_it_is_cut_into_the_times_are_the_same(shared):
    chance = random.Random(3)
    start, mono = now_ms() - 600_000, 1_000
    some = []
    for seq in range(1, 61):
        step = DAY_MS if 20 < seq < 40 else 0
        some.append(record(seq, start + step + 100 * seq, mono=mono + 100 * seq))
    for node, sizes in ((1, [60]), (2, [7, 1, 13, 39])):
        left = some
        for size in sizes:
            shared.hand_over(node, left[:size])
            shared.place(most=chance.randint(1, 9))
            left = left[size:]
    times = shared.connection.execute(
        "SELECT node, array_agg(steady ORDER BY seq) FROM cluster_place GROUP BY node"
    )
    found = dict(times.fetchall())
    assert found[1] == found[2] == [start + 100 * seq for seq in range(1, 61)]


def test_a_node_whose_clock_is_off_is_named():
    assert clock_problem("mumbai-2", 1_999) is None
    said = clock_problem("mumbai-2", -3 * DAY_MS)
    assert said is not None
    assert "the clock of mumbai-2 is 3 days behind the database's" in said
