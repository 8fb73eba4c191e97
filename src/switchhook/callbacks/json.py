"""Promises as the API gives them; numbers are masked around it (`web.masking`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.acts import acts_on
from switchhook.callbacks.promise import PromiseEvent, PromiseState
from switchhook.callbacks.words import ending_words, is_over, standing_words
from switchhook.web.json import Json, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.callbacks.dialling import Dialling
    from switchhook.callbacks.do_not_call_ledger import DoNotCall
    from switchhook.callbacks.history import PromiseStep
    from switchhook.callbacks.lately import Lately
    from switchhook.callbacks.pace import CampaignPace
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.refusals import Refusal
    from switchhook.callbacks.view import AccountView, PromisesView

NOT_OVER = tuple(each for each in PromiseState if each not in ("kept", "dropped", "broken"))


def promise_json(promise: Promise, *, over: bool = False) -> Json:
    """A promise; `said` is how it stands in words, `acts` what may be done to it.

    `over` is whether the call of one that rings is known to be over.
    """
    return {
        "id": promise.id,
        "account": promise.account,
        "number": promise.number,
        "class": promise.class_ or None,
        "reason": promise.reason,
        "origin": promise.origin.value,
        "endpoint": promise.endpoint or None,
        "call_sid": promise.call_sid or None,
        "receipt": promise.receipt or None,
        "made_by": promise.made_by or None,
        "made_at": _time(promise.made_ms),
        "due_at": _time(promise.due_ms),
        "until_at": _time(promise.until_ms),
        "state": promise.state.value,
        "event": _value(promise.event),
        "since": _time(promise.since_ms),
        "why": promise.why or None,
        "said": standing_words(promise, over=over),
        "attempts": promise.attempts,
        "doubts": promise.doubts,
        "ending": ending_words(promise) or None,
        "acts": [each.value for each in acts_on(promise.state)],
    }


def story_json(promise: Promise, steps: Iterable[PromiseStep], attempts: Iterable[Attempt]) -> Json:
    """A promise with all that happened to it, and its calls, the oldest first."""
    calls = list(attempts)
    return promise_json(promise, over=is_over(promise, calls)) | {
        "steps": [step_json(each) for each in steps],
        "calls": [attempt_json(each) for each in calls],
    }


def step_json(step: PromiseStep) -> Json:
    """Something that happened; an event null is its beginning."""
    return {
        "at": _time(step.at_ms),
        "event": _value(step.event),
        "state": step.state.value,
        "why": step.why or None,
        "attempt": step.attempt or None,
        "by": step.by or None,
    }


def attempt_json(attempt: Attempt) -> Json:
    """A request to call somebody back."""
    return {
        "attempt": attempt.number,
        "asked_at": _time(attempt.asked_ms),
        "exophone": attempt.exophone,
        "state": attempt.state.value,
        "call_sid": attempt.call_sid or None,
        "outcome": None if attempt.outcome is None else attempt.outcome.value,
        "talk_s": attempt.talk_s,
        "price": attempt.price,
        "over_at": _time(attempt.done_ms),
        "problem": attempt.problem or None,
    }


def summary_json(view: PromisesView) -> Json:
    """How calling back stands."""
    return {
        "at": _time(view.now_ms),
        "states": _states_json(view.states),
        "due": view.due,
        "on_their_way": view.on_their_way,
        "over": view.over,
        "refused": view.refused,
        "owed_already": view.owed_already,
        "do_not_call": view.do_not_call,
        "lately": lately_json(view.lately),
        "accounts": [account_json(each) for each in view.accounts],
    }


def account_json(account: AccountView) -> Json:
    """How an account calls back."""
    settings = account.settings
    return {
        "account": account.name,
        "exophone": settings.exophone or None,
        "flow_id": settings.flow or None,
        "bot": settings.has_bot,
        "hours": account.hours,
        "states": _states_json(account.states),
        "due": account.due,
        "dialling": dialling_json(account.dialling, account.why_not),
        "waits": account.waits or None,
        "calls_in_hour": account.hour.calls,
        "most_calls_in_hour": settings.calls_an_hour,
        "spent_in_hour": round(account.hour.money, 4),
        "most_spent_in_hour": settings.spend_an_hour,
        "lately": lately_json(account.lately),
        "campaign_pace": pace_json(account.pace),
    }


def dialling_json(dialling: Dialling, why_not: str) -> Json:
    """The switch of an account."""
    return {
        "allowed": dialling.allowed,
        "why_not": why_not or None,
        "by": dialling.by or None,
        "since": _time(dialling.at_ms or None),
        "stopped": dialling.stopped or None,
        "stopped_by": dialling.stopped_by or None,
        "stopped_at": _time(dialling.stopped_ms),
        "held_until": _time(dialling.held_until_ms),
        "held_why": dialling.held_why or None,
    }


def lately_json(lately: Lately) -> Json:
    """How it went in the last 24 hours."""
    events = lately.by_event
    return {
        "since": _time(lately.since_ms),
        "kept": lately.kept,
        "broken": lately.broken,
        "served": events.get(PromiseEvent.SERVED, 0),
        "expired": events.get(PromiseEvent.EXPIRED, 0),
        "cancelled": events.get(PromiseEvent.CANCELLED, 0),
        "refuted": events.get(PromiseEvent.REFUTED, 0),
        "owed": lately.owed,
        "in_time": None if lately.in_time is None else round(lately.in_time, 4),
        "median_s": lately.median_s,
        "p90_s": lately.p90_s,
    }


def pace_json(pace: CampaignPace) -> Json:
    """What pace a campaign may run at."""
    calls = pace.calls_a_minute
    return {
        "allowed": pace.allowed,
        "reserve": pace.reserve,
        "mean_s": None if pace.mean_s is None else round(pace.mean_s, 1),
        "calls_a_minute": None if calls is None else round(calls, 2),
        "words": pace.words,
    }


def refusal_json(refusal: Refusal) -> Json:
    """Somebody to whom no callback was promised though a rule, or a person, wanted it."""
    return {
        "id": refusal.id,
        "at": _time(refusal.at_ms),
        "account": refusal.account,
        "number": refusal.number or None,
        "class": refusal.class_ or None,
        "reason": refusal.reason or None,
        "endpoint": refusal.endpoint or None,
        "call_sid": refusal.call_sid or None,
        "code": refusal.code.value,
        "why": refusal.why,
    }


def do_not_call_json(entry: DoNotCall) -> Json:
    """A number that is not called."""
    return {
        "number": entry.number,
        "why": entry.why or None,
        "by": entry.by or None,
        "at": _time(entry.at_ms),
        "from_file": entry.from_file,
    }


def _states_json(states: Mapping[PromiseState, int]) -> Json:
    """Those that are not over, by state."""
    return {each.value: states.get(each, 0) for each in NOT_OVER}


def _value(event: PromiseEvent | None) -> str | None:
    return None if event is None else event.value


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else time_of(at_ms * 1000)
