"""What happened to promises, and what it comes to. Pure values; times are Unix ms."""

from __future__ import annotations

import msgspec

from switchhook.callbacks.promise import PromiseEvent, PromiseState


class PromiseStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a promise. `event` is None at its beginning.

    `attempt` is the one that it was about, or 0; `by` the person who did it, or empty. Where it
    changed nothing yet, as an end that waits for a call, `state` is as before.
    """

    id: int
    promise: int
    at_ms: int
    event: PromiseEvent | None
    state: PromiseState
    why: str
    attempt: int
    by: str


class LiveCount(msgspec.Struct, frozen=True):
    """How many promises of an account and class are in a state, of those that are not over."""

    account: str
    class_: str
    state: PromiseState
    count: int


class EndedCount(msgspec.Struct, frozen=True):
    """How many promises of an account came to an end lately, and to which."""

    account: str
    state: PromiseState
    event: PromiseEvent
    count: int


class PromiseCounts(msgspec.Struct, frozen=True):
    """How many promises there are: `live` are not over, `due` of them are, by account.

    `ended` are those that ended within the last day.
    """

    live: tuple[LiveCount, ...] = ()
    due: dict[str, int] = {}
    ended: tuple[EndedCount, ...] = ()

    def in_state(self, state: PromiseState) -> int:
        """How many are in a state: of a final one, since it ended within the last day."""
        several = self.ended if state in {each.state for each in self.ended} else self.live
        return sum(each.count for each in several if each.state is state)


class Total(msgspec.Struct, frozen=True):
    """How often something happened since the ledger began.

    `kind` says what `name` is of: `made` (a promise's origin), `refused` (a code of refusals),
    `event` (what moved a promise) or `outcome` (how a callback went).
    """

    account: str
    kind: str
    name: str
    count: int


class CallbackTime(msgspec.Struct, frozen=True):
    """A promise that was kept: when it was made, when the call that kept it was asked for."""

    account: str
    class_: str
    made_ms: int
    called_ms: int
    until_ms: int


class KeptShare(msgspec.Struct, frozen=True):
    """Of the callbacks that were owed until their end, how many were kept within their time."""

    account: str
    kept: int
    owed: int
