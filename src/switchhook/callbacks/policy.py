"""Whether a promise may be dialled now, else when; and when it is due again. Pure.

Hours and days are the callee's, so are the days of which each has only so many calls; the ledger
sees to it that a number is on no do-not-call list, and that nothing else calls it at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.calling_hours import day_begins_ms, next_day_ms, opens_ms, zones_of
from switchhook.callbacks.claims import End, Wait
from switchhook.callbacks.promise import CallOutcome, PromiseEvent, none_left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.callbacks.claims import Situation, Spent
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.settings import CallbackSettings

JITTER = 0.1
"""By what share of it a gap may be longer or shorter."""
CAPPED_MS = 60_000
"""How long a promise waits where its account has used up its hour."""
DAY_MS = 86_400_000
WORDS = {
    CallOutcome.TALKED: "they were called back and talked",
    CallOutcome.BUSY: "their line was busy",
    CallOutcome.NO_ANSWER: "they did not answer",
    CallOutcome.DECLINED: "they declined the call",
    CallOutcome.VOICEMAIL: "a voicemail answered",
    CallOutcome.FAILED: "the call failed",
    CallOutcome.NO_STREAM: "they answered, and nobody talked to them",
}
"""How a callback went, in words."""
_NOT_SOON = {CallOutcome.BUSY, CallOutcome.DECLINED}


def decide(situation: Situation, settings: CallbackSettings, now_ms: int) -> Wait | End | None:
    """What is to be done with a promise that is due: None is to dial it now."""
    promise = situation.promise
    tries = [each for each in situation.calls if each.promise == promise.id]
    most = settings.attempts + promise.granted
    if len(tries) >= most:
        called = "once" if len(tries) == 1 else f"{len(tries)} times"
        last = max(tries, key=lambda each: each.number)
        how = f": {WORDS[last.outcome]}" if last.outcome is not None else ""
        return End(PromiseEvent.EXHAUSTED, f"they were called {called} in vain{how}")
    wait = (
        _by_gap(promise, tries, settings, now_ms)
        or _by_day(situation, settings, now_ms)
        or _by_money(situation, settings, now_ms)
        or _by_hours(situation, settings, now_ms)
    )
    if wait is not None and wait.due_ms >= promise.until_ms:
        return End(PromiseEvent.EXHAUSTED, none_left(wait.why))
    return wait or _by_account(situation, settings, now_ms)


def may_be_exhausted(promise: Promise, settings: CallbackSettings) -> bool:
    """Whether as many attempts were made as it has; some of them may have called nobody."""
    return promise.attempts >= settings.attempts + promise.granted


def _by_gap(
    promise: Promise, tries: Sequence[Attempt], settings: CallbackSettings, now_ms: int
) -> Wait | None:
    """The least gap after the last call that led to no talk, unless a person wants it at once."""
    last = max(tries, key=lambda each: each.number, default=None)
    if last is None or last.outcome is None or promise.event is PromiseEvent.RETRIED:
        return None
    again_ms = due_again_ms(last.outcome, settings, last.done_ms or last.asked_ms, 0)
    if now_ms >= again_ms:
        return None
    return Wait(WORDS[last.outcome], again_ms)


def _by_day(situation: Situation, settings: CallbackSettings, now_ms: int) -> Wait | None:
    zones = zones_of(situation.promise.number, settings.zone)
    since_ms = day_begins_ms(zones, now_ms)
    today = sum(each.asked_ms >= since_ms for each in situation.calls)
    if today < settings.a_day:
        return None
    why = f"the number was called {today} times today"
    tomorrow_ms = next_day_ms(settings.hours, zones, now_ms)
    return Wait(why, situation.promise.until_ms if tomorrow_ms is None else tomorrow_ms)


def _by_money(situation: Situation, settings: CallbackSettings, now_ms: int) -> Wait | None:
    if situation.number_spent + settings.price <= settings.spend_a_number:
        return None
    why = "calling the number has cost what it may within a day"
    first_ms = min((each.asked_ms for each in situation.calls), default=now_ms)
    return Wait(why, max(first_ms + DAY_MS, now_ms + CAPPED_MS))


def _by_hours(situation: Situation, settings: CallbackSettings, now_ms: int) -> Wait | None:
    zones = zones_of(situation.promise.number, settings.zone)
    at_ms = opens_ms(settings.hours, zones, now_ms)
    if at_ms == now_ms:
        return None
    why = "nobody is called at this hour, where they are"
    return Wait(why, situation.promise.until_ms if at_ms is None else at_ms)


def _by_account(situation: Situation, settings: CallbackSettings, now_ms: int) -> Wait | None:
    why = used_up(situation.hour, settings)
    return Wait(why, now_ms + CAPPED_MS) if why else None


def used_up(hour: Spent, settings: CallbackSettings) -> str:
    """Why an account dials nobody more within this hour, in words; empty where it may."""
    if hour.calls >= settings.calls_an_hour:
        return f"the account has made {hour.calls} calls within an hour"
    if hour.money + settings.price > settings.spend_an_hour:
        return "the account has spent what it may within an hour"
    return ""


def due_again_ms(
    outcome: CallOutcome, settings: CallbackSettings, over_ms: int, chance: float
) -> int:
    """When to try again after a callback that led to no talk; `chance` is from 0 to 1."""
    gap_s = settings.declined_gap_s if outcome in _NOT_SOON else settings.gap_s
    return over_ms + round(gap_s * 1000 * (1 + JITTER * (2 * chance - 1)))
