"""Promises as the page of a call shows them: those made in it, and the one that it was to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.policy import WORDS
from switchhook.callbacks.promise import AttemptState, PromiseEvent
from switchhook.callbacks.words import LEVELS, reason_words
from switchhook.calls.promised import Callback, CallPromise, PromiseMove
from switchhook.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchhook.callbacks.history import PromiseStep
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.ledger.database import Ledger

MADE = "A callback was promised"
_E = PromiseEvent
TITLES = {
    _E.PROVEN: "The call was confirmed, and the callback is owed",
    _E.REFUTED: "The callback is not owed: the call is not as it was told",
    _E.DIALLED: "Exotel was asked to call back",
    _E.PLACED: "Exotel calls back",
    _E.AMBIGUOUS: "Nobody knows whether Exotel calls back",
    _E.POSTPONED: "Exotel did not call back",
    _E.REFUSED: "Exotel refused to call back",
    _E.NOT_PLACED: "Exotel had not called back",
    _E.GIVEN_UP: "The callback was given up",
    _E.TALKED: "The callback was taken",
    _E.MISSED: "The callback came to nothing",
    _E.EXHAUSTED: "No callback is left to it",
    _E.SERVED: "The caller was served, and no callback is owed",
    _E.EXPIRED: "The time for the callback was over",
    _E.CANCELLED: "The callback was cancelled",
    _E.PAUSED: "The callback was held back",
    _E.RESUMED: "The callback may go on",
    _E.RETRIED: "A callback is owed again",
}
"""What happened to a promise, on the timeline of a call."""
_STATES = {
    AttemptState.ASKED: ("Exotel is being asked", "live"),
    AttemptState.UNKNOWN: ("nobody knows whether it was placed", "warn"),
    AttemptState.PLACED: ("on its way", "live"),
    AttemptState.NOT_PLACED: ("not placed", "muted"),
    AttemptState.REFUSED: ("refused by Exotel", "bad"),
    AttemptState.TALKED: ("they talked", "good"),
    AttemptState.MISSED: ("it came to nothing", "warn"),
}


class PromiseStories:
    """The promises of calls, in a ledger; none where that can't be read now."""

    def __init__(self, ledger: Ledger) -> None:
        self._lists = PromiseLists(ledger)

    def of(self, call_sid: str) -> Sequence[CallPromise]:
        try:
            return [self._story(each) for each in self._lists.by_call(call_sid)]
        except LedgerError:
            return ()

    def _story(self, promise: Promise) -> CallPromise:
        return story_of(promise, self._lists.history(promise.id), self._lists.attempts(promise.id))


def story_of(
    promise: Promise, steps: Sequence[PromiseStep], attempts: Sequence[Attempt]
) -> CallPromise:
    """A promise with its steps and attempts, in words."""
    return CallPromise(
        id=promise.id,
        state=promise.state.value,
        level=LEVELS[promise.state],
        why=reason_words(promise),
        reason=promise.reason,
        class_=promise.class_,
        made_for=promise.call_sid,
        moves=tuple(_moves(steps)),
        callbacks=tuple(map(_callback, attempts)),
    )


def _moves(steps: Sequence[PromiseStep]) -> Iterator[PromiseMove]:
    dialled = 0
    for step in steps:
        if step.event is PromiseEvent.DIALLED:  # with it the attempt begins
            dialled += 1
            yield _move(step, dialled)
        else:
            yield _move(step, step.attempt)


def _move(step: PromiseStep, attempt: int) -> PromiseMove:
    by = f"by {step.by}" if step.by else ""
    return PromiseMove(
        at_ms=step.at_ms,
        words=MADE if step.event is None else TITLES[step.event],
        why="; ".join(filter(None, (step.why, by))),
        level=LEVELS[step.state],
        attempt=attempt,
    )


def _callback(attempt: Attempt) -> Callback:
    words, level = _STATES[attempt.state]
    if attempt.outcome is not None:
        words = WORDS[attempt.outcome]
    if attempt.talk_s and attempt.state is AttemptState.TALKED:
        words = f"{words} for {attempt.talk_s} s"
    return Callback(attempt.number, attempt.asked_ms, attempt.call_sid, words, level)
