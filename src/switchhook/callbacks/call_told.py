"""What one source tells of one call: whether it is over, and who talked with whom. Pure.

Passthrus, status callbacks and call details each tell a part, in their own words. Here the part is
the same value, whoever told it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.call_words import call_status, is_final
from switchhook.exotel.cause import Cause
from switchhook.exotel.fields import e164, instant, seconds
from switchhook.exotel.times import IST, us_of
from switchhook.exotel.wire.scalar import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.exotel.wire.calls import CallRecord
    from switchhook.exotel.wire.status_callback import StatusCallback

TALKED = frozenset({Cause.BOT_DONE, Cause.CALLER_LEFT})
"""How a stream ends in which a bot and a caller talked to the end."""
_MACHINE = "machine"
_COMPLETED = "completed"


class ToldBy(StrEnum):
    """Who tells it."""

    BEFORE = "a request before the stream"
    PASSTHRU = "a passthru"
    CALLBACK = "a status callback"
    DETAILS = "call details"


class CallTold(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a call at `at_ms`, Unix time. Empty texts and None are what is not said.

    `began_ms` is when the call began, of a source that tells of it as a whole. `numbers` are From
    and To in E.164, as far as they can be read. `custom_field` is as it was
    sent. `status` is the call's as Exotel's API spells it, `first_leg` that of the number which was
    called first. `lasted_s` is how long that number was on the line, `bot_s` how long the stream
    of which `cause` tells lasted, `person_s` for how long a second number talked to the first one.
    `settled` is False of details that don't tell yet how the call went: Exotel adds its end, its
    duration and its legs minutes later (exotel-platform E.4).
    """

    by: ToldBy
    at_ms: int
    began_ms: int | None = None
    call_sid: str = ""
    numbers: tuple[str, ...] = ()
    custom_field: str = ""
    status: str = ""
    first_leg: str = ""
    answered_by: str = ""
    lasted_s: int | None = None
    outbound: bool = False
    cause: Cause | None = None
    bot_s: int | None = None
    person_s: int | None = None
    price: float | None = None
    settled: bool = True

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return is_final(self.status)

    @property
    def callee(self) -> str:
        """How the leg of the number that was called first stands, else the call."""
        return self.first_leg or self.status

    @property
    def machine(self) -> bool:
        """Whether a voicemail answered."""
        return self.answered_by == _MACHINE

    @property
    def talk_s(self) -> int | None:
        """For how long a bot or a person talked to them.

        None where nothing is told of either, 0 where the stream that is told of came to nothing.
        """
        talks = [each for each in (self.bot_s, self.person_s) if each is not None]
        if not talks and self.cause not in (None, Cause.RUNNING):
            return 0
        return max(talks, default=None)


def served_by(told: CallTold, served_s: int) -> str:
    """Who served the caller of this call, in words; empty where nobody is told to have.

    A bot has to have talked for `served_s` seconds, a person for any time.
    """
    if told.person_s:
        return f"a person talked to them for {told.person_s} s, as {told.by} tells"
    if told.bot_s is not None and told.bot_s >= served_s and told.cause in TALKED:
        return f"a bot talked to them for {told.bot_s} s, as {told.by} tells"
    return ""


def told_of_callback(callback: StatusCallback, at_ms: int, region: str = "IN") -> CallTold:
    """What a status callback tells; its first leg is the number that was called first."""
    first, *others = callback.legs or ({},)
    talks = [_seconds(leg.get("OnCallDuration")) or 0 for leg in others if _answered(leg)]
    return CallTold(
        by=ToldBy.CALLBACK,
        at_ms=at_ms,
        began_ms=_moment_ms(callback.start_time or callback.date_created),
        call_sid=callback.call_sid or "",
        numbers=numbers_of((callback.from_, callback.to), region),
        custom_field=callback.custom_field or "",
        status=call_status(callback.status or ""),
        first_leg=call_status(first.get("Status", "")),
        answered_by=_word(first.get("AnsweredBy")),
        lasted_s=_seconds(first.get("OnCallDuration")),
        person_s=max(talks) if talks else None,
    )


def told_of_details(record: CallRecord, at_ms: int, region: str = "IN") -> CallTold:
    """What Exotel's API tells; its list of legs has the second numbers only."""
    connected = call_status(record.leg2_status or "") == _COMPLETED
    talks = [record.talk_s, *(whole_number(leg.get("OnCallDuration")) for leg in record.legs)]
    return CallTold(
        by=ToldBy.DETAILS,
        at_ms=at_ms,
        began_ms=began_ms(record),
        call_sid=record.sid,
        numbers=numbers_of((record.from_, record.to, record.phone_number_sid), region),
        custom_field=record.custom_field or "",
        status=call_status(record.status),
        first_leg=call_status(record.leg1_status or ""),
        answered_by=_word(record.answered_by),
        lasted_s=record.duration_s,
        person_s=max((each for each in talks if each is not None), default=None)
        if connected
        else None,
        price=_price(record.price),
        settled=record.ended is not None or record.talk_s is not None,
    )


def began_ms(record: CallRecord) -> int | None:
    """When a call began, in Unix ms."""
    return naive_ms(record.created or record.started)


def naive_ms(naive: datetime | None) -> int | None:
    """A time of Exotel's API, which is naive and in IST, as Unix ms."""
    return None if naive is None else us_of(naive.replace(tzinfo=IST)) // 1000


def numbers_of(texts: Iterable[str | None], region: str) -> tuple[str, ...]:
    """The texts that are telephone numbers, in E.164, each once."""
    found = (e164((text or "").strip(), region) for text in texts)
    return tuple(dict.fromkeys(each for each in found if isinstance(each, str)))


def _answered(leg: Mapping[str, Any]) -> bool:
    status = leg.get("Status")
    return status is None or call_status(str(status)) in ("", _COMPLETED, "in-progress")


def _moment_ms(text: str | None) -> int | None:
    found = instant((text or "").strip())
    return us_of(found) // 1000 if isinstance(found, datetime) else None


def _seconds(text: str | None) -> int | None:
    found = seconds(text.strip()) if text else None
    return found if isinstance(found, int) else None


def _word(text: str | None) -> str:
    return (text or "").strip().lower()


def _price(text: str | None) -> float | None:
    """What a call cost, in the account's currency; Exotel may write it below zero."""
    try:
        found = abs(float(text or ""))
    except ValueError:
        return None
    return found if found < _MOST_PRICE else None


_MOST_PRICE = 1e6
