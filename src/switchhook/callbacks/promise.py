"""A promise: a callback owed to a caller whose stream was throttled or failed. Pure.

All states, and all moves between them, are in `NEXT`; docs/calling-back.md draws it. A promise is
*unproven* until the details of the call that it was made for say that there was such a call, of the
same number, minutes ago. While a call for it may be on its way (dialling, unknown, ringing) nothing
dials again, and nothing ends it: what would have ended it is kept in `ending`, and ends it once
that call is known to be over without a talk.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

LONGEST_REASON = 100
NONE_LEFT = "no attempt is left before its time is over"


class PromiseState(StrEnum):
    """Where a promise stands."""

    UNPROVEN = "unproven"
    """Nothing has yet confirmed the call that it was made for."""
    OPEN = "open"
    """It waits until it is due and may be dialled."""
    PAUSED = "paused"
    """A person holds it back."""
    DIALLING = "dialling"
    """Exotel is being asked to call."""
    UNKNOWN = "unknown"
    """Exotel was asked, and nobody knows whether it calls."""
    RINGING = "ringing"
    """Exotel calls; how it went is not known yet."""
    KEPT = "kept"
    """They were called back, and talked."""
    DROPPED = "dropped"
    """It is not owed any more."""
    BROKEN = "broken"
    """It could not be kept."""


class PromiseEvent(StrEnum):
    """What happens to a promise."""

    PROVEN = "proven"
    """The details of its call confirm it."""
    REFUTED = "refuted"
    """The details of its call say otherwise, or there are none: it may be forged."""
    DIALLED = "dialled"
    """Exotel is about to be asked; kept before the request leaves."""
    PLACED = "placed"
    """Exotel answered that it calls, or the call was found since."""
    AMBIGUOUS = "ambiguous"
    """No answer came, or one that doesn't say whether Exotel calls."""
    POSTPONED = "postponed"
    """Exotel answered that it does not call, now."""
    REFUSED = "refused"
    """Exotel answered that this number is not called."""
    NOT_PLACED = "not placed"
    """Two lists of calls, far enough apart, don't have it."""
    GIVEN_UP = "given up"
    """Nobody knows for the second time whether Exotel calls, or nobody can tell how its call went:
    it is not dialled again."""
    TALKED = "talked"
    """The callback was answered, and they talked."""
    MISSED = "missed"
    """The callback is over without a talk: busy, no answer, declined, failed, a voicemail."""
    EXHAUSTED = "exhausted"
    """No attempt, hour, call of the day or money is left to it in its time."""
    SERVED = "served"
    """The caller got through by themselves, or a person talked to them."""
    EXPIRED = "expired"
    """Its time is over."""
    CANCELLED = "cancelled"
    """A person cancelled it, or its number may not be called any more."""
    PAUSED = "paused"
    RESUMED = "resumed"
    RETRIED = "retried"
    """A person has it dialled again."""


def _moves() -> dict[tuple[PromiseState, PromiseEvent], PromiseState]:
    state, event = PromiseState, PromiseEvent
    waiting = (state.UNPROVEN, state.OPEN, state.PAUSED)
    on_its_way = (state.DIALLING, state.UNKNOWN, state.RINGING)
    return {
        (state.UNPROVEN, event.PROVEN): state.OPEN,
        (state.UNPROVEN, event.REFUTED): state.DROPPED,
        **{
            (each, end): state.DROPPED
            for each in waiting
            for end in (event.SERVED, event.EXPIRED, event.CANCELLED)
        },
        (state.OPEN, event.PAUSED): state.PAUSED,
        (state.PAUSED, event.RESUMED): state.OPEN,
        (state.OPEN, event.EXHAUSTED): state.BROKEN,
        (state.OPEN, event.DIALLED): state.DIALLING,
        (state.DIALLING, event.PLACED): state.RINGING,
        (state.DIALLING, event.AMBIGUOUS): state.UNKNOWN,
        (state.DIALLING, event.POSTPONED): state.OPEN,
        (state.DIALLING, event.REFUSED): state.BROKEN,
        (state.UNKNOWN, event.PLACED): state.RINGING,
        (state.UNKNOWN, event.NOT_PLACED): state.OPEN,
        (state.UNKNOWN, event.GIVEN_UP): state.BROKEN,
        (state.RINGING, event.GIVEN_UP): state.BROKEN,
        # A callback's end may be told of before its beginning.
        **{(each, event.TALKED): state.KEPT for each in on_its_way},
        **{(each, event.MISSED): state.OPEN for each in on_its_way},
        # The call was there all the same, and the list told of it late.
        (state.OPEN, event.PLACED): state.RINGING,
        (state.PAUSED, event.PLACED): state.RINGING,
        (state.OPEN, event.TALKED): state.KEPT,
        (state.PAUSED, event.TALKED): state.KEPT,
        (state.BROKEN, event.TALKED): state.KEPT,
        (state.BROKEN, event.RETRIED): state.OPEN,
        (state.DROPPED, event.RETRIED): state.OPEN,
    }


NEXT = _moves()
"""Every move there is."""

FINAL = frozenset({PromiseState.KEPT, PromiseState.DROPPED, PromiseState.BROKEN})
ON_ITS_WAY = frozenset({PromiseState.DIALLING, PromiseState.UNKNOWN, PromiseState.RINGING})
ENDS = frozenset({PromiseEvent.SERVED, PromiseEvent.EXPIRED, PromiseEvent.CANCELLED})
"""What ends a promise at once where it waits, and after its call where one is on its way."""


class PromiseOrigin(StrEnum):
    """Who made a promise."""

    RULE = "rule"
    HAND = "hand"


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One promise. Times are Unix ms; numbers are E.164.

    `token` names it in CustomField. It was made for the call `call_sid` by the receipt `receipt` of
    `endpoint`, or by hand, where these are empty. It may be dialled from `due_ms` on and is over at
    `until_ms`. `attempts` counts what was dialled, `doubts` of these that nobody knew of whether
    Exotel called. `ending` is the event that ends it once the call on its way is over. `why` says
    in words why it is in its state, `event` is what brought it there, since `since_ms`. `granted`
    are attempts that people gave it beyond the configured ones.
    """

    id: int = 0
    token: str
    account: str
    number: str
    class_: str
    reason: str
    origin: PromiseOrigin
    endpoint: str = ""
    call_sid: str = ""
    receipt: str = ""
    made_by: str = ""
    made_ms: int
    due_ms: int
    until_ms: int
    state: PromiseState
    event: PromiseEvent | None = None
    since_ms: int
    why: str = ""
    attempts: int = 0
    doubts: int = 0
    granted: int = 0
    ending: PromiseEvent | None = None
    ending_why: str = ""

    @property
    def final(self) -> bool:
        return self.state in FINAL

    @property
    def erased(self) -> bool:
        """Whether its number was erased: letters stand in the place of its digits."""
        return not self.number[1:].isdigit()


def moved(
    promise: Promise,
    event: PromiseEvent,
    at_ms: int,
    *,
    why: str = "",
    due_ms: int | None = None,
    until_ms: int | None = None,
) -> Promise | None:
    """A promise after an event; None where the event says nothing any more.

    What ends one whose call is on its way is kept, and ends it once that call is over. `why` is put
    beside the state; `due_ms` and `until_ms` are new ones. What would be due too late is exhausted.
    """
    if event in ENDS and promise.state in ON_ITS_WAY:
        if promise.ending is not None:
            return None
        return msgspec.structs.replace(promise, ending=event, ending_why=why)
    state = NEXT.get((promise.state, event))
    if state is None:
        return None
    after = msgspec.structs.replace(
        promise,
        state=state,
        event=event,
        since_ms=at_ms,
        why=why,
        due_ms=promise.due_ms if due_ms is None else due_ms,
        until_ms=promise.until_ms if until_ms is None else until_ms,
        attempts=promise.attempts + (event is PromiseEvent.DIALLED),
        doubts=promise.doubts + (event is PromiseEvent.AMBIGUOUS),
    )
    if event is PromiseEvent.RETRIED:
        granted = promise.granted + 1
        return msgspec.structs.replace(after, doubts=0, granted=granted, ending=None, ending_why="")
    if after.ending is not None and state is PromiseState.OPEN:
        return moved(after, after.ending, at_ms, why=after.ending_why)
    if due_ms is not None and at_ms < after.until_ms <= due_ms:
        return moved(after, PromiseEvent.EXHAUSTED, at_ms, why=none_left(why)) or after
    return after


def none_left(why: str) -> str:
    """Why a promise is exhausted that can't be dialled in its time any more, and why not now."""
    return f"{why}, and {NONE_LEFT}" if why else NONE_LEFT


class AttemptState(StrEnum):
    """How an attempt to call somebody back stands."""

    ASKED = "asked"
    """The request has left, or was about to."""
    UNKNOWN = "unknown"
    PLACED = "placed"
    NOT_PLACED = "not placed"
    """Exotel did not call: it said so, or its lists don't have it."""
    REFUSED = "refused"
    TALKED = "talked"
    MISSED = "missed"


class CallOutcome(StrEnum):
    """How a callback went, once it is over."""

    TALKED = "talked"
    BUSY = "busy"
    NO_ANSWER = "no answer"
    DECLINED = "declined"
    """They pressed it away (SIP 603, 486 without a busy line)."""
    VOICEMAIL = "voicemail"
    FAILED = "failed"
    NO_STREAM = "no stream"
    """They answered, and no bot or person talked to them: an abandoned call."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to call somebody back. Times are Unix ms.

    `number` counts a promise's attempts from 1. `custom_field` is what was sent, by which all that
    follows is recognised. `lists` are the lists of calls that were looked at while nobody knew, the
    next is due at `look_ms`. `price` is None until Exotel told it, and in the account's currency.
    """

    promise: int
    number: int
    custom_field: str
    asked_ms: int
    exophone: str
    state: AttemptState = AttemptState.ASKED
    call_sid: str = ""
    outcome: CallOutcome | None = None
    talk_s: int | None = None
    price: float | None = None
    lists: int = 0
    look_ms: int | None = None
    done_ms: int | None = None
    problem: str = ""


CUSTOM_FIELD = "switchhook"
TOKEN_BYTES = 20


def token_of(chance: bytes) -> str:
    """A token from `TOKEN_BYTES` drawn at random; letters only: nothing takes it for a number."""
    return "".join(chr(ord("a") + each % 26) for each in chance)


def custom_field_of(token: str, attempt: int) -> str:
    """What a callback carries: by it, passthrus and callbacks find their promise."""
    return f"{CUSTOM_FIELD}:{token}:{attempt}"


def read_custom_field(text: str | None) -> tuple[str, int] | None:
    """The token and attempt that a CustomField names; None where it is none of ours."""
    parts = (text or "").strip().split(":")
    if len(parts) != 3 or parts[0] != CUSTOM_FIELD or not parts[1].isalnum():
        return None
    number = parts[2]
    if not (number.isascii() and number.isdigit() and len(number) <= 4):
        return None
    return parts[1], int(number)
