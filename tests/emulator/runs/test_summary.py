"""Many calls by kind, in a few lines."""

from __future__ import annotations

from types import SimpleNamespace

from switchhook.emulator.call.parameters import StreamParameters
from switchhook.emulator.runs.summary import Summary


def call(outcome, *entries):
    def find(what):
        return [entry for entry in entries if entry["what"] == what]

    trace = SimpleNamespace(find=find)
    facts = SimpleNamespace(outbound=False, from_="")
    return SimpleNamespace(
        stream_outcome=outcome, trace=trace, wanted=None, facts=facts, created=None
    )


DONE = StreamParameters(status="completed", disconnected_by="bot")
FAILED = StreamParameters(status="failed", disconnected_by="NA")
SHORT = {"what": "breach", "rule": "under-100-ms"}
ANSWER = {"what": "answer", "status": 200}


def summary(*calls):
    counted = Summary()
    for each in calls:
        counted.count(each)
    return counted


def test_calls_breaches_and_answers_are_counted_by_kind():
    heard = ({"what": "dialled_bot"}, {"what": "first_sound"}, {"what": "media"})
    counted = summary(
        call(DONE, *heard, SHORT, SHORT, ANSWER),
        call(DONE, *heard, SHORT, ANSWER),
        call(DONE, {"what": "dialled_bot"}, {"what": "media"}, ANSWER),
        call(FAILED, {"what": "dial_failed"}, {"what": "no_answer", "kind": "refused"}),
    )
    assert counted.lines() == [
        "4 calls by what became of their stream: bot_done 3, connect_failed 1",
        "the bot was not heard in 1 of them",
        "calls with breaches: under-100-ms 2",
        "passthrus by answer: 200 3, no answer (refused) 1",
    ]
    assert counted.bot_failed


def test_one_call_tells_itself_and_a_one_way_stream_is_not_mute():
    counted = summary(call(DONE, {"what": "dialled_bot"}, {"what": "media", "one_way": True}))
    assert counted.lines() == []
    assert not counted.bot_failed
