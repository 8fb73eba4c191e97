"""How a promise stands, in words."""

from __future__ import annotations

import msgspec

from callbacks.test_acts import promise
from switchhook.callbacks.promise import FINAL, NEXT, PromiseEvent, PromiseState
from switchhook.callbacks.settings import HOURS, CallbackSettings, CallingHours
from switchhook.callbacks.words import (
    ENDED_BY,
    LEVELS,
    MEANINGS,
    ending_words,
    hours_words,
    standing_words,
    target_words,
)


def test_every_state_has_its_words_and_its_look():
    assert LEVELS.keys() == MEANINGS.keys() == set(PromiseState)


def test_every_end_has_its_words():
    assert {event for (_, event), state in NEXT.items() if state in FINAL} == ENDED_BY.keys()


def test_the_line_says_why_else_what_ended_it_else_what_it_waits_for():
    ended = msgspec.structs.replace(promise(PromiseState.DROPPED), event=PromiseEvent.SERVED)
    assert standing_words(ended) == "served after all"
    assert standing_words(msgspec.structs.replace(ended, why="a bot talked")) == "a bot talked"
    assert standing_words(promise(PromiseState.OPEN)).startswith("It waits until it is due")


def test_what_ends_it_after_its_call_is_told():
    ringing = promise(PromiseState.RINGING)
    assert ending_words(ringing) == ""
    ending = msgspec.structs.replace(ringing, ending=PromiseEvent.CANCELLED, ending_why="asked")
    assert ending_words(ending) == "ends after this call unless they talk: cancelled (asked)"
    for state in FINAL:
        assert ending_words(msgspec.structs.replace(ending, state=state)) == ""


def test_hours_and_target_are_told():
    assert hours_words(HOURS["default"], "Asia/Kolkata") == (
        "9:00 to 21:00, every day, Asia/Kolkata"
    )
    assert hours_words(CallingHours(8 * 60 + 5, 1140, (0, 4)), "UTC") == (
        "8:05 to 19:00, Mon, Fri, UTC"
    )
    assert target_words(CallbackSettings(flow="4711")) == "flow 4711"
    assert target_words(CallbackSettings(has_bot=True)) == "a bot"
