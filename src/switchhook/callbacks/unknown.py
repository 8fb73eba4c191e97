"""What to do while nobody knows whether Exotel calls: which lists to look at, and what they say.

Pure. A request for a call that was not answered may have placed it. StatusCallbacks and passthrus
carry our CustomField and would tell; the list of calls has none, and is asked by number, ExoPhone,
direction and time. It doesn't have a call that still rings or talks (Bulk Call Details says so),
so that a call which isn't in it proves nothing before it would be over. Only two lists, the last
made when it would be, say that it was *not placed*; and a second doubt is not trusted even then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.promise import read_custom_field
from switchhook.exotel.fields import e164
from switchhook.exotel.times import IST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.settings import CallbackSettings
    from switchhook.exotel.wire.calls import CallRecord

REQUEST_MS = 35_000
"""How long a request for a call may take, until it is given up."""
FIRST_LIST_MS = 45_000
APART_MS = 30_000
"""How far apart two lists have to be, to count as two."""
LISTED_AFTER_MS = 45_000
"""How long after its end a call may be missing in the list."""
FAILED_AGAIN_MS = 15_000
LEAST_LISTS = 2
MOST_DOUBTS = 2
"""With so many doubts a promise is given up."""
NEAR_MS = 120_000
"""How far Exotel's clock may be from ours."""
_OUTBOUND = "outbound"


class Found(msgspec.Struct, frozen=True):
    """A list has the call."""

    call_sid: str


class LookAgain(msgspec.Struct, frozen=True):
    """Nothing is known yet; the next list is due at `look_ms`. `lists` counts the good ones."""

    lists: int
    look_ms: int


class NotPlaced(msgspec.Struct, frozen=True):
    """The lists don't have it. `final` is whether the promise is given up."""

    lists: int
    final: bool


def first_look_ms(attempt: Attempt) -> int:
    """When the first list is due."""
    return attempt.asked_ms + FIRST_LIST_MS


def last_look_ms(attempt: Attempt, settings: CallbackSettings) -> int:
    """From when on a list says that there is no call: it would be over, and in the list."""
    longest_ms = (settings.ring_s + settings.longest_s) * 1000
    return attempt.asked_ms + REQUEST_MS + longest_ms + LISTED_AFTER_MS


def rung_out_ms(attempt: Attempt, settings: CallbackSettings) -> int:
    """From when on a call that nobody knows of rings no more: it talks, is over, or never was."""
    return attempt.asked_ms + REQUEST_MS + settings.ring_s * 1000


def looks_ms(attempt: Attempt, settings: CallbackSettings) -> tuple[int, ...]:
    """When lists are looked at: at once, again, when calls that nobody took are over, and all."""
    first = first_look_ms(attempt)
    rung_out = rung_out_ms(attempt, settings) + LISTED_AFTER_MS
    return first, first + APART_MS, rung_out, last_look_ms(attempt, settings)


def next_look_ms(attempt: Attempt, settings: CallbackSettings, listed_ms: int) -> int:
    """When to look again after a good list at `listed_ms`."""
    last = last_look_ms(attempt, settings)
    later = (each for each in looks_ms(attempt, settings) if each >= listed_ms + APART_MS)
    return min(later, default=max(last, listed_ms + APART_MS))


def after_list(
    promise: Promise,
    attempt: Attempt,
    rows: Iterable[CallRecord] | None,
    others: Callable[[str], bool],
    settings: CallbackSettings,
    now_ms: int,
    country: str = "IN",
) -> Found | LookAgain | NotPlaced:
    """What a list at `now_ms` says; `rows` is None where it could not be had.

    `others` tells whether a CallSid is known to be another call than this attempt's; numbers
    without a country code are of `country`.
    """
    if rows is None:
        return LookAgain(attempt.lists, now_ms + FAILED_AGAIN_MS)
    for row in rows:
        if is_callback(row, promise, attempt, country) and not others(row.sid):
            return Found(row.sid)
    lists = attempt.lists + 1
    if lists >= LEAST_LISTS and now_ms >= last_look_ms(attempt, settings):
        return NotPlaced(lists, promise.doubts >= MOST_DOUBTS)
    return LookAgain(lists, next_look_ms(attempt, settings, now_ms))


def is_callback(row: CallRecord, promise: Promise, attempt: Attempt, country: str = "IN") -> bool:
    """Whether a call of the list may be the one that an attempt asked for.

    In doubt it is: one that a person placed by hand at that time is better taken for ours than
    somebody called twice.
    """
    named = read_custom_field(row.custom_field)
    if named is not None:
        return named == (promise.token, attempt.number)
    if row.direction and not row.direction.lower().startswith(_OUTBOUND):
        return False
    if row.created is not None:
        since_ms = row.created.replace(tzinfo=IST).timestamp() * 1000 - attempt.asked_ms
        if not -NEAR_MS <= since_ms <= REQUEST_MS + NEAR_MS:
            return False
    return promise.number in (e164(row.from_, country), e164(row.to, country))
