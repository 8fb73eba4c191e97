"""Promises on the timeline of a call: all of its own, and what a callback's call was about."""

from __future__ import annotations

from switchhook.calls.promised import Callback, CallPromise, PromiseMove, promise_entries
from switchhook.calls.story import PROMISE

MOVES = (
    PromiseMove(1_000, "Promised a callback", "no free stream"),
    PromiseMove(2_000, "Confirmed"),
    PromiseMove(61_000, "Dialled", attempt=1),
    PromiseMove(62_000, "Busy", level="warn", attempt=1),
    PromiseMove(900_000, "Dialled", attempt=2),
    PromiseMove(950_000, "Talked", level="good", attempt=2),
)
FOUND = CallPromise(
    id=12,
    state="kept",
    level="good",
    why="they were called back and talked",
    reason="no free stream",
    class_="default",
    made_for="c1",
    moves=MOVES,
    callbacks=(Callback(1, 61_000, "k1", "busy"), Callback(2, 900_000, "k2", "talked")),
)


def told(call_sid):
    return [(each.at_us, each.title) for each in promise_entries([FOUND], call_sid)]


def test_the_call_that_it_was_made_for_has_all_of_it():
    assert told("c1") == [(each.at_ms * 1000, each.words) for each in MOVES]
    first = next(promise_entries([FOUND], "c1"))
    assert (first.lane, first.detail, first.anchor) == (PROMISE, "no free stream", "promise-12")


def test_the_calls_of_its_callbacks_have_what_is_about_them():
    assert told("k1") == [(61_000_000, "Dialled"), (62_000_000, "Busy")]
    assert told("k2") == [(900_000_000, "Dialled"), (950_000_000, "Talked")]
    assert FOUND.callback_in("k2").attempt == 2
    assert FOUND.callback_in("c1") is None
