"""What people do to promises, one or all that a filter finds, and to which. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from switchhook.callbacks.promise import ENDS, NEXT, ON_ITS_WAY, PromiseEvent, PromiseState
from switchhook.callbacks.words import ENDED_BY
from switchhook.errors import PromiseError
from switchhook.exotel.phone_numbers import mask_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.callbacks.promise import Promise

LONGEST_WHY = 300
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff]")


class PromiseAct(StrEnum):
    """What an operator may do to a promise."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    EXPIRE = "expire"
    """End it as if its time were over."""


EVENTS = {
    PromiseAct.PAUSE: PromiseEvent.PAUSED,
    PromiseAct.RESUME: PromiseEvent.RESUMED,
    PromiseAct.CANCEL: PromiseEvent.CANCELLED,
    PromiseAct.RETRY: PromiseEvent.RETRIED,
    PromiseAct.EXPIRE: PromiseEvent.EXPIRED,
}
DEEDS = {
    PromiseAct.PAUSE: "paused promises",
    PromiseAct.RESUME: "resumed promises",
    PromiseAct.CANCEL: "cancelled promises",
    PromiseAct.RETRY: "had promises dialled again",
    PromiseAct.EXPIRE: "let promises expire",
}
"""What the audit log says of each."""
WORDS = {
    PromiseAct.PAUSE: "Hold back",
    PromiseAct.RESUME: "Go on with",
    PromiseAct.CANCEL: "Cancel",
    PromiseAct.RETRY: "Dial again",
    PromiseAct.EXPIRE: "Let expire",
}
"""What its press says."""


def possible(act: PromiseAct, state: PromiseState) -> bool:
    """Whether an act does anything to a promise in this state.

    What ends a promise whose call is on its way is kept, and ends it after that call.
    """
    event = EVENTS[act]
    return (state, event) in NEXT or (event in ENDS and state in ON_ITS_WAY)


def why_nothing(event: PromiseEvent, promise: Promise) -> str:
    """Why what happens to a promise does nothing to it, in words; empty where it does something."""
    if event in ENDS and promise.state in ON_ITS_WAY:
        if promise.ending is None:
            return ""
        return f"it ends after its call already ({_ended(promise.ending)})"
    if (promise.state, event) in NEXT:
        return ""
    already = " already" if promise.event is event else ""
    by = f" ({_ended(promise.event)})" if promise.final and promise.event is not None else ""
    return f"it is {promise.state}{already}{by}"


def _ended(event: PromiseEvent) -> str:
    return ENDED_BY.get(event, event.value)


def acts_on(state: PromiseState) -> tuple[PromiseAct, ...]:
    """What may be done to a promise in this state."""
    return tuple(each for each in PromiseAct if possible(each, state))


def counted_acts(states: Mapping[PromiseState, int]) -> dict[PromiseAct, int]:
    """To how many promises each act does something; `states` counts those that are meant."""
    found = {
        act: sum(count for state, count in states.items() if possible(act, state))
        for act in PromiseAct
    }
    return {act: count for act, count in found.items() if count}


def why_of(said: str) -> str:
    """The reason that somebody gives, without numbers. Raises PromiseError where there is none."""
    why = said.strip()
    if not _VISIBLE.search(why):
        raise PromiseError("it has no reason", "say why, for those who read it tomorrow")
    if len(why) > LONGEST_WHY:
        raise PromiseError("its reason is too long", f"at most {LONGEST_WHY} characters")
    return mask_text(why)
