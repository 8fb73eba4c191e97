"""Who wants a callback, and what is told of calls, by the journal's records."""

from __future__ import annotations

import pytest

from switchhook.callbacks.call_told import CallTold, ToldBy
from switchhook.callbacks.hearing import Heard, Wanted, heard_of
from switchhook.callbacks.promise import custom_field_of
from switchhook.exotel.cause import Cause
from switchhook.journal.receipt import Auth, parse_receipt_id

from .promised import NOON, NUMBER
from .records import (
    PROMISED,
    THROTTLED,
    asks_bot,
    asks_room,
    passthru,
    raw,
    status,
    talked,
    tried_by_a_person,
)

OURS = custom_field_of("abc", 1)
OWN = "+918045678900"


def heard(parsed):
    return heard_of(parsed, 7, NOON)


def test_a_passthru_whose_rule_promised_wants_a_callback():
    parsed = passthru(raw(stream=THROTTLED), decision=PROMISED)
    found = heard(parsed)
    assert found == Heard(
        Wanted(
            at_ms=NOON,
            endpoint="sales",
            receipt=found.wanted.receipt,
            call_sid="c1",
            numbers=(NUMBER,),
            outbound=False,
            reason="no free stream",
            class_="sales",
            proven=True,
        )
    )
    assert parse_receipt_id(found.wanted.receipt) == (NOON, 7, parsed.record.seq)


def test_of_an_outgoing_call_either_number_may_be_the_callees():
    query = raw(stream=THROTTLED, Direction="outbound-dial")
    wanted = heard(passthru(query, decision=PROMISED)).wanted
    assert (wanted.outbound, wanted.numbers) == (True, (NUMBER, OWN))


@pytest.mark.parametrize("number", ["", "anonymous", "1234", "sip:me@example.com"])
def test_a_number_that_can_not_be_read_is_none(number):
    query = raw(stream=THROTTLED, CallFrom=number)
    assert heard(passthru(query, decision=PROMISED)).wanted.numbers == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "HEAD"},
        {"repeat_of": "0" * 26},
        {"auth": Auth("wrong")},
        {"auth": Auth("missing")},
    ],
)
def test_what_tells_nothing_of_its_own_promises_nothing(changes):
    assert heard(passthru(raw(stream=THROTTLED), decision=PROMISED, **changes)) is None


def test_a_test_promises_nothing():
    assert heard(tried_by_a_person(raw(stream=THROTTLED), decision=PROMISED)) is None


def test_without_a_secret_it_is_wanted_and_said():
    found = heard(passthru(raw(stream=THROTTLED), decision=PROMISED, auth=Auth("open")))
    assert found.wanted.proven is False


def test_most_passthrus_mean_nothing():
    assert heard(passthru(raw(stream=THROTTLED))) is None
    assert heard(passthru(raw())) is None


def test_a_talk_is_told_of():
    found = heard(passthru(raw(stream=talked(42))))
    assert found == Heard(
        told=CallTold(
            by=ToldBy.PASSTHRU,
            at_ms=NOON,
            call_sid="c1",
            numbers=(NUMBER, OWN),
            cause=Cause.CALLER_LEFT,
            bot_s=42,
        )
    )


@pytest.mark.parametrize(
    ("more", "person_s"),
    [
        ({"DialCallStatus": "completed", "DialCallDuration": "31"}, 1),
        ({"DialCallStatus": "completed", "Legs[0][OnCallDuration]": "17"}, 17),
        ({"DialCallStatus": "Completed", "Legs[1][OnCallDuration]": "0"}, 0),
        ({"DialCallStatus": "no-answer", "DialCallDuration": "31"}, None),
    ],
)
def test_a_person_who_talked_is_told_of(more, person_s):
    found = heard(passthru(raw(**more)))
    assert (found.told.person_s if found else None) == (person_s or None)


def test_a_callback_of_ours_wants_none_whatever_its_rule_says():
    query = raw(stream=THROTTLED, Direction="outbound-dial", CustomField=OURS)
    found = heard(passthru(query, decision=PROMISED))
    assert found.wanted is None
    assert (found.told.custom_field, found.told.talk_s) == (OURS, 0)


def test_other_custom_fields_are_nobodys_business():
    query = raw(stream=talked(42), CustomField="order 12")
    assert heard(passthru(query)).told.custom_field == ""


@pytest.mark.parametrize("asks", [asks_room, asks_bot])
def test_a_callback_is_known_before_its_stream(asks):
    found = heard(asks(raw("c9", Direction="outbound-dial", CustomField=OURS)))
    assert (found.told.by, found.told.call_sid) == (ToldBy.BEFORE, "c9")
    assert found.told.custom_field == OURS
    assert heard(asks(raw("c9", CustomField="switchhook"))) is None
    assert heard(asks(raw("c9"))) is None
    assert heard(asks(raw("c9", CustomField=OURS), auth=Auth("wrong"))) is None


def test_a_status_callback_is_told_of():
    found = heard(status("c9", "busy", custom_field=OURS))
    assert found.wanted is None
    assert (found.told.by, found.told.status, found.told.custom_field) == (
        ToldBy.CALLBACK,
        "busy",
        OURS,
    )
    assert heard(status(None, "busy")) is None
