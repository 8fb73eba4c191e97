"""How promises are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.words import ending_words, is_over, standing_words
from switchhook.cli import output
from switchhook.exotel.phone_numbers import mask_text, masked
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.callbacks.dialling import Dialling
    from switchhook.callbacks.do_not_call_ledger import DoNotCall
    from switchhook.callbacks.history import PromiseStep
    from switchhook.callbacks.promise import Attempt, Promise
    from switchhook.callbacks.refusals import Refusal


def print_promises(promises: Sequence[Promise]) -> None:
    """A line for each, with how it stands; numbers are masked."""
    output.print_table(
        (
            "ID",
            "STATE",
            "NUMBER",
            "ACCOUNT",
            "CLASS",
            "MADE",
            "DUE",
            "UNTIL",
            "TRIES",
            "HOW",
            "FOR",
        ),
        (
            (
                each.id,
                each.state.value,
                masked(each.number),
                each.account,
                each.class_,
                moment(each.made_ms),
                "" if each.final else moment(each.due_ms),
                "" if each.final else moment(each.until_ms),
                each.attempts,
                mask_text(standing_words(each)),
                mask_text(each.reason),
            )
            for each in promises
        ),
    )


def print_story(
    promise: Promise, steps: Sequence[PromiseStep], attempts: Sequence[Attempt], *, whole: bool
) -> None:
    """One promise with all that happened to it; its number is masked where it is not `whole`."""
    output.print_pairs(
        [
            ("promise", promise.id),
            ("number", promise.number if whole else masked(promise.number)),
            ("account", promise.account),
            ("class", promise.class_),
            ("promised for", promise.reason),
            ("made by", promise.made_by or promise.endpoint),
            ("for the call", promise.call_sid),
            ("state", promise.state.value),
            ("why", standing_words(promise, over=is_over(promise, attempts))),
            ("", ending_words(promise)),
            ("due", None if promise.final else moment(promise.due_ms)),
            ("until", None if promise.final else moment(promise.until_ms)),
        ]
    )
    if steps:
        output.out.print()
        output.print_table(
            ("WHEN", "WHAT", "STATE", "ATTEMPT", "BY", "WHY"), (_step_row(each) for each in steps)
        )
    if attempts:
        output.out.print()
        output.print_table(
            ("ATTEMPT", "ASKED", "STATE", "HOW IT WENT", "TALK", "CALL", "PROBLEM"),
            (_attempt_row(each) for each in attempts),
        )


def _step_row(step: PromiseStep) -> tuple[object, ...]:
    return (
        moment(step.at_ms),
        "made" if step.event is None else step.event.value,
        step.state.value,
        step.attempt or "",
        step.by,
        mask_text(step.why),
    )


def _attempt_row(attempt: Attempt) -> tuple[object, ...]:
    return (
        attempt.number,
        moment(attempt.asked_ms),
        attempt.state.value,
        "" if attempt.outcome is None else attempt.outcome.value,
        "" if attempt.talk_s is None else f"{attempt.talk_s} s",
        attempt.call_sid,
        mask_text(attempt.problem),
    )


def print_refusals(refusals: Sequence[Refusal]) -> None:
    """Callers to whom nobody owes a callback though a rule wanted it."""
    output.print_table(
        ("WHEN", "NUMBER", "ACCOUNT", "ENDPOINT", "WHAT", "WHY", "CALL"),
        (
            (
                moment(each.at_ms),
                masked(each.number),
                each.account,
                each.endpoint,
                each.code.value,
                mask_text(each.why),
                each.call_sid,
            )
            for each in refusals
        ),
    )


def print_do_not_call(entries: Sequence[DoNotCall]) -> None:
    """Numbers that are never called, masked."""
    output.print_table(
        ("NUMBER", "SINCE", "BY", "WHY"),
        (
            (
                masked(each.number),
                moment(each.at_ms),
                each.by or "the file",
                mask_text(each.why),
            )
            for each in entries
        ),
    )


def dialling_words(dialling: Dialling, now_ms: int) -> str:
    """Whether an account may dial, in one line."""
    why = dialling.why_not(now_ms)
    if why:
        return f"account {dialling.account}: {why}"
    return f"account {dialling.account} may dial, since {moment(dialling.at_ms)} by {dialling.by}"


def moment(ms: int) -> str:
    """Month, day and time of day where this machine stands."""
    return output.day_clock(time_of(ms * 1000))
