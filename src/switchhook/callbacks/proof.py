"""Whether the details of a call bear out the promise that was made for it. Pure.

Whoever knows a passthru's secret could forge one for any number. So Exotel is asked for the call
that it names: there must be one, of the same number, that was on when the passthru came or began
minutes before it; and one that came in, whatever the passthru says, unless callees of campaigns are
called back too. Until that is known nobody is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec
from phonenumbers import region_code_for_country_code

from switchhook.callbacks.call_told import ToldBy, began_ms, naive_ms, told_of_details
from switchhook.callbacks.promise import PromiseEvent, read_custom_field
from switchhook.exotel.call_words import is_final
from switchhook.exotel.fields import e164
from switchhook.exotel.number_keys import split_code
from switchhook.exotel.times import HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from switchhook.callbacks.promise import Promise
    from switchhook.exotel.wire.calls import CallRecord

MINUTES_OLD_MS = 30 * MINUTE_MS
"""A call that began so long before its passthru is a new one."""
LONGEST_CALL_MS = 4 * HOUR_MS + 10 * MINUTE_MS
"""Exotel ends every call after 14,400 s (exotel-platform E.1)."""
CLOCKS_OFF_MS = 2 * MINUTE_MS
"""Exotel's clock and ours may differ by so much."""
LATE_MS = 2 * MINUTE_MS
"""For so long a call that Exotel doesn't know may be one that it doesn't tell of yet."""
FIRST_LOOK_MS, MOST_LOOK_MS = 15_000, 10 * MINUTE_MS
_LIKE = 9
"""So many last digits tell numbers apart where one can't be read in full."""


class Proof(msgspec.Struct, frozen=True):
    """What follows: an event, or None and when to ask again, in Unix ms. `why` is for people."""

    event: PromiseEvent | None
    why: str
    again_ms: int = 0


class Answer(Protocol):
    """What Exotel answered; `missing` is whether it says that there is no such call."""

    @property
    def record(self) -> CallRecord | None: ...
    @property
    def missing(self) -> bool: ...
    @property
    def problem(self) -> str: ...


def prove(
    promise: Promise, answer: Answer, now_ms: int, chance: float, *, campaigns: bool = False
) -> Proof:
    """Whether a promise's call is as it should be; `chance` from 0 to 1 spreads what asks again.

    `campaigns` is whether callees of campaigns are called back too.
    """
    record = answer.record
    if record is None:
        return _without_record(promise, answer, now_ms, chance)
    if not _same_number(promise.number, record):
        return Proof(PromiseEvent.REFUTED, "the call is another number's")
    if read_custom_field(record.custom_field) is not None:
        return Proof(PromiseEvent.REFUTED, "the call is a callback of ours")
    if not campaigns and not _came_in(record):
        if record.direction.strip():
            return Proof(PromiseEvent.REFUTED, "the call did not come in: it was made to them")
        why = "Exotel does not say whether the call came in"
        return Proof(None, why, _again_ms(promise, now_ms, chance))
    if why := _why_not_then(promise.made_ms, record):
        return Proof(PromiseEvent.REFUTED, why)
    if not _is_dated(promise.made_ms, record):
        why = "Exotel does not say yet when the call was"
        return Proof(None, why, _again_ms(promise, now_ms, chance))
    talk_s = told_of_details(record, now_ms).person_s
    if talk_s:
        why = f"a person talked to them for {talk_s} s, as {ToldBy.DETAILS} say"
        return Proof(PromiseEvent.SERVED, why)
    return Proof(PromiseEvent.PROVEN, f"{ToldBy.DETAILS} confirm it")


def _without_record(promise: Promise, answer: Answer, now_ms: int, chance: float) -> Proof:
    again_ms = _again_ms(promise, now_ms, chance)
    if not answer.missing:
        return Proof(None, f"its call's details can't be had: {answer.problem}", again_ms)
    if now_ms < promise.made_ms + LATE_MS:
        return Proof(None, "Exotel knows no such call yet", again_ms)
    return Proof(PromiseEvent.REFUTED, "Exotel knows no such call")


def _again_ms(promise: Promise, now_ms: int, chance: float) -> int:
    """The longer it is unproven, the longer it waits."""
    waited_ms = max(0, now_ms - promise.made_ms)
    wait_ms = min(max(waited_ms, FIRST_LOOK_MS), MOST_LOOK_MS)
    return now_ms + round(wait_ms * (0.75 + chance / 2))


def _came_in(record: CallRecord) -> bool:
    """Whether Exotel says that somebody called us."""
    return record.direction.strip().lower() in ("inbound", "incoming")


def _same_number(number: str, record: CallRecord) -> bool:
    """Who called is From of an inbound call; of an outbound one it may be either."""
    return any(
        each and _alike(number, each)
        for each in (record.from_, *(() if _came_in(record) else (record.to,)))
    )


def _alike(number: str, text: str) -> bool:
    """Whether a text as sent may be a number in E.164; without a country code it is of the same."""
    code, _ = split_code(number.removeprefix("+"))
    region = region_code_for_country_code(int(code or 0))
    if e164(text.strip(), region) == number:
        return True
    digits = "".join(filter(str.isdigit, text))
    return len(digits) >= _LIKE and number.endswith(digits[-_LIKE:])


def _why_not_then(made_ms: int, record: CallRecord) -> str:
    """Why a call can't be the one that the passthru told of; empty where it can."""
    began, ended = began_ms(record), naive_ms(record.ended)
    if began is None:
        return ""
    if began > made_ms + CLOCKS_OFF_MS:
        return "the call began after its passthru"
    if began < made_ms - LONGEST_CALL_MS:
        return "the call began longer before its passthru than a call lasts"
    over = ended is not None and ended < made_ms - CLOCKS_OFF_MS
    if over and began < made_ms - MINUTES_OLD_MS:
        return "the call was over long before its passthru"
    return ""


def _is_dated(made_ms: int, record: CallRecord) -> bool:
    """Whether it is known that the call began minutes before the passthru, or was on then."""
    began = began_ms(record)
    if began is None:
        return False
    recent = began >= made_ms - MINUTES_OLD_MS
    return recent or record.ended is not None or not is_final(record.status)
