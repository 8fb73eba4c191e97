"""Calls as Exotel's API tells them: one with its details, and the list with filters and pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.api.refusal import RefusedRequestError
from switchhook.emulator.call.parameters import national
from switchhook.emulator.exchange.callbacks import (
    conversed_s,
    direction_of,
    leg_status_of,
    recording_url_of,
    status_of,
)
from switchhook.emulator.plan.numbers import same_number
from switchhook.exotel.wire.calls import CallRecord
from switchhook.exotel.wire.rest_error import RestError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from switchhook.emulator.call.call import Call
    from switchhook.exotel.wire.call_filter import CallFilter

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PRICE = "0.500000"


def call_record(call: Call, now: datetime) -> CallRecord:
    """A call as the API tells it at `now`; what comes late is missing (exotel-platform E.4)."""
    ended = call.ended
    delay = call.line.behaviour.details_delay_s
    final = ended is not None and (now - ended).total_seconds() >= delay
    lasted = int((ended - (call.answered or call.created)).total_seconds()) if ended else None
    dialled = call.dialled
    return CallRecord(
        sid=call.facts.sid,
        account_sid=call.line.sid,
        from_=national(call.facts.from_),
        to=(call.wanted.to if call.wanted else national(call.facts.exophone)),
        phone_number_sid=national(call.facts.exophone),
        status=status_of(call),
        direction=direction_of(call),
        created=call.created,
        updated=ended or now,
        started=call.answered or call.created,
        ended=ended if final else None,
        duration_s=lasted if final else None,
        price=_PRICE if final and call.answered else None,
        answered_by=call.answered_by,
        recording_url=recording_url_of(call) if final else None,
        custom_field=call.facts.custom_field,
        talk_s=conversed_s(call) if final else None,
        leg1_status=leg_status_of(call) if final else None,
        leg2_status=dialled.status if dialled and final else None,
        legs=tuple(
            {"Id": at, "OnCallDuration": leg.talk_s}
            for at, leg in enumerate(dialled.legs if dialled and final else (), 1)
        ),
    )


class CallPage(msgspec.Struct, frozen=True):
    """Some of the calls that match, how many do, and the cursors of the neighbouring pages."""

    calls: list[Call]
    total: int
    previous: str | None
    following: str | None


def page_of(
    newest_first: list[Call],
    wanted: CallFilter,
    listed: Callable[[Call], int] = lambda _: 1,
) -> CallPage:
    """Cut a page out. The calls behind cursors need not match any more: they may have ended.

    `listed` says how often a call that matches is in the list.
    """
    places = {call.facts.sid: at for at, call in enumerate(newest_first)}
    _check_numbers(wanted)
    matching = (call for call in newest_first if _matches(call, wanted))
    chosen = [call for call in matching for _ in range(listed(call))]
    for name, cursor in (("Before", wanted.before), ("After", wanted.after)):
        if cursor is not None and cursor not in places:
            text = f"Invalid parameter {name}: got {cursor[:40]!r}, expected a Sid of this account"
            raise RefusedRequestError(RestError(400, text))
    start = 0
    if wanted.before is not None:
        start = sum(places[call.facts.sid] <= places[wanted.before] for call in chosen)
    elif wanted.after is not None:
        newer = sum(places[call.facts.sid] < places[wanted.after] for call in chosen)
        start = max(0, newer - wanted.page_size)
    page = chosen[start : start + wanted.page_size]
    more = start + len(page) < len(chosen)
    return CallPage(
        page,
        len(chosen),
        page[0].facts.sid if start and page else None,
        page[-1].facts.sid if more and page else None,
    )


def _matches(call: Call, wanted: CallFilter) -> bool:
    created = call.created.replace(tzinfo=None, microsecond=0)
    return (
        (wanted.created_from is None or created >= wanted.created_from)
        and (wanted.created_to is None or created <= wanted.created_to)
        and (wanted.status is None or status_of(call) == wanted.status)
        and (wanted.direction is None or direction_of(call) == wanted.direction)
        and _among(call.facts.from_, wanted.from_)
        and _among(_other_end(call), wanted.to)
        and _among(call.facts.exophone, wanted.phone_number)
    )


def _other_end(call: Call) -> str:
    """The number of To: the ExoPhone that was called, or the second number; none for a flow."""
    return same_number(call.wanted.to or "") if call.wanted is not None else call.facts.exophone


def _among(number: str, wanted: str | None) -> bool:
    return wanted is None or number in wanted.split(",")


def _check_numbers(wanted: CallFilter) -> None:
    """Raise RefusedRequestError for a filter of numbers that are not E.164.

    A `+` that was not encoded is a blank here, as it is anywhere in a query.
    """
    said = {"From": wanted.from_, "To": wanted.to, "PhoneNumber": wanted.phone_number}
    for name, text in said.items():
        for number in text.split(",") if text is not None else ():
            if _E164.fullmatch(number) is None:
                error = invalid(name, repr(number[:30]), "numbers in E.164, such as +918047112233")
                raise RefusedRequestError(error)
