"""What others owe the caller of a call, as its page shows it: promised callbacks, and their calls.

Who keeps promises is wired in: `promised(call_sid)` gives those that were made for a call and those
that it is a callback of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from switchhook.calls.story import PROMISE
from switchhook.calls.timeline import TimelineEntry

if TYPE_CHECKING:
    from collections.abc import Iterator


class PromiseMove(msgspec.Struct, frozen=True):
    """Something that happened to a promise; `attempt` is the number of the callback, or 0."""

    at_ms: int
    words: str
    why: str = ""
    level: str = "muted"
    attempt: int = 0


class Callback(msgspec.Struct, frozen=True):
    """A call that was placed to keep a promise; `words` say how it went."""

    attempt: int
    asked_ms: int
    call_sid: str
    words: str
    level: str = "muted"


class CallPromise(msgspec.Struct, frozen=True, kw_only=True):
    """A promise as a call's page shows it. `made_for` is its call's SID; empty where by hand."""

    id: int
    state: str
    level: str
    why: str
    reason: str
    class_: str
    made_for: str
    moves: tuple[PromiseMove, ...] = ()
    callbacks: tuple[Callback, ...] = ()

    def callback_in(self, call_sid: str) -> Callback | None:
        """The callback that a call is; None where it is none."""
        return next((each for each in self.callbacks if each.call_sid == call_sid), None)


PromisesOf = Callable[[str], Sequence[CallPromise]]
"""The promises of a call, by its SID."""


def none_promised(_call_sid: str) -> Sequence[CallPromise]:
    """The promises of a call where nobody keeps any."""
    return ()


def promise_entries(promises: Sequence[CallPromise], call_sid: str) -> Iterator[TimelineEntry]:
    """What happened to a call's promises; of those that it is a callback of, what is about it."""
    for promise in promises:
        callback = promise.callback_in(call_sid)
        for move in promise.moves:
            if callback is not None and move.attempt != callback.attempt:
                continue
            yield TimelineEntry(
                at_us=move.at_ms * 1000,
                lane=PROMISE,
                title=move.words,
                detail=move.why,
                level=move.level,
                anchor=f"promise-{promise.id}",
            )
