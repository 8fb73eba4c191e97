"""What each source says of a call, in the fields that `calls.sources` compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.calls.sources import HeartbeatReport, Source, SourceReport
from switchhook.exotel.wire.calls import CallRecord, parse_call
from switchhook.exotel.wire.ist_time import ist_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.calls.sources import KeptDetails
    from switchhook.exotel.wire.status_callback import Heartbeat, StatusCallback


def of_callback(callback: StatusCallback, received_us: int) -> SourceReport:
    """What a status callback says of its call."""
    answered = [leg.get("AnsweredBy") for leg in callback.legs]
    texts = {
        "status": callback.status,
        "direction": callback.direction,
        "from": callback.from_,
        "to": callback.to,
        "started": callback.start_time,
        "ended": callback.end_time,
        "talked": callback.conversation_duration,
        "answered_by": next((each for each in answered if each), None),
        "custom_field": callback.custom_field,
        "recording_url": callback.recording_url,
        "phone_number_sid": callback.phone_number_sid,
    }
    return SourceReport(Source.CALLBACK, received_us, _without_none(texts))


def of_record(record: CallRecord, fetched_us: int) -> SourceReport:
    """What Exotel's API said of a call."""
    texts = {
        "status": record.status,
        "direction": record.direction,
        "from": record.from_,
        "to": record.to,
        "started": ist_text(record.started),
        "ended": ist_text(record.ended),
        "duration": _count(record.duration_s),
        "talked": _count(record.talk_s),
        "answered_by": record.answered_by,
        "custom_field": record.custom_field,
        "recording_url": record.recording_url,
        "price": record.price,
        "phone_number_sid": record.phone_number_sid,
        "leg1_status": record.leg1_status,
        "leg2_status": record.leg2_status,
    }
    return SourceReport(Source.DETAILS, fetched_us, _without_none(texts))


def of_details(kept: KeptDetails) -> SourceReport | None:
    """What the kept answer said; None where it can't be read (any more)."""
    record = parse_call(kept.body.encode())
    return of_record(record, kept.fetched_ms * 1000) if isinstance(record, CallRecord) else None


def of_heartbeat(heartbeat: Heartbeat, received_us: int) -> HeartbeatReport:
    """How an account's numbers were."""
    listed = heartbeat.incoming_affected + heartbeat.outgoing_affected
    more = [text for text in _beside(heartbeat.data, frozenset(listed)) if text not in listed]
    return HeartbeatReport(received_us, heartbeat.status_type, (*listed, *more[:_MOST_TEXTS]))


_MOST_TEXTS, _DEEPEST = 10_000, 8


def _beside(data: object, listed: frozenset[str], depth: int = 0) -> Iterator[str]:
    """What `data` says of what is listed: a number's SID has the number there, or the other way.

    Either stands as a key over what is known of it, or in one object with it.
    """
    if depth > _DEEPEST:
        return
    if isinstance(data, list):
        for each in data:
            yield from _beside(each, listed, depth + 1)
    if not isinstance(data, dict):
        return
    texts = [each for each in data.values() if isinstance(each, str)]
    if not listed.isdisjoint(texts):
        yield from texts
    for key, value in data.items():
        if key in listed:
            yield from _texts(value)
        yield from _beside(value, listed, depth + 1)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (each for each in value.values() if isinstance(each, str))


def _count(number: int | None) -> str | None:
    return None if number is None else str(number)


def _without_none(texts: dict[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
