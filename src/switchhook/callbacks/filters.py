"""Which promises: by state, account, class, reason, number, age and when they are due. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from switchhook.callbacks.promise import FINAL, PromiseState
from switchhook.exotel.phone_numbers import counted, masked
from switchhook.exotel.times import moment_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from switchhook.callbacks.promise import Promise

LIVE = tuple(each for each in PromiseState if each not in FINAL)
"""The states of promises that are still owed."""
ENDED = tuple(each for each in PromiseState if each in FINAL)


_MOST_NAMED = 50


class PromiseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which promises; what is empty or None is no condition.

    `number` is E.164. Those that were made from `made_since_ms` on and before `made_before_ms`, and
    that are due before `due_before_ms`; times are Unix ms.
    """

    ids: tuple[int, ...] = ()
    states: tuple[PromiseState, ...] = ()
    accounts: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    reason: str = ""
    number: str = ""
    made_since_ms: int | None = None
    made_before_ms: int | None = None
    due_before_ms: int | None = None

    def matches(self, promise: Promise) -> bool:
        """Whether a promise is one of them."""
        since, before, due = self.made_since_ms, self.made_before_ms, self.due_before_ms
        return (
            promise.id in (self.ids or (promise.id,))
            and promise.state in (self.states or (promise.state,))
            and promise.account in (self.accounts or (promise.account,))
            and promise.class_ in (self.classes or (promise.class_,))
            and promise.reason == (self.reason or promise.reason)
            and promise.number == (self.number or promise.number)
            and (since is None or promise.made_ms >= since)
            and (before is None or promise.made_ms < before)
            and (due is None or promise.due_ms < due)
        )


class UnknownName(NamedTuple):
    """A name in a filter that no promise can have, by the parameter; the problem, and a hint."""

    parameter: str
    problem: str
    hint: str


def unknown_name(parameter: str, name: str, known: Collection[str]) -> UnknownName:
    """What is said of a name, `known` being all that are configured or have promises."""
    of = {"account": "calls back or has promises", "class": "is configured or has promises"}
    hint = f"known: {', '.join(sorted(known)[:_MOST_NAMED])}" if known else "there is none yet"
    return UnknownName(parameter, f"no {parameter} {name[:64]!r} {of[parameter]}", hint)


def words(wanted: PromiseFilter) -> str:
    """A filter as people read it, and the audit log keeps it: its number is masked.

    >>> words(PromiseFilter(states=(PromiseState.OPEN,), accounts=("main",)))
    'open, of account main'
    """
    parts = [", ".join(f"number {counted(each)}" for each in wanted.ids)]
    parts.append(" or ".join(wanted.states))
    parts.append(_one_of("account", wanted.accounts))
    parts.append(_one_of("class", wanted.classes))
    parts.append(f"because of {wanted.reason}" if wanted.reason else "")
    parts.append(f"to {masked(wanted.number)}" if wanted.number else "")
    parts.append(_at("made from", wanted.made_since_ms, " on"))
    parts.append(_at("made before", wanted.made_before_ms))
    parts.append(_at("due before", wanted.due_before_ms))
    return ", ".join(part for part in parts if part) or "all"


def _one_of(what: str, names: tuple[str, ...]) -> str:
    return f"of {what} {' or '.join(names)}" if names else ""


def _at(what: str, ms: int | None, after: str = "") -> str:
    if ms is None:
        return ""
    return f"{what} {moment_of(ms * 1000).isoformat(timespec='seconds')}{after}"
