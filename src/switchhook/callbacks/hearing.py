"""What the journal's records mean to promises: who wants a callback, and what calls came to. Pure.

Promises are wanted by passthrus whose rules promised one. Whoever talked in any call to a number
that is owed one was served, unless it is the callback itself: that one is known by its CustomField
or its CallSid, which those who keep promises know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.callbacks.call_told import CallTold, ToldBy, numbers_of, told_of_callback
from switchhook.callbacks.promise import CUSTOM_FIELD, read_custom_field
from switchhook.exotel.cause import Cause
from switchhook.exotel.passthru import Direction
from switchhook.journal.receipt import RecordKind, id_of
from switchhook.streams.parsed_record import CallbackRecord, OtherRecord, PassthruRecord
from switchhook.streams.routed_record import ReportedRecord, read_routed

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru
    from switchhook.streams.parsed_record import ParsedRecord

_BEFORE_STREAM = frozenset({RecordKind.VOICEBOT, RecordKind.ADMISSION})
_OURS = CUSTOM_FIELD.encode()
_BELIEVED = frozenset({"ok", "open"})
_CONNECTED = "completed"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A passthru whose rules promised a callback, at `at_ms`, Unix time.

    `numbers` are those that may be the caller's, in E.164 and in the order to take them: one of an
    inbound call, From and To of an outbound one. `proven` is whether it proved its secret.
    """

    at_ms: int
    endpoint: str
    receipt: str
    call_sid: str
    numbers: tuple[str, ...]
    outbound: bool
    reason: str
    class_: str
    proven: bool


class Heard(msgspec.Struct, frozen=True):
    """What one record means; None is nothing."""

    wanted: Wanted | None = None
    told: CallTold | None = None


def heard_of(parsed: ParsedRecord, node: int, at_ms: int, region: str = "IN") -> Heard | None:
    """What a record means; None where it means nothing. `node` is the journal's.

    `at_ms` is when it came: Unix time, by a clock that was right. `region` is that of numbers which
    a status callback writes without a country's code.
    """
    match parsed:
        case PassthruRecord():
            return _of_passthru(parsed, node, at_ms)
        case CallbackRecord(callback=callback) if callback is not None and callback.call_sid:
            return Heard(told=told_of_callback(callback, at_ms, region))
        case OtherRecord(record=record) if record.kind in _BEFORE_STREAM and _OURS in record.body:
            return _of_request_before(parsed, at_ms)
        case _:
            return None


def carries_ours(passthru: Passthru) -> bool:
    """Whether a passthru is of a call that we made to keep a promise."""
    return read_custom_field(passthru.custom_field) is not None


def _of_passthru(parsed: PassthruRecord, node: int, at_ms: int) -> Heard | None:
    receipt, passthru = parsed.receipt, parsed.passthru
    if not parsed.enters_stories or receipt.auth.state not in _BELIEVED:
        return None
    told = _told(parsed, at_ms)
    if not receipt.decision.promise or carries_ours(passthru):
        return None if told is None else Heard(told=told)
    decision = receipt.decision
    outbound = passthru.direction is Direction.OUTBOUND
    numbers = (passthru.from_raw, *((passthru.to_raw,) if outbound else ()))
    return Heard(
        Wanted(
            at_ms=at_ms,
            endpoint=receipt.endpoint,
            receipt=id_of(parsed.record, node),
            call_sid=passthru.call_sid or "",
            numbers=numbers_of(numbers, passthru.region),
            outbound=outbound,
            reason=decision.promise,
            class_=decision.class_,
            proven=receipt.auth.state == "ok",
        ),
        told,
    )


def _told(parsed: PassthruRecord, at_ms: int) -> CallTold | None:
    """What a passthru tells of its call; None where that can mean nothing to any promise."""
    passthru, stream = parsed.passthru, parsed.passthru.stream
    bot_s, person_s = None if stream is None else stream.duration_s, _person_s(passthru)
    outbound, ours = passthru.direction is Direction.OUTBOUND, carries_ours(passthru)
    if not (bot_s or person_s or outbound or ours):
        return None
    return CallTold(
        by=ToldBy.PASSTHRU,
        at_ms=at_ms,
        call_sid=passthru.call_sid or "",
        numbers=numbers_of((passthru.from_raw, passthru.to_raw), passthru.region),
        custom_field=(passthru.custom_field or "") if ours else "",
        outbound=outbound,
        cause=None if parsed.verdict.cause is Cause.NO_STREAM else parsed.verdict.cause,
        bot_s=bot_s,
        person_s=person_s,
    )


def _person_s(passthru: Passthru) -> int | None:
    """For how long a person talked to the caller; 1 where only that they did is said."""
    talks = [leg.on_call_duration_s for leg in passthru.legs]
    longest = max((each for each in talks if each is not None), default=None)
    if longest is not None:
        return longest
    connected = (passthru.dial_status or "").lower() == _CONNECTED
    return 1 if connected else None


def _of_request_before(parsed: OtherRecord, at_ms: int) -> Heard | None:
    """That a callback has come as far as asking for room, or for a bot."""
    read = read_routed(parsed.record)
    if read is None or isinstance(read, ReportedRecord) or not carries_ours(read.passthru):
        return None
    passthru = read.passthru
    if read.receipt.auth.state not in _BELIEVED:
        return None
    return Heard(
        told=CallTold(
            by=ToldBy.BEFORE,
            at_ms=at_ms,
            call_sid=passthru.call_sid or "",
            numbers=numbers_of((passthru.from_raw, passthru.to_raw), passthru.region),
            custom_field=passthru.custom_field or "",
        )
    )
