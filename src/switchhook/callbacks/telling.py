"""What people are told of how promises ended, who asked to be: `tell` of an account. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.book import PROMISE_KIND, delivery_of
from switchhook.alerts.message import Message, MessageKind
from switchhook.callbacks.promise import PromiseEvent, PromiseState
from switchhook.callbacks.words import ENDED_BY
from switchhook.errors import sentence
from switchhook.exotel.phone_numbers import mask_text, masked
from switchhook.metrics import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchhook.callbacks.history import PromiseStep
    from switchhook.callbacks.promise import Promise
    from switchhook.delivery.delivery import Delivery

    End = tuple[PromiseStep, Promise]

MOST_NAMED = 20
"""So many ends are told one by one; of the others their number."""


def deliveries_of(
    ends: Iterable[End], tell: Mapping[str, Sequence[str]], now_ms: int
) -> list[Delivery]:
    """What is to be sent: what ended together is one message to each of an account's destinations.

    `ends` are in the order of their steps, `tell` has the destinations by account.
    """
    by_account: dict[str, list[End]] = {}
    for step, promise in ends:
        if tell.get(promise.account):
            by_account.setdefault(promise.account, []).append((step, promise))
    return [
        delivery_of(message_of(account, some, now_ms), str(some[-1][0].id), to, PROMISE_KIND)
        for account, some in by_account.items()
        for to in dict.fromkeys(tell[account])
    ]


def message_of(account: str, ends: Sequence[End], now_ms: int) -> Message:
    """How promises of an account ended, in the order in which they did; at least one."""
    told = [end_words(*each) for each in ends[:MOST_NAMED]]
    first = ends[0][1].id
    if len(ends) == 1:
        ((step, promise),) = ends
        title, lines = f"A promise of account {account} is {step.state}", told
        reason = f"Promised for: {mask_text(promise.reason)}." if promise.reason else ""
        lines = [*told, *filter(None, (reason,))]
    else:
        states = Counter(step.state for step, _ in ends)
        counted = ", ".join(f"{states[each]:,} {each}" for each in PromiseState if states[each])
        title, lines = f"{len(ends):,} promises of account {account} ended: {counted}", told
        if len(ends) > MOST_NAMED:
            lines = [*told, f"And {len(ends) - MOST_NAMED:,} more."]
    return Message(
        cause=f"promises:{account}",
        say=MessageKind.NEWS,
        severity=Severity.INFO,
        title=title,
        lines=tuple(lines),
        alerts=(),
        at_ms=now_ms,
        page=f"/promises/{first}" if len(ends) == 1 else "/promises",
    )


def end_words(step: PromiseStep, promise: Promise) -> str:
    """One end: to whom, by what, how long after it was promised, and why."""
    event = step.event
    ended = "ended" if event is None else ENDED_BY.get(event, event.value)
    after = duration_text(max(step.at_ms - promise.made_ms, 0) / 1000)
    to = masked(promise.number) or "a number that was erased"
    why = "" if event is PromiseEvent.TALKED or not step.why else f": {mask_text(step.why)}"
    return sentence(f"{to}, {ended} after {after}{why}")
