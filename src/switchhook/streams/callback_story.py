"""A call that no passthru named, as its status callbacks tell of it: it was busy, it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.passthru import Passthru
from switchhook.journal.receipt import receipt_id
from switchhook.streams.parsed_record import CallbackRecord
from switchhook.streams.story import CallStory, ParsedReceipt, ReceiptRef, call_story, merge_calls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.parsed_record import ParsedRecord


def callback_story(
    call_sid: str, records: Iterable[ParsedRecord], node: int, region: str = "IN"
) -> CallStory | None:
    """The story of a call by the callbacks among these records; None where none names it."""
    story: CallStory | None = None
    for read in records:
        if not isinstance(read, CallbackRecord) or read.callback is None:
            continue
        said, record = read.callback, read.record
        if said.call_sid != call_sid:
            continue
        told = Passthru(
            call_sid=call_sid,
            from_raw=said.from_,
            to_raw=said.to,
            direction_raw=said.direction,
            call_status=said.status,
            custom_field=said.custom_field,
            recording_url=said.recording_url,
            created_raw=said.date_created,
            started_raw=said.start_time,
            ended_raw=said.end_time,
            region=region,
        )
        name = receipt_id(record.at, node, record.seq)
        part = call_story(ParsedReceipt(ReceiptRef(name, read.received.received_us, "", ""), told))
        if part is not None:
            story = part if story is None else merge_calls(story, part)
    return story
