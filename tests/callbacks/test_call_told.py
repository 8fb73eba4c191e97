"""What each source tells of a call, as one value."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from switchhook.callbacks.call_told import (
    CallTold,
    ToldBy,
    served_by,
    told_of_callback,
    told_of_details,
)
from switchhook.exotel.cause import Cause
from switchhook.exotel.wire.calls import CallRecord
from switchhook.exotel.wire.status_callback import StatusCallback

from .promised import NOON


def told(**more: Any) -> CallTold:
    return CallTold(by=ToldBy.PASSTHRU, at_ms=1, **more)


@pytest.mark.parametrize(
    ("said", "talk_s"),
    [
        ({}, None),
        ({"cause": Cause.RUNNING}, None),
        ({"cause": Cause.THROTTLED}, 0),
        ({"cause": Cause.CONNECT_FAILED, "bot_s": 0}, 0),
        ({"cause": Cause.BOT_DROPPED, "bot_s": 4}, 4),
        ({"cause": Cause.THROTTLED, "person_s": 9}, 9),
        ({"cause": Cause.CALLER_LEFT, "bot_s": 12, "person_s": 9}, 12),
    ],
)
def test_how_long_they_talked(said, talk_s):
    assert told(**said).talk_s == talk_s


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ""),
        ({"cause": Cause.CALLER_LEFT, "bot_s": 19}, ""),
        ({"cause": Cause.CALLER_LEFT, "bot_s": 20}, "a bot talked to them for 20 s"),
        ({"cause": Cause.BOT_DONE, "bot_s": 90}, "a bot talked to them for 90 s"),
        ({"cause": Cause.BOT_DROPPED, "bot_s": 90}, ""),
        ({"cause": Cause.ENDED_BY_SYSTEM, "bot_s": 3600}, ""),
        ({"person_s": 0}, ""),
        ({"person_s": 3}, "a person talked to them for 3 s"),
    ],
)
def test_who_served_a_caller(said, words):
    assert served_by(told(**said), 20) == (f"{words}, as a passthru tells" if words else "")


FULL = StatusCallback(
    call_sid="c9",
    status="Completed",
    from_="09811100001",
    to="08045678900",
    custom_field="switchhook:abc:1",
    start_time="2026-01-05 12:00:00",
    date_created="2026-01-05 11:59:30",
    legs=(
        {"OnCallDuration": "41", "Status": "completed", "AnsweredBy": "Human"},
        {"OnCallDuration": "0", "Status": "no-answer"},
        {"OnCallDuration": "25", "Status": "completed"},
    ),
)


def test_a_status_callback_with_its_legs():
    found = told_of_callback(FULL, 7)
    assert found == CallTold(
        by=ToldBy.CALLBACK,
        at_ms=7,
        began_ms=NOON,
        call_sid="c9",
        numbers=("+919811100001", "+918045678900"),
        custom_field="switchhook:abc:1",
        status="completed",
        first_leg="completed",
        answered_by="human",
        lasted_s=41,
        person_s=25,
    )
    assert (found.over, found.callee, found.machine) == (True, "completed", False)


def test_a_minimal_status_callback():
    found = told_of_callback(StatusCallback(call_sid="c9", status="busy"), 7)
    assert found == CallTold(by=ToldBy.CALLBACK, at_ms=7, call_sid="c9", status="busy")
    assert (found.over, found.callee) == (True, "busy")


@pytest.mark.parametrize(
    ("leg", "callee", "machine"),
    [
        ({"Status": "canceled"}, "canceled", False),
        ({"Status": "cancelled", "AnsweredBy": "NA"}, "canceled", False),
        ({"AnsweredBy": "Machine"}, "busy", True),
        ({"OnCallDuration": "x", "Status": ""}, "busy", False),
    ],
)
def test_the_leg_of_the_callee(leg, callee, machine):
    found = told_of_callback(StatusCallback(call_sid="c9", status="busy", legs=(leg,)), 7)
    assert (found.callee, found.machine, found.lasted_s) == (callee, machine, None)


def test_an_agent_who_was_not_reached_did_not_talk():
    legs = ({"Status": "completed"}, {"OnCallDuration": "30", "Status": "no-answer"})
    assert told_of_callback(StatusCallback(call_sid="c", status="x", legs=legs), 1).person_s is None


def record(**more: Any) -> CallRecord:
    said: dict[str, Any] = {
        "sid": "c1",
        "account_sid": "main",
        "from_": "09811100001",
        "to": "08045678900",
        "phone_number_sid": "08045678900",
        "status": "completed",
        "direction": "inbound",
        "created": datetime(2026, 1, 5, 11, 59),
        "updated": None,
        **more,
    }
    return CallRecord(**said)


def test_call_details():
    found = told_of_details(
        record(
            duration_s=63,
            talk_s=40,
            price="-1.5",
            answered_by="machine",
            leg1_status="completed",
            leg2_status="completed",
        ),
        9,
    )
    assert found == CallTold(
        by=ToldBy.DETAILS,
        at_ms=9,
        began_ms=NOON - 60_000,
        call_sid="c1",
        numbers=("+919811100001", "+918045678900"),
        status="completed",
        first_leg="completed",
        answered_by="machine",
        lasted_s=63,
        person_s=40,
        price=1.5,
    )


@pytest.mark.parametrize(
    ("more", "person_s"),
    [
        ({"talk_s": 40}, None),
        ({"talk_s": 40, "leg2_status": "no-answer"}, None),
        ({"leg2_status": "completed"}, None),
        ({"leg2_status": "completed", "legs": ({"OnCallDuration": 8}, {})}, 8),
    ],
)
def test_the_second_number_has_to_be_reached(more, person_s):
    """An incoming call is completed also where nobody was."""
    assert told_of_details(record(**more), 9).person_s == person_s


@pytest.mark.parametrize("price", [None, "", "free", "nan", "1e99"])
def test_what_is_no_price(price):
    assert told_of_details(record(price=price), 9).price is None
