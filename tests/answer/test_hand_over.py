"""What the shipper says, and when it is worth a caller's while to wait for it."""

from __future__ import annotations

import pytest

from answer.desk import SteppedClock
from switchhook.answer.hand_over import IDLE_TRIAL_NS, SLOW, TRIAL_NS, HandOver


class Told:
    """A hand-over with a journal of so many records, and what it did."""

    def __init__(self, newest: int = 10) -> None:
        self.newest, self.clock = newest, SteppedClock()
        self.hand_over = HandOver(lambda: self.newest, self.clock.mono_ns)
        self.kept: list[int] = []
        self.away = 0
        self.hand_over.on_kept = lambda: self.kept.append(self.hand_over.kept)
        self.hand_over.on_away = self._lost

    def _lost(self) -> None:
        self.away += 1

    def step(self, ns: int) -> None:
        self.clock.ns += ns

    def durable(self) -> int:
        """One more record is durable."""
        self.newest += 1
        self.hand_over.durable(self.newest)
        return self.newest


@pytest.fixture
def told():
    """A hand-over whose shipper has all that there is."""
    told = Told()
    told.hand_over.connected()
    assert told.hand_over.said(10)
    return told


def test_nobody_waits_before_the_shipper_has_said_how_far_it_is():
    told = Told()
    hand_over = told.hand_over
    assert (hand_over.healthy, hand_over.kept) == (False, 0)
    assert hand_over.problem == "nothing here hands them over to the database"
    hand_over.connected()
    assert (hand_over.healthy, bool(hand_over.problem)) == (False, True)
    assert hand_over.said(10)
    assert (hand_over.healthy, hand_over.kept, hand_over.problem) == (True, 10, "")
    assert told.kept == [10]


def test_nobody_waits_for_a_shipper_that_is_lost_until_another_has_said_how_far_it_is(told):
    told.hand_over.disconnected()
    assert (told.hand_over.healthy, told.away) == (False, 1)
    told.hand_over.connected()
    assert not told.hand_over.healthy
    told.hand_over.said(10)
    assert told.hand_over.healthy


def test_nobody_waits_where_the_database_has_another_journal_of_this_node(told):
    """However quick it was before: of two machines on copies of one data folder."""
    told.hand_over.diverged = True
    assert not told.hand_over.healthy
    assert told.hand_over.problem == "the database has another machine's records of this node"
    told.hand_over.diverged = False
    assert (told.hand_over.healthy, told.hand_over.problem) == (True, "")


def test_what_is_not_there_yet_can_not_be_kept_twice(told):
    assert not told.hand_over.said(11)
    assert (told.hand_over.kept, told.kept) == (10, [10])
    told.hand_over.disconnected()
    assert "records that are not in this journal" in told.hand_over.problem
    told.newest = 11
    assert told.hand_over.said(11)
    assert told.hand_over.problem == ""


def test_of_a_database_that_went_back_the_last_word_counts(told):
    told.hand_over.said(4)
    assert (told.hand_over.kept, told.hand_over.healthy) == (4, True)


def test_after_somebody_waited_in_vain_nobody_does_until_a_copy_came_in_good_time(told):
    hand_over = told.hand_over
    late = told.durable()
    hand_over.overran()
    assert (hand_over.healthy, hand_over.problem) == (False, SLOW)
    hand_over.said(late)
    slow = told.durable()
    told.step(TRIAL_NS + 1)
    hand_over.said(slow)
    assert not hand_over.healthy
    quick = told.durable()
    behind = told.durable()
    told.step(TRIAL_NS)
    hand_over.said(quick)
    assert hand_over.healthy
    assert hand_over.said(behind)


def test_with_nothing_left_to_hand_over_the_next_one_waits_after_a_while(told):
    hand_over = told.hand_over
    late = told.durable()
    hand_over.overran()
    told.step(TRIAL_NS + 1)
    hand_over.said(late)
    told.step(IDLE_TRIAL_NS - TRIAL_NS - 1)
    assert not hand_over.healthy
    told.step(1)
    assert hand_over.healthy
    told.durable()
    assert not hand_over.healthy  # now something is left


def test_a_shipper_that_is_far_behind_is_waited_for_once_it_has_caught_up():
    told = Told(1_000)
    hand_over = told.hand_over
    hand_over.connected()
    hand_over.said(10)
    assert (hand_over.healthy, hand_over.kept) == (False, 10)
    told.step(60_000_000_000)
    hand_over.said(1_000)
    assert hand_over.healthy  # nothing is left
    newest = told.durable()
    told.step(1)
    hand_over.said(newest)
    told.durable()
    assert hand_over.healthy


def test_the_shipper_is_told_what_became_durable(told):
    hints: list[int] = []
    told.hand_over.hint = hints.append
    told.durable()
    told.durable()
    assert hints == [11, 12]
