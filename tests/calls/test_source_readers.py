"""What each source says of a call, in the same fields."""

from __future__ import annotations

from datetime import datetime

import pytest

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


SID, NUMBER = "a1b2c3d4e5f6a7b8c9d0e1f2a3b41abt", "+918047112233"


@pytest.mark.parametrize(
    "data",
    [
        {SID: {"phone_number": NUMBER, "status": "down"}},
        {SID: NUMBER},
        {"numbers": [{"sid": SID, "number": NUMBER}]},
        {"incoming": {SID: {"number": NUMBER}}},
    ],
)
def test_a_heartbeat_names_numbers_by_sid_and_data_has_them(data):
    beat = Heartbeat(timestamp="", status_type="CRITICAL", incoming_affected=(SID,), data=data)
    assert {SID, NUMBER} <= set(of_heartbeat(beat, 1).affected)


def test_data_of_other_numbers_is_not_of_those_affected():
    data = {"x": {"sid": "other", "number": "+918047119999"}, SID: {"number": NUMBER}}
    beat = Heartbeat(timestamp="", status_type="CRITICAL", outgoing_affected=(SID,), data=data)
    assert of_heartbeat(beat, 1).affected == (SID, NUMBER)
