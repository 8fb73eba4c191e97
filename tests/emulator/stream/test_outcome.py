"""What a passthru tells of a stream, by who ended it and how the bot closed."""

from __future__ import annotations

import pytest

from switchhook.emulator.plan.behaviour import Behaviour
from switchhook.emulator.stream.outcome import stream_outcome

FAILED, COMPLETED = Behaviour(dropped_is="failed"), Behaviour(dropped_is="completed")


def told(by, closed=None, behaviour=FAILED, *, unanswered=False):
    return stream_outcome(
        by,
        closed,
        behaviour,
        sid="s1",
        url="wss://bot.example/x",
        seconds=9.9,
        recording_url=None,
        unanswered=unanswered,
    )


@pytest.mark.parametrize(
    ("by", "closed", "unanswered", "status", "disconnected_by"),
    [
        ("bot", (1000, ""), False, "completed", "bot"),
        ("bot", (1001, ""), True, "completed", "bot"),
        ("bot", (1005, ""), False, "completed", "bot"),
        ("bot", (1006, ""), False, "failed", "bot"),
        ("bot", (4001, "enough"), True, "failed", "bot"),
        ("caller", None, False, "completed", "user"),
        ("caller", None, True, "cancelled", "user"),
        ("flow", None, True, "completed", "NA"),
        ("limit", None, False, "completed", "NA"),
        ("stop", None, True, "completed", "NA"),
    ],
)
def test_the_matrix(by, closed, unanswered, status, disconnected_by):
    outcome = told(by, closed, unanswered=unanswered)
    assert (outcome.status, outcome.disconnected_by) == (status, disconnected_by)
    assert (outcome.error is not None) == (status == "failed")
    whole = status != "cancelled"
    assert (outcome.duration_s, outcome.url) == (
        (9, "wss://bot.example/x") if whole else (None,) * 2
    )


@pytest.mark.parametrize(
    ("closed", "error"),
    [
        ((1006, ""), "websocket: close 1006 (abnormal closure): unexpected EOF"),
        ((1011, "oh no"), "websocket: close 1011 (internal server error): oh no"),
        ((1011, ""), "websocket: close 1011 (internal server error)"),
        ((4001, "enough"), "websocket: close 4001: enough"),
    ],
)
def test_how_a_drop_is_worded(closed, error):
    assert told("bot", closed).error == error


def test_a_drop_can_be_told_as_completed():
    outcome = told("bot", (1006, ""), COMPLETED)
    assert (outcome.status, outcome.error) == ("completed", None)
