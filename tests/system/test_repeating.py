"""A thread that does one thing again and again, until it is stopped and not before."""

from __future__ import annotations

import threading
import time

import pytest

from patience import PATIENCE_S
from program import until
from switchhook.system.repeating import Repeating


class Steps:
    """What is to be done: each step does what comes next, the last one on and on."""

    def __init__(self, *does):
        self.does = list(does)
        self.done = 0
        self.failed = []
        self.at = []

    def __call__(self):
        self.at.append(time.monotonic())
        does = self.does[min(self.done, len(self.does) - 1)]
        self.done += 1
        if isinstance(does, Exception):
            raise does
        return does


def running(steps, **how):
    repeating = Repeating("steps", steps, failed=steps.failed.append, **how)
    repeating.start()
    return repeating


def test_it_goes_on_until_it_is_stopped():
    steps = Steps(None)
    repeating = running(steps, every_s=0.001)
    until(lambda: steps.done > 5, "some steps")
    assert repeating.runs
    assert repeating.stop()
    done = steps.done
    assert (repeating.ending, repeating.runs) == (True, False)
    assert steps.done == done


def test_it_rests_until_it_is_woken():
    steps = Steps(None)
    repeating = running(steps, every_s=None)
    until(lambda: steps.done == 1, "the first")
    repeating.wake()
    until(lambda: steps.done == 2, "one more")
    repeating.wake()
    until(lambda: steps.done == 3, "and one more")
    assert repeating.stop(), "and until it is stopped"


def test_a_step_that_says_so_has_the_next_follow_at_once():
    steps = Steps(0.0, 0.0, None)
    repeating = running(steps, every_s=None)
    until(lambda: steps.done == 3, "all of them")
    repeating.stop()


def test_what_wakes_it_during_a_step_is_not_lost():
    inside, go_on = threading.Event(), threading.Event()
    done = []

    def step():
        done.append(1)
        inside.set()
        go_on.wait(PATIENCE_S)

    repeating = Repeating("step", step, every_s=None, failed=print)
    repeating.start()
    inside.wait(PATIENCE_S)
    repeating.wake()
    go_on.set()
    until(lambda: len(done) == 2, "another step")
    repeating.stop()


def test_later_is_not_at_once():
    steps = Steps(None)
    repeating = running(steps, every_s=None, later=True)
    repeating.wake()
    until(lambda: steps.done == 1, "the first, once it is woken")
    repeating.stop()


def test_it_is_not_woken_too_soon():
    steps = Steps(None)
    repeating = running(steps, every_s=None, least_s=0.2)
    until(lambda: steps.done == 1, "the first")
    repeating.wake()
    until(lambda: steps.done == 2, "the second")
    assert steps.at[1] - steps.at[0] >= 0.2
    repeating.stop()


@pytest.mark.parametrize("error", [OSError(28, "no space left on device"), KeyError("a bug")])
def test_what_hits_it_is_told_and_it_goes_on(error):
    steps = Steps(error, error, None)
    repeating = running(steps, every_s=0.001)
    until(lambda: steps.done > 3, "to go on")
    assert steps.failed == [error, error]
    repeating.stop()


def test_after_failures_it_rests_longer_each_time_until_one_goes_well():
    error = OSError()
    steps = Steps(error, error, error, error, 0.0, error, None)
    repeating = running(steps, every_s=None, again_s=0.05, longest_s=0.2)
    until(lambda: steps.done == 7, "all of them")
    repeating.stop()
    waited = [after - before for before, after in zip(steps.at, steps.at[1:], strict=False)]
    for took, least in zip(waited, (0.05, 0.1, 0.2, 0.2, 0.0, 0.05), strict=True):
        assert took >= least


def test_one_that_was_never_started_ends_at_once():
    assert Repeating("never", Steps(None), every_s=1.0, failed=print).stop()


def test_it_may_be_stopped_by_its_own_step():
    repeating: list[Repeating] = []

    def step():
        repeating[0].stop()

    repeating.append(Repeating("itself", step, every_s=0.001, failed=print))
    repeating[0].start()
    until(lambda: not repeating[0].runs, "its end")


def test_a_step_that_takes_long_is_not_waited_for_longer_than_was_asked():
    go_on = threading.Event()
    repeating = Repeating(
        "long", lambda: go_on.wait(PATIENCE_S) and None, every_s=1.0, failed=print
    )
    repeating.start()
    assert not repeating.stop(0.01)
    go_on.set()
    until(lambda: not repeating.runs, "its end")
