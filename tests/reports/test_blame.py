"""Whose it was, and how sure: never surer than Exotel's words are."""

from __future__ import annotations

import pytest

from switchhook.exotel.cause import Cause, judge
from switchhook.exotel.passthru import Passthru, Stream
from switchhook.reports.blame import OF_THE_BOT, Certainty, Whose, blame

SAID, CONCLUDED, OPEN = Certainty.SAID, Certainty.CONCLUDED, Certainty.OPEN


def of(**stream):
    return blame(judge(Passthru(stream=Stream(sid="s1", **stream))))


def failed(error, duration="0"):
    return of(status="failed", duration_raw=duration, error=error)


DIAL = "3009 failed to establish ws conn dial tcp"


@pytest.mark.parametrize(
    ("found", "whose", "certainty"),
    [
        (failed(f"{DIAL} 10.0.0.1:443: connect: connection refused"), Whose.BOT, SAID),
        (failed(f"{DIAL} 10.0.0.1:443: i/o timeout"), Whose.BOT_OR_WAY, OPEN),
        (failed(f"{DIAL}: lookup bot.example: no such host"), Whose.BOT_OR_WAY, OPEN),
        (failed("3009 failed to establish ws conn: bad handshake"), Whose.BOT_OR_WAY, CONCLUDED),
        (failed(None), Whose.BOT_OR_WAY, OPEN),
        (failed("websocket: close 1011 (internal error)", "12"), Whose.BOT, SAID),
        (failed("websocket: close 1002 (protocol error)", "12"), Whose.BOT, CONCLUDED),
        (failed("websocket: close 1006 (abnormal closure)", "12"), Whose.BOT_OR_WAY, OPEN),
        (failed(None, "12"), Whose.BOT_OR_WAY, CONCLUDED),
        (of(status="failed", detailed_status="Streaming_call_throttled"), Whose.LIMIT, SAID),
        (of(status="cancelled", disconnected_by_raw="user"), Whose.CALLER_EARLY, CONCLUDED),
        (of(status="completed", disconnected_by_raw="user"), Whose.CALLER, SAID),
        (of(status="completed", disconnected_by_raw="bot"), Whose.NOBODY, SAID),
        (of(status="completed", disconnected_by_raw="NA"), Whose.SYSTEM, SAID),
        (of(), Whose.NOT_TOLD, OPEN),
        (of(status="failed", detailed_status="Some_new_word"), Whose.NOT_TOLD, OPEN),
    ],
)
def test_whose_it_was(found, whose, certainty):
    assert (found.whose, found.certainty) == (whose, certainty)
    assert found.why.endswith(".")


def test_every_cause_has_somebody():
    assert {Whose.BOT, Whose.BOT_OR_WAY} == OF_THE_BOT
    told = {
        Cause.THROTTLED: of(status="failed", detailed_status="Streaming_call_throttled"),
        Cause.CALLER_LEFT: of(status="completed", disconnected_by_raw="user"),
    }
    assert not any(each.whose in OF_THE_BOT for each in told.values())
