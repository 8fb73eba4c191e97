"""What is told of a callback's call, and what follows for its promise. Pure.

A call is told of by StatusCallbacks, by the passthrus of its flow and by its details, in any order
and more than once. None of them tells everything: a passthru knows whether a stream talked, a
StatusCallback whether somebody took the call and whether that was a machine, and both may be
missing. So a talk that is told of is noted, and the promise kept once the call is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.call_told import ToldBy
from switchhook.callbacks.policy import WORDS, due_again_ms, may_be_exhausted
from switchhook.callbacks.promise import AttemptState, CallOutcome, PromiseEvent, PromiseState
from switchhook.callbacks.settings import VoicemailCounts
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from switchhook.callbacks.call_told import CallTold
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.settings import CallbackSettings

RUNG_MS = 20_000
"""How long after it can't ring any more a call's details are asked for."""
TOLD_LATE_MS = 20_000
"""How long what tells of the same call may come apart."""
LEAST_LOOK_MS, MOST_LOOK_MS = 20_000, 300_000
LOST_MS = 1_800_000
"""How long after a call must be over its details may be missing."""
DETAILS_LATE_MS = 300_000
"""How long details are waited for that would only say whether a machine answered."""
_HUMAN = "human"
_NOT_YET = {AttemptState.ASKED, AttemptState.UNKNOWN, AttemptState.NOT_PLACED}
_NO_STREAM_YET = {Cause.NO_STREAM, Cause.UNKNOWN}
_DECLINED = {"declined", "rejected", "603", "486"}
_UNANSWERED = {
    "busy": CallOutcome.BUSY,
    "no-answer": CallOutcome.NO_ANSWER,
    "canceled": CallOutcome.NO_ANSWER,
    "failed": CallOutcome.FAILED,
}


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """What follows: facts of the attempt, and an event of its promise; None where nothing moves."""

    change: AttemptChange
    event: PromiseEvent | None = None
    due_ms: int | None = None
    why: str = ""


def after_told(
    promise: Promise,
    attempt: Attempt,
    told: CallTold,
    settings: CallbackSettings,
    now_ms: int,
    chance: float,
) -> Followed:
    """What follows from what was told at `now_ms`; `chance` is from 0 to 1."""
    machine = told.machine or attempt.outcome is CallOutcome.VOICEMAIL
    talk_s = max((s for s in (attempt.talk_s, talk_in(told)) if s is not None), default=None)
    facts = AttemptChange(
        call_sid=told.call_sid or None,
        talk_s=talk_s,
        price=told.price,
        outcome=CallOutcome.VOICEMAIL if machine else None,
    )
    late = attempt.state is AttemptState.MISSED and talk_s and not machine
    outcome = CallOutcome.TALKED if late else None
    if told.over and outcome is None:
        outcome = _outcome(attempt, told, talk_s, settings, now_ms, machine=machine)
        facts = msgspec.structs.replace(facts, done_ms=attempt.done_ms or now_ms)
    if outcome is not None:
        return _over(promise, outcome, facts, settings, now_ms, chance)
    look_ms = first_look_ms(attempt, settings, now_ms)
    if told.over or told.cause is not None or told.person_s is not None:
        look_ms = min(look_ms, now_ms + TOLD_LATE_MS)
    return _placed(promise, attempt, facts, look_ms, now_ms)


def talk_in(told: CallTold) -> int | None:
    """For how many seconds a bot or a person talked; None where nothing is told of either.

    A passthru before the stream tells of none: that is no stream which failed.
    """
    return told.talk_s or (None if told.cause in _NO_STREAM_YET else told.talk_s)


def _outcome(
    attempt: Attempt,
    told: CallTold,
    talk_s: int | None,
    settings: CallbackSettings,
    now_ms: int,
    *,
    machine: bool,
) -> CallOutcome | None:
    """How a call went that is over; None where more of it may be told in a moment."""
    found = _unanswered(told)
    if found is not None:
        return found
    if machine:
        return CallOutcome.VOICEMAIL
    if told.by is not ToldBy.DETAILS:
        # The one who talked may have been a machine, and a talk may not be told of yet.
        return CallOutcome.TALKED if talk_s and told.answered_by == _HUMAN else None
    over_for_ms = now_ms - (attempt.done_ms or now_ms)
    if not told.settled and not (talk_s and over_for_ms >= DETAILS_LATE_MS):
        return None
    if talk_s:
        return CallOutcome.TALKED
    if over_for_ms < TOLD_LATE_MS:
        return None
    # Whose flow tells nothing of streams: who stayed for so long was talked to.
    stayed = talk_s is None and (told.lasted_s or 0) >= settings.served_s
    return CallOutcome.TALKED if stayed else CallOutcome.NO_STREAM


def _unanswered(told: CallTold) -> CallOutcome | None:
    """How a call went that nobody took; None where somebody did.

    The status of the whole call may be "completed" all the same (exotel-platform E.4).
    """
    if told.first_leg in _DECLINED or (told.status == "busy" and told.first_leg == "canceled"):
        return CallOutcome.DECLINED
    for status in (told.first_leg, told.status):
        if status in _UNANSWERED:
            return _UNANSWERED[status]
    return None


def _over(
    promise: Promise | None,
    outcome: CallOutcome,
    facts: AttemptChange,
    settings: CallbackSettings,
    now_ms: int,
    chance: float,
) -> Followed:
    kept = outcome is CallOutcome.TALKED or (
        outcome is CallOutcome.VOICEMAIL and settings.voicemail is VoicemailCounts.KEPT
    )
    change = msgspec.structs.replace(
        facts,
        state=AttemptState.TALKED if kept else AttemptState.MISSED,
        outcome=outcome,
        done_ms=facts.done_ms or now_ms,
    )
    if kept:
        return Followed(change=change, event=PromiseEvent.TALKED, why=WORDS[outcome])
    due_ms = due_again_ms(outcome, settings, now_ms, chance)
    if promise is not None and may_be_exhausted(promise, settings):
        due_ms = now_ms  # no attempt may be left: then nothing is waited for
    return Followed(change=change, event=PromiseEvent.MISSED, due_ms=due_ms, why=WORDS[outcome])


def _placed(
    promise: Promise, attempt: Attempt, facts: AttemptChange, look_ms: int, now_ms: int
) -> Followed:
    """The call is known; it is not known to be over, or not how it went."""
    if attempt.look_ms is not None and attempt.state is AttemptState.PLACED:
        look_ms = min(look_ms, max(attempt.look_ms, now_ms))
    change = msgspec.structs.replace(facts, look_ms=look_ms)
    ringing = promise.state is PromiseState.RINGING
    if ringing or attempt.state not in _NOT_YET or not (attempt.call_sid or facts.call_sid):
        return Followed(change=change)
    change = msgspec.structs.replace(change, state=AttemptState.PLACED)
    return Followed(change=change, event=PromiseEvent.PLACED)


def first_look_ms(attempt: Attempt, settings: CallbackSettings, now_ms: int) -> int:
    """When the details of a call that is placed now are asked for, unless it is told before."""
    return max(now_ms, attempt.asked_ms) + settings.ring_s * 1000 + RUNG_MS


def next_look_ms(attempt: Attempt, now_ms: int) -> int:
    """When to ask again for details that say nothing yet, or can't be had."""
    age_ms = now_ms - attempt.asked_ms
    return now_ms + min(max(age_ms // 2, LEAST_LOOK_MS), MOST_LOOK_MS)


def not_told(attempt: Attempt, settings: CallbackSettings, now_ms: int, problem: str) -> Followed:
    """What follows where details can't be had: another look, until there is no hope of any."""
    talked = attempt.talk_s and attempt.outcome is not CallOutcome.VOICEMAIL
    if talked and attempt.done_ms is not None and now_ms - attempt.done_ms >= DETAILS_LATE_MS:
        return _over(None, CallOutcome.TALKED, AttemptChange(), settings, now_ms, 0)
    longest_ms = (settings.ring_s + settings.longest_s) * 1000
    if now_ms < attempt.asked_ms + longest_ms + LOST_MS:
        change = AttemptChange(look_ms=next_look_ms(attempt, now_ms), problem=problem)
        return Followed(change=change)
    if talked:
        return _over(None, CallOutcome.TALKED, AttemptChange(), settings, now_ms, 0)
    why = "nobody can tell how their callback went"
    change = AttemptChange(state=AttemptState.MISSED, done_ms=now_ms, problem=problem)
    return Followed(change=change, event=PromiseEvent.GIVEN_UP, why=why)
