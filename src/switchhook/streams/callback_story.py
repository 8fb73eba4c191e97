"""A call of which no passthru after a stream told.

Its status callbacks tell of it (it was busy, it failed), what was asked before the stream, that it
may never have had, and its bot's reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.passthru import Passthru
from switchhook.journal.receipt import id_of, order_text
from switchhook.streams.parsed_record import CallbackRecord, OtherRecord
from switchhook.streams.routed_record import RoutedRecord, read_routed
from switchhook.streams.story import CallStory, ParsedReceipt, ReceiptRef, call_story, merge_calls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.parsed_record import ParsedRecord


def callback_story(
    call_sid: str, records: Iterable[ParsedRecord], node: int, region: str = "IN"
) -> CallStory | None:
    """The story of a call by what names it among these records; None where nothing does."""
    story: CallStory | None = None
    for read in records:
        if isinstance(read, OtherRecord):
            story = _with(story, _before_stream(read, call_sid, node))
            continue
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
        name = id_of(record, node)
        ref = ReceiptRef(name, read.received.received_us, "", "", order=order_text(record))
        story = _with(story, call_story(ParsedReceipt(ref, told)))
    return story


def _before_stream(read: OtherRecord, call_sid: str, node: int) -> CallStory | None:
    """What an admission, an address that was given or a bot's report tells of its call."""
    routed, record = read_routed(read.record), read.record
    if routed is None or routed.call_sid != call_sid:
        return None
    name = id_of(record, node)
    if not isinstance(routed, RoutedRecord):
        received = routed.received
        by = ReceiptRef(name, received.received_us, received.endpoint, "", order=order_text(record))
        return call_story(ParsedReceipt(by, Passthru(call_sid=call_sid)))
    receipt, decision = routed.receipt, routed.receipt.decision
    ref = ReceiptRef(
        name,
        receipt.received_us,
        receipt.endpoint,
        decision.option.value,
        decision.rule,
        order=order_text(record),
    )
    return call_story(ParsedReceipt(ref, routed.passthru))


def _with(story: CallStory | None, part: CallStory | None) -> CallStory | None:
    if part is None or story is None:
        return part or story
    return merge_calls(story, part)
