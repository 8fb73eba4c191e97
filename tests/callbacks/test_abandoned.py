"""Nobody is called into a bot that is dead, and nobody waits for one that isn't."""

from __future__ import annotations

import pytest

from switchhook.callbacks.abandoned import CallOfLate, abandoned

NOW, RING_S = 1_000_000, 30


def call(ago_s, said):
    """A callback so long ago: failed, talked, rings, talks (on for long), unknown, unanswered."""
    talk_s = {"failed": 0, "talked": 25}.get(said)
    on = said in ("rings", "talks", "unknown")
    return CallOfLate(NOW - ago_s * 1000, talk_s, on, said != "unknown")


def why(*calls):
    found = abandoned([call(*each) for each in calls], RING_S, NOW)
    return None if found is None else found.why


@pytest.mark.parametrize(
    "calls",
    [
        (),
        ((5, "failed"),),
        ((5, "failed"), (20, "unanswered")),
        ((5, "failed"), (50, "talked"), (60, "failed")),
        ((5, "rings"), (50, "talked"), (60, "failed"), (61, "failed")),
        ((5, "failed"), (50, "talks"), (60, "failed"), (61, "failed")),
    ],
)
def test_one_that_failed_holds_up_nobody(calls):
    assert why(*calls) is None


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (
            ((20, "failed"), (30, "failed"), (90, "talked")),
            "the last 2 who answered found nobody there; one is called again in 40 s, to see",
        ),
        (
            ((1, "rings"), (20, "failed"), (25, "unanswered"), (30, "failed")),
            "the last 2 who answered found nobody there; one is called again in 40 s, to see",
        ),
        (((61, "failed"), (70, "failed")), ""),
        (((5, "unanswered"), (61, "failed"), (70, "failed")), ""),
        (
            ((5, "rings"), (61, "failed"), (70, "failed")),
            "one is being called, to see whether somebody is there",
        ),
        (
            ((50, "unknown"), (120, "failed"), (130, "failed")),
            "one is being called, to see whether somebody is there",
        ),
        (((130, "unknown"), (140, "failed"), (150, "failed")), ""),
        (((70, "failed"), (70, "unknown"), (71, "failed")), ""),
    ],
)
def test_after_two_one_is_called_at_a_time(calls, said):
    assert why(*calls) == said
