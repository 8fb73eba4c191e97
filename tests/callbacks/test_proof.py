"""What the details of a call say of the promise that was made for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from switchhook.callbacks.promise import PromiseEvent, PromiseState, custom_field_of
from switchhook.callbacks.proof import prove
from switchhook.exotel.wire.calls import CallRecord

from .promised import NOON, promise_of
from .test_call_told import record

MINUTE = 60_000
AT_NOON = datetime(2026, 1, 5, 12, 0)
PROVEN, REFUTED, SERVED = PromiseEvent.PROVEN, PromiseEvent.REFUTED, PromiseEvent.SERVED
PROMISE = promise_of(state=PromiseState.UNPROVEN, made_ms=NOON, call_sid="c1")


class Answer(msgspec.Struct):
    record: CallRecord | None = None
    missing: bool = False
    problem: str = ""


def proof(answer: Answer, now_ms: int = NOON + 20_000, chance: float = 0.5, **more: Any):
    return prove(PROMISE, answer, now_ms, chance, **more)


def of(minutes: float = 2, **more: Any):
    """What follows from a call that began so long before the passthru."""
    said = {"created": AT_NOON - timedelta(minutes=minutes), "status": "in-progress", **more}
    return proof(Answer(record(**said)))


def ended(minutes: float) -> datetime:
    return AT_NOON - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("told", "event"),
    [
        ({}, PROVEN),
        ({"minutes": 29}, PROVEN),
        ({"minutes": 29, "status": "completed", "ended": ended(10)}, PROVEN),
        # Streams last up to an hour, and calls up to four.
        ({"minutes": 55}, PROVEN),
        ({"minutes": 55, "status": "completed", "ended": ended(1)}, PROVEN),
        ({"minutes": 31, "status": "completed", "ended": ended(3)}, REFUTED),
        ({"minutes": 300}, REFUTED),
        ({"minutes": -3}, REFUTED),
        ({"minutes": -1}, PROVEN),
        ({"minutes": 55, "status": "completed"}, None),
        ({"created": None}, None),
        ({"created": None, "started": AT_NOON}, PROVEN),
        ({"from_": "09811100002"}, REFUTED),
        ({"from_": "", "to": "09811100001"}, REFUTED),
        ({"from_": "+91 98111 00001"}, PROVEN),
        ({"from_": "00919811100001"}, PROVEN),
        ({"from_": "0919811100001"}, PROVEN),
        ({"from_": "1"}, REFUTED),
        ({"from_": "811100001"}, PROVEN),
        ({"status": "completed", "leg2_status": "completed", "talk_s": 30}, SERVED),
        ({"status": "completed", "leg2_status": "completed", "talk_s": 0}, PROVEN),
    ],
)
def test_what_details_say(told, event):
    found = of(**told)
    assert found.event is event
    assert found.why
    assert (found.again_ms > NOON) == (event is None)


@pytest.mark.parametrize("sides", [{"from_": "08045678900", "to": "09811100001"}, {}])
@pytest.mark.parametrize("way", ["outbound-api", "outbound-dial", "Outbound"])
def test_a_call_that_we_made_owes_nothing_unless_campaigns_do(way, sides):
    """Its passthru may say that it came in: whoever has the secret says what they like."""
    answer = Answer(
        record(status="in-progress", created=AT_NOON, direction=way, custom_field="o1", **sides)
    )
    found = proof(answer)
    assert (found.event, found.why) == (REFUTED, "the call did not come in: it was made to them")
    assert proof(answer, campaigns=True).event is PROVEN


def test_a_call_of_which_nobody_says_whether_it_came_in_is_asked_for_again():
    answer = Answer(record(status="in-progress", created=AT_NOON, direction=""))
    found = proof(answer)
    assert (found.event, found.again_ms > NOON) == (None, True)
    assert proof(answer, campaigns=True).event is PROVEN


@pytest.mark.parametrize("campaigns", [False, True])
def test_a_callback_of_ours_owes_no_other_one(campaigns):
    ours = custom_field_of("abcdef", 1)
    made = record(status="completed", created=AT_NOON, direction="outbound-api", custom_field=ours)
    found = proof(Answer(made), campaigns=campaigns)
    assert (found.event, found.why) == (REFUTED, "the call is a callback of ours")


@pytest.mark.parametrize("sent", ["+6591234567", "91234567", "6591234567"])
def test_a_number_of_another_country(sent):
    promise = msgspec.structs.replace(PROMISE, number="+6591234567")
    answer = Answer(record(from_=sent, status="in-progress", created=AT_NOON))
    assert prove(promise, answer, NOON, 0.5).event is PROVEN


def test_a_call_that_does_not_exist_refutes_it_once_it_would_be_told_of():
    missing = Answer(missing=True, problem="no such call")
    assert proof(missing, NOON + 119_000).event is None
    assert proof(missing, NOON + 120_000).event is REFUTED


def test_who_does_not_answer_is_asked_again_at_growing_distance():
    answer = Answer(problem="api.exotel.com answered 503")
    now, waits = NOON, []
    for _ in range(12):
        found = proof(answer, now)
        assert found.event is None
        assert "503" in found.why
        waits.append(found.again_ms - now)
        now = found.again_ms
    assert waits[:3] == [15_000, 15_000, 30_000]
    assert waits == sorted(waits)
    assert waits[-1] == 600_000


def test_chance_spreads_it():
    answer = Answer(problem="later")
    waits = {proof(answer, NOON, chance).again_ms - NOON for chance in (0.0, 0.5, 1.0)}
    assert waits == {11_250, 15_000, 18_750}
