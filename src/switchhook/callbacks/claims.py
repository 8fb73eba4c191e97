"""What is known when a promise is about to be dialled, and what may be said to it. Pure."""

from __future__ import annotations

import msgspec

from switchhook.callbacks.dialling import Dialling
from switchhook.callbacks.promise import Attempt, Promise, PromiseEvent, PromiseState


class Spent(msgspec.Struct, frozen=True):
    """Calls and what they cost, in the account's currency; when the first of them was asked for."""

    calls: int = 0
    money: float = 0.0
    first_ms: int | None = None


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that is due, and what was called lately.

    `calls` are the attempts to its number by any account within eight days, newest first, that rang
    or may have; `hour` what its account spent within the last hour, `number_spent` what was spent
    on the number within the last day.
    """

    promise: Promise
    calls: tuple[Attempt, ...]
    hour: Spent
    number_spent: float
    dialling: Dialling


class Wait(msgspec.Struct, frozen=True):
    """It is not dialled now, but from `due_ms` on."""

    why: str
    due_ms: int


class End(msgspec.Struct, frozen=True):
    """It is not dialled any more."""

    event: PromiseEvent
    why: str


class Claimed(msgspec.Struct, frozen=True):
    """It is dialled: the request may leave."""

    promise: Promise
    attempt: Attempt


class NotClaimed(msgspec.Struct, frozen=True):
    """It is not dialled now, and why; `promise` is how it stands, None where there is none."""

    why: str
    promise: Promise | None


def why_not(promise: Promise, attempt: int, now_ms: int) -> str:
    """Why a promise can't be dialled now as attempt number so, by itself; empty where it can."""
    if promise.state is not PromiseState.OPEN:
        return f"it is {promise.state}"
    if promise.attempts + 1 != attempt:
        return f"{promise.attempts} attempts were made meanwhile"
    if now_ms < promise.due_ms:
        return "it is not due yet"
    return ""


def ends_now(promise: Promise, now_ms: int, *, do_not_call: bool) -> End | None:
    """What ends a promise as it is about to be dialled."""
    if do_not_call:
        return End(PromiseEvent.CANCELLED, "the number is on the do-not-call list")
    if promise.erased:
        return End(PromiseEvent.CANCELLED, "the number was erased")
    if now_ms >= promise.until_ms:
        return End(PromiseEvent.EXPIRED, "its time was over")
    return None
