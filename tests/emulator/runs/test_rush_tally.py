"""What became of each caller of a rush hour: what was seen, held against what the server lists."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from switchhook.emulator.call.parameters import StreamParameters
from switchhook.emulator.runs.doubles import Doubles
from switchhook.emulator.runs.rush_tally import Fate, Listed, fates_of, tally_of

ONE, OTHER = "+919811100001", "+919811100002"
START = datetime(2026, 1, 5, 10, 0)
DONE = StreamParameters(status="completed", disconnected_by="bot")
LEFT = StreamParameters(status="completed", disconnected_by="user")
DROPPED = StreamParameters(status="failed", disconnected_by="bot")
THROTTLED = StreamParameters(status="failed", detailed_status="Streaming_call_throttled")


def call(number, outcome, *, back=False, talked=False, by="human", sid="c1", at=0, lasts=9):
    return SimpleNamespace(
        created=START + timedelta(seconds=at),
        ended=START + timedelta(seconds=at + lasts),
        facts=SimpleNamespace(from_=number, outbound=back, sid=sid),
        stream_outcome=outcome,
        talked=talked,
        answered_by=by,
    )


VOICEMAIL = call(ONE, DONE, back=True, talked=True, by="machine")


@pytest.mark.parametrize(
    ("calls", "served", "called_back"),
    [
        ([call(ONE, DONE)], True, False),
        ([call(ONE, LEFT)], True, False),
        ([call(ONE, THROTTLED)], False, False),
        ([call(ONE, DROPPED, talked=True)], False, False),
        ([call(ONE, THROTTLED), call(ONE, DONE)], True, False),
        ([call(ONE, THROTTLED), call(ONE, DONE, back=True, talked=True)], False, True),
        (
            [call(ONE, THROTTLED), call(ONE, DONE, back=True, talked=True, by="machine")],
            False,
            False,
        ),
        ([call(ONE, THROTTLED), call(ONE, None, back=True)], False, False),
    ],
)
def test_what_was_seen_of_a_caller(calls, served, called_back):
    fates = fates_of([*calls, call("+919811100009", DONE)], [ONE, OTHER])
    assert (fates[ONE].served, fates[ONE].called_back) == (served, called_back)
    assert fates[ONE].sids == ["c1"] * sum(not each.facts.outbound for each in calls)
    assert fates[OTHER] == Fate(OTHER)


@pytest.mark.parametrize(
    ("back_at", "needless"), [(5, False), (12, False), (13, True)], ids=["before", "soon", "late"]
)
def test_whoever_got_through_is_called_needlessly_once_that_was_told(back_at, needless):
    """In whatever order the calls are given: theirs ends 9 seconds after it began."""
    calls = [call(ONE, None, back=True, at=back_at), call(ONE, DONE)]
    assert fates_of(calls, [ONE])[ONE].needless is needless


def tally(*fates, listed=(), enough=1.0):
    return tally_of({each.number: each for each in fates}, listed, Doubles(), enough)


def fate(number=ONE, *, served=False, back=False, sids=("c1",)):
    return Fate(number, list(sids), served, back)


KEPT = Listed("c1", "kept", "they talked")
BROKEN = Listed("c1", "broken", "three attempts were missed")


@pytest.mark.parametrize(
    ("fates", "listed", "last"),
    [
        ([fate(served=True)], [], "1 served, 0 called back, 0 listed with a reason, 0 missing"),
        ([fate(back=True)], [KEPT], "0 served, 1 called back, 0 listed with a reason, 0 missing"),
        ([fate()], [BROKEN], "0 served, 0 called back, 1 listed with a reason, 0 missing"),
        ([fate()], [], "0 served, 0 called back, 0 listed with a reason, 1 missing"),
        (
            [fate(served=True, sids=("c0", "c1"))],
            [Listed("c0", "dropped", "they got through")],
            "1 served, 0 called back, 0 listed with a reason, 0 missing",
        ),
    ],
)
def test_everybody_is_counted_once(fates, listed, last):
    assert tally(*fates, listed=listed).lines()[-1] == f"1 callers: {last}"


def test_it_is_passed_where_enough_were_reached_and_the_others_are_listed():
    people = [fate(f"+91981120{at:04d}", served=True, sids=(f"s{at}",)) for at in range(9)]
    listed = [BROKEN, Listed("c1", "refused", "one is open already")]
    passed = tally(*people, fate(), listed=listed, enough=9.0)
    assert passed.passed
    assert passed.lines()[0] == "listed: 1 broken: three attempts were missed"
    assert not tally(*people, fate(), listed=listed, enough=9.1).passed
    assert not tally(*people, fate(), enough=9.0).passed


@pytest.mark.parametrize(
    ("one", "listed", "words"),
    [
        (fate(), [KEPT], "is listed as called back, and nobody talked to them"),
        (fate(back=True), [BROKEN], "was called back, and the list says: broken: three"),
        (fate(back=True), [], "was called back, and the list says: nothing"),
        (
            Fate(ONE, ["c1"], served=True, needless=True),
            [Listed("c1", "dropped", "they got through")],
            "was called back after they had got through by themselves",
        ),
    ],
)
def test_a_list_that_does_not_tell_what_was_seen_is_wrong(one, listed, words):
    found = tally(one, fate(OTHER, served=True, sids=("c2",)), listed=listed)
    assert not found.passed
    (line,) = [each for each in found.lines() if each.startswith("wrong: ")]
    assert words in line
    assert ONE not in line


def test_callbacks_that_nobody_talked_in_are_counted():
    fates = fates_of([call(ONE, THROTTLED), call(ONE, None, back=True)], [ONE])
    (said,) = [x for x in tally(*fates.values(), listed=[BROKEN]).lines() if "nobody talked" in x]
    assert said == "1 callbacks were answered, and nobody talked to them"


def test_a_talk_that_the_list_does_not_know_of_yet_is_no_contradiction():
    found = tally(fate(back=True), listed=[Listed("c1", "ringing", "Exotel calls.")])
    assert (found.passed, found.called_back, found.wrong) == (True, 1, ())


def test_whoever_is_called_twice_spoils_it():
    found = tally(fate(served=True))
    assert found.passed
    found.doubles.placed = found.doubles.at_once = 1
    assert not found.passed
    assert "1 to somebody who was being called already" in found.lines()[-2]
