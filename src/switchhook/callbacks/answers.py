"""What follows from Exotel's answer to a request for a call. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.outcome import first_look_ms as details_from_ms
from switchhook.callbacks.promise import AttemptState, PromiseEvent
from switchhook.callbacks.unknown import first_look_ms
from switchhook.exotel.connect_answer import ConnectOutcome

if TYPE_CHECKING:
    from switchhook.callbacks.promise import Attempt
    from switchhook.callbacks.settings import CallbackSettings
    from switchhook.exotel.connect_answer import ConnectAnswer

FIRST_PAUSE_S, MOST_PAUSE_S, MOST_IN_DOUBT_S = 5.0, 300.0, 20.0
"""How long an account dials nobody after a failure, and after many in a row: where Exotel said that
it can't call, and where nobody knows."""
MOST_UNKNOWN_REFUSALS = 3
"""Refusals of different numbers in a row without a known reason: then it is the account's."""


class Pauses:
    """When an account may ask Exotel to call again, after it could not."""

    def __init__(self) -> None:
        self._failures = 0
        self._failed_ms: int | None = None
        self._paused_ms = self._told_ms = 0

    @property
    def until_ms(self) -> int:
        """Until when it asks nobody."""
        return max(self._paused_ms, self._told_ms)

    def after(self, answer: ConnectAnswer, asked_ms: int, now_ms: int) -> None:
        """An answer came to a request that left at `asked_ms`.

        What fails together is one failure: it was asked before the first of it was known.
        """
        if answer.retry_after_s:
            self._told_ms = max(self._told_ms, now_ms + int(answer.retry_after_s * 1000))
        if answer.outcome in (ConnectOutcome.PLACED, ConnectOutcome.REFUSED_NUMBER):
            self._failures = self._paused_ms = 0
            return
        if self._failed_ms is not None and asked_ms <= self._failed_ms and self._failures:
            return
        most_s = MOST_IN_DOUBT_S if answer.outcome is ConnectOutcome.AMBIGUOUS else MOST_PAUSE_S
        self.pause(now_ms, min(FIRST_PAUSE_S * 2 ** min(self._failures, 10), most_s))
        self._failures += 1

    def pause(self, now_ms: int, seconds: float) -> None:
        """It could not be asked: ask it again after a while."""
        self._failed_ms = now_ms
        self._paused_ms = max(self._paused_ms, now_ms + int(seconds * 1000))

    def why(self, now_ms: int) -> str:
        """Why nobody is called now, in words; empty where somebody may be."""
        if now_ms >= self.until_ms:
            return ""
        again_s = math.ceil((self.until_ms - now_ms) / 1000)
        return f"Exotel could not call, and is asked again in {again_s} s"


class Refusals:
    """The numbers that were refused one after the other without a known reason."""

    def __init__(self) -> None:
        self._numbers: list[str] = []

    def after(self, answer: ConnectAnswer, number: str) -> str:
        """Why the account has to be stopped, in words; empty where it hasn't."""
        if answer.outcome is ConnectOutcome.STOP_ACCOUNT:
            return answer.problem
        if answer.outcome is ConnectOutcome.PLACED:
            self._numbers.clear()
        if answer.outcome is not ConnectOutcome.REFUSED_NUMBER:
            return ""
        if not answer.unknown:
            self._numbers.clear()
            return ""
        if number not in self._numbers:
            self._numbers.append(number)
        if len(self._numbers) < MOST_UNKNOWN_REFUSALS:
            return ""
        self._numbers.clear()
        return f"{MOST_UNKNOWN_REFUSALS} numbers in a row were refused: {answer.problem}"


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What follows: facts of the attempt, and an event of its promise."""

    change: AttemptChange
    event: PromiseEvent
    due_ms: int | None = None
    why: str = ""


def after_answer(
    attempt: Attempt,
    answer: ConnectAnswer,
    settings: CallbackSettings,
    now_ms: int,
    again_ms: int,
) -> Answered:
    """What follows from an answer at `now_ms`; who was not called now is due at `again_ms`."""
    problem = answer.problem or None
    match answer.outcome:
        case ConnectOutcome.PLACED:
            return Answered(
                change=AttemptChange(
                    state=AttemptState.PLACED,
                    call_sid=answer.call_sid,
                    look_ms=details_from_ms(attempt, settings, now_ms),
                ),
                event=PromiseEvent.PLACED,
            )
        case ConnectOutcome.AMBIGUOUS:
            change = AttemptChange(
                state=AttemptState.UNKNOWN, look_ms=first_look_ms(attempt), problem=problem
            )
            return Answered(change=change, event=PromiseEvent.AMBIGUOUS, why=answer.problem)
        case ConnectOutcome.REFUSED_NUMBER:
            change = AttemptChange(state=AttemptState.REFUSED, done_ms=now_ms, problem=problem)
            return Answered(change=change, event=PromiseEvent.REFUSED, why=answer.problem)
        case ConnectOutcome.POSTPONED | ConnectOutcome.STOP_ACCOUNT:
            change = AttemptChange(state=AttemptState.NOT_PLACED, done_ms=now_ms, problem=problem)
            return Answered(
                change=change,
                event=PromiseEvent.POSTPONED,
                due_ms=again_ms,
                why=answer.problem,
            )
