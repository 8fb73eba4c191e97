"""Few connections for many threads."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from switchhook.shared_connections import MOMENT_S, REST_S, Sharing


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_threads_that_ask_briefly_go_by_one():
    sharing, begun, done = Sharing(Clock()), threading.Event(), []

    def second():
        begun.set()
        with sharing.one():
            done.append("second")

    with sharing.one():
        thread = threading.Thread(target=second)
        thread.start()
        begun.wait()
        done.append("first")
    thread.join()
    assert (done, sharing.open) == (["first", "second"], 1)


def test_one_more_is_opened_a_moment_after_the_last_began_and_stays_while_it_is_needed():
    clock = Clock()
    sharing = Sharing(clock)
    with ExitStack() as held:
        for number in range(1, 4):
            held.enter_context(sharing.one())
            assert sharing.open == number
            clock.now += MOMENT_S
    with sharing.one(), sharing.one(), sharing.one():  # nobody waits
        assert sharing.open == 3


def test_half_of_them_are_tried_now_and_then_down_to_one():
    clock = Clock()
    sharing = Sharing(clock)
    with sharing.one():
        clock.now += MOMENT_S
        with sharing.one():
            clock.now += MOMENT_S
            with sharing.one():
                clock.now += REST_S - 1
            assert sharing.open == 3
    for left in (3, 2, 1, 1):
        with sharing.one():
            pass
        assert sharing.open == left
        clock.now += REST_S
    with sharing.one():
        clock.now += MOMENT_S
        with sharing.one():  # more are there again as soon as they are needed
            assert sharing.open == 2


def test_an_error_frees_its_place():
    sharing = Sharing(Clock())
    with pytest.raises(ValueError, match="wrong"), sharing.one():
        raise ValueError("wrong")
    with sharing.one():
        assert sharing.open == 1
