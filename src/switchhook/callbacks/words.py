"""How a promise stands, in words for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.promise import PromiseEvent, PromiseState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.settings import CallbackSettings, CallingHours

_S = PromiseState
LEVELS = {
    _S.UNPROVEN: "muted",
    _S.OPEN: "live",
    _S.PAUSED: "warn",
    _S.DIALLING: "live",
    _S.UNKNOWN: "warn",
    _S.RINGING: "live",
    _S.KEPT: "good",
    _S.DROPPED: "muted",
    _S.BROKEN: "bad",
}
"""How a state looks: red is what somebody has to look at, amber what stands still."""

MEANINGS = {
    _S.UNPROVEN: "Exotel is asked for the details of the call; nothing is dialled until they fit.",
    _S.OPEN: "It waits until it is due and may be dialled.",
    _S.PAUSED: "A person holds it back.",
    _S.DIALLING: "Exotel is being asked to call.",
    _S.UNKNOWN: "Exotel was asked, and did not say whether it calls. Nothing is dialled meanwhile.",
    _S.RINGING: "Exotel calls. How it went is not known yet.",
    _S.KEPT: "They were called back, and talked.",
    _S.DROPPED: "It is not owed any more.",
    _S.BROKEN: "It could not be kept.",
}

OVER = "Its call is over. Exotel has not said yet how it went."

ENDED_BY = {
    PromiseEvent.TALKED: "called back",
    PromiseEvent.SERVED: "served after all",
    PromiseEvent.REFUTED: "not what it said",
    PromiseEvent.EXPIRED: "expired",
    PromiseEvent.CANCELLED: "cancelled",
    PromiseEvent.EXHAUSTED: "out of attempts",
    PromiseEvent.REFUSED: "refused by Exotel",
    PromiseEvent.GIVEN_UP: "in doubt twice",
}
"""What ended a promise."""


def reason_words(promise: Promise) -> str:
    """Why it is in its state; "" where its state says it all."""
    if promise.why or not promise.final or promise.event is None:
        return promise.why
    return ENDED_BY.get(promise.event, promise.event.value)


def standing_words(promise: Promise, *, over: bool = False) -> str:
    """Where it stands in one line: why it ended, or what it waits for.

    `over` is whether the call of one that rings is known to be over.
    """
    return reason_words(promise) or (OVER if over else MEANINGS[promise.state])


def is_over(promise: Promise, attempts: Iterable[Attempt]) -> bool:
    """Whether the call of one that rings is told to be over."""
    last = max(attempts, key=lambda each: each.number, default=None)
    return promise.state is _S.RINGING and last is not None and last.done_ms is not None


def ending_words(promise: Promise) -> str:
    """What ends it once the call on its way is over; "" for nothing, or where it is over."""
    if promise.ending is None or promise.final:
        return ""
    said = ENDED_BY.get(promise.ending, promise.ending.value)
    why = f" ({promise.ending_why})" if promise.ending_why else ""
    return f"ends after this call unless they talk: {said}{why}"


def hours_words(hours: CallingHours, zone: str) -> str:
    """When it is dialled: `9:00 to 21:00, Asia/Kolkata, every day`."""
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    days = "every day" if len(hours.days) == 7 else ", ".join(names[day] for day in hours.days)
    return f"{_clock(hours.from_minute)} to {_clock(hours.until_minute)}, {days}, {zone}"


def target_words(settings: CallbackSettings) -> str:
    """What a callback leads to."""
    return f"flow {settings.flow}" if settings.flow else "a bot"


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"
