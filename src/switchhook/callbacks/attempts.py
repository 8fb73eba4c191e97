"""What becomes of an attempt, and whether what is told of one moves its promise. Pure.

What is told of a call comes from several sources, in any order and more than once: an attempt only
ever goes forward, and only the newest one moves its promise, except that a talk is a talk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.promise import Attempt, AttemptState, CallOutcome, PromiseEvent

if TYPE_CHECKING:
    from switchhook.callbacks.promise import Promise

_S = AttemptState
ATTEMPT_NEXT: dict[AttemptState, frozenset[AttemptState]] = {
    _S.ASKED: frozenset({_S.UNKNOWN, _S.PLACED, _S.NOT_PLACED, _S.REFUSED, _S.TALKED, _S.MISSED}),
    _S.UNKNOWN: frozenset({_S.PLACED, _S.NOT_PLACED, _S.TALKED, _S.MISSED}),
    # The lists told of it late.
    _S.NOT_PLACED: frozenset({_S.PLACED, _S.TALKED, _S.MISSED}),
    _S.PLACED: frozenset({_S.TALKED, _S.MISSED}),
    # The passthru that tells of the talk came after the end of the call.
    _S.MISSED: frozenset({_S.TALKED}),
    _S.REFUSED: frozenset({_S.PLACED, _S.TALKED, _S.MISSED}),
    _S.TALKED: frozenset(),
}
"""What an attempt may become."""

OVER = frozenset({_S.NOT_PLACED, _S.REFUSED, _S.TALKED, _S.MISSED})
RANG = frozenset({_S.ASKED, _S.UNKNOWN, _S.PLACED, _S.TALKED, _S.MISSED})
"""Attempts that rang at somebody's, or may have: they count by day and cost money."""


class AttemptChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an attempt; None says nothing. See `Attempt`."""

    state: AttemptState | None = None
    call_sid: str | None = None
    outcome: CallOutcome | None = None
    talk_s: int | None = None
    price: float | None = None
    lists: int | None = None
    look_ms: int | None = None
    done_ms: int | None = None
    problem: str | None = None


def attempt_after(attempt: Attempt, change: AttemptChange) -> Attempt:
    """An attempt after what was told of it.

    A state that it can't go to any more, and how the call went by that state, is no news; its SID,
    price and talk are facts all the same. One that is over is not looked at again.
    """
    told = {
        name: value for name, value in msgspec.structs.asdict(change).items() if value is not None
    }
    state = told.get("state", attempt.state)
    if state is not attempt.state and state not in ATTEMPT_NEXT[attempt.state]:
        for name in ("state", "outcome", "done_ms", "problem", "look_ms"):
            told.pop(name, None)
    after = msgspec.structs.replace(attempt, **told)
    return msgspec.structs.replace(after, look_ms=None) if after.state in OVER else after


def counts_for(promise: Promise, attempt: int, event: PromiseEvent) -> bool:
    """Whether what is told of an attempt moves its promise.

    The end of an older attempt must not have the promise dialled again while a newer one rings.
    """
    return not attempt or event is PromiseEvent.TALKED or attempt == promise.attempts
