"""What each source says of a call, in the same fields."""

from __future__ import annotations

from datetime import datetime

from switchhook.calls.source_readers import of_callback, of_details, of_heartbeat, of_record
from switchhook.calls.sources import (
    HeartbeatReport,
    KeptDetails,
    Source,
    SourceReport,
    call_sources,
)
from switchhook.exotel.wire.calls import CallRecord, build_call
from switchhook.exotel.wire.status_callback import Heartbeat, StatusCallback

RECORD = CallRecord(
    sid="c1",
    account_sid="acme",
    from_="09811100001",
    to=None,
    phone_number_sid="",
    status="failed",
    direction="outbound-api",
    created=datetime(2026, 1, 5, 10),
    updated=None,
    started=datetime(2026, 1, 5, 10),
    duration_s=65,
    talk_s=0,
    leg2_status="busy",
)


def test_callbacks_tell_the_same_fields():
    callback = StatusCallback(
        call_sid="c1",
        status="completed",
        conversation_duration="60",
        legs=({"Status": "completed"}, {"AnsweredBy": "Human"}),
    )
    assert of_callback(callback, 8) == SourceReport(
        Source.CALLBACK, 8, {"status": "completed", "talked": "60", "answered_by": "Human"}
    )


def test_details_tell_zero_where_it_is_one():
    assert of_record(RECORD, 9).fields == {
        "status": "failed",
        "direction": "outbound-api",
        "from": "09811100001",
        "started": "2026-01-05 10:00:00",
        "duration": "65",
        "talked": "0",
        "leg2_status": "busy",
    }


def test_kept_details_are_read_again():
    kept = KeptDetails("main", "c1", 9, build_call(RECORD, xml=True, details=True).decode())
    assert of_details(kept) == of_record(RECORD, 9000)
    assert of_details(KeptDetails("main", "c1", 9, "erased")) is None


def test_they_are_one_story():
    callback = StatusCallback(call_sid="c1", status="completed", from_="+919811100001")
    found = call_sources([of_record(RECORD, 9), of_callback(callback, 8)])
    assert found.disagreements == ("status: completed by callback, failed by call details",)
    assert [each.source for each in found.field("from").said] == [Source.CALLBACK, Source.DETAILS]


def test_heartbeats_name_the_numbers_either_way():
    beat = Heartbeat(
        timestamp="",
        status_type="CRITICAL",
        incoming_affected=("a",),
        outgoing_affected=("b",),
    )
    assert of_heartbeat(beat, 5) == HeartbeatReport(5, "CRITICAL", ("a", "b"))
