"""What the caller hears, by arithmetic: laws of the queue (exotel-platform C.4, C.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.emulator.sound.playout import GAP_S, Playout

RATE = 8000
STEPS = st.lists(
    st.tuples(
        st.floats(0, 2), st.sampled_from(["take", "mark", "clear", "due"]), st.integers(0, 9600)
    ),
    max_size=40,
)


@given(STEPS)
def test_marks_come_once_in_order_and_audio_is_accounted_for(steps):
    playout = Playout(RATE, keep=True)
    at, sent, marks, echoed, forgotten, cleared = 0.0, 0.0, 0, [], [], 0.0
    for wait, what, size in steps:
        at += wait
        before = playout.heard_until
        if what == "take":
            playout.take(at, bytes(size))
            sent += size / (2 * RATE)
            assert playout.heard_until >= max(before, at)
        elif what == "mark":
            assert playout.mark(at, str(marks)) >= at
            marks += 1
        elif what == "due":
            echoed += playout.due(at)
        else:
            echoed += playout.due(at)
            dropped, names = playout.clear(at)
            cleared += dropped
            forgotten += names
            assert playout.heard_until <= max(before, at)
    echoed += playout.due(at + 1e6)
    assert sorted(map(int, echoed + forgotten)) == list(range(marks))
    assert echoed == sorted(echoed, key=int)
    assert playout.next_due is None
    assert playout.spoken_s <= sent + 1e-9
    assert playout.spoken_s == pytest.approx(sent - cleared, abs=len(steps) * GAP_S + 1e-6)


def test_chunks_queue_and_a_ragged_one_leaves_a_gap():
    playout = Playout(RATE)
    assert playout.take(10.0, bytes(3200)) == pytest.approx(10.2)
    assert playout.take(10.1, bytes(3200)) == pytest.approx(10.4)
    assert playout.take(10.1, bytes(3300)) == pytest.approx(10.4 + 3300 / 16000 + GAP_S)
    assert playout.take(20.0, bytes(320)) == pytest.approx(20.02)


def test_a_chunk_that_plays_is_not_cut():
    playout = Playout(RATE, keep=True)
    playout.take(0.0, bytes(16000))
    playout.mark(0.0, "first")
    playout.take(0.0, bytes(16000))
    playout.mark(0.0, "second")
    dropped, forgotten = playout.clear(0.5)
    assert dropped == pytest.approx(1.0)
    assert forgotten == ["second"]
    assert playout.heard_until == pytest.approx(1.0)
    assert [start for start, _ in playout.pieces] == [0.0]
    assert playout.due(1.0) == ["first"]
