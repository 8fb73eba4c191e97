"""What an answer says of the call that was asked for: a refusal has one meaning, a doubt stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.exotel.connect_answer import ConnectAnswer, ConnectOutcome, judge_answer
from switchhook.exotel.wire.calls import CallRecord, build_call
from switchhook.exotel.wire.connect import ConnectRequest
from switchhook.exotel.wire.rest_error import RestError, build_error

from .wire.odd_json import odd_bodies

NUMBER = "+919811100001"
REQUEST = ConnectRequest(mode="flow", from_=NUMBER, caller_id="08047112233", app_id="77001")
PLACED, AMBIGUOUS, POSTPONED, REFUSED_NUMBER, STOP_ACCOUNT = ConnectOutcome


def judge(status, body=b"", **more):
    return judge_answer(status, body, REQUEST, account_sid="acme", **more)


def refused(status, message, code=None, **more):
    return judge(status, build_error(RestError(status, message, code), xml=False), **more)


def call(**said):
    told = {"sid": "c1", "account_sid": "acme", "from_": "09811100001", "to": None} | said
    record = CallRecord(
        phone_number_sid="08047112233",
        status="in-progress",
        direction="outbound-api",
        created=None,
        updated=None,
        **told,
    )
    return build_call(record, xml=False)


# Success.


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"account_sid": ""},
        {"from_": NUMBER},
        {"from_": "9811100001"},
        {"from_": "08047112233", "to": "09811100001"},
        {"from_": ""},
        {"from_": "XXXXX00001"},
    ],
)
def test_a_call_that_is_ours_is_placed(status, said):
    assert judge(status, call(**said)) == ConnectAnswer(PLACED, "c1")


@pytest.mark.parametrize(
    "said, problem",
    [
        ({"account_sid": "other"}, "the API answered for another account"),
        ({"from_": "09811100002"}, "the API answered with a call to another number"),
        ({"from_": "09811100002", "to": "08047112233"}, "with a call to another number"),
        ({"sid": "../x"}, "the API answered with a Sid that can't be one"),
        ({"sid": "x" * 65}, "the API answered with a Sid that can't be one"),
    ],
)
def test_another_call_leaves_a_doubt(said, problem):
    found = judge(200, call(**said))
    assert (found.outcome, found.call_sid) == (AMBIGUOUS, "")
    assert problem in found.problem


@pytest.mark.parametrize(
    "status, body",
    [
        (200, b""),
        (200, b"<html>Sign in</html>"),
        (200, call()[:40]),
        (200, b'{"Call":{"Status":"queued"}}'),
        (204, b""),
        (200, build_error(RestError(200, "odd"), xml=False)),
        (200, build_error(RestError(500, "The call could not be originated"), xml=False)),
    ],
)
def test_a_success_that_names_no_call_leaves_a_doubt(status, body):
    assert judge(status, body).outcome is AMBIGUOUS


def test_a_refusal_within_a_success_is_one():
    found = judge(200, build_error(RestError(402, "Insufficient balance"), xml=True))
    assert found.outcome is STOP_ACCOUNT


# Refusals.


@pytest.mark.parametrize(
    "status, code, message, outcome",
    [
        (400, None, "Invalid parameter From: got '0123', expected a phone number", REFUSED_NUMBER),
        (400, None, "Invalid 'From' number", REFUSED_NUMBER),
        (400, None, "the customer number is not valid", REFUSED_NUMBER),
        (400, None, "CallerId 08047112233 is not a valid ExoPhone of yours", STOP_ACCOUNT),
        (400, None, "Invalid parameter CallerId: got x, expected a phone number", STOP_ACCOUNT),
        (400, None, "Url names no app: '77001'", STOP_ACCOUNT),
        (400, None, "Invalid parameter StreamUrl: got 'x', expected a wss:// URL", STOP_ACCOUNT),
        (400, None, "Invalid parameter StatusCallbackEvents: got 'x'", STOP_ACCOUNT),
        (400, None, "the virtual number is not assigned to this account", STOP_ACCOUNT),
        (401, None, "Authentication failed", STOP_ACCOUNT),
        (402, None, "Insufficient balance in your account", STOP_ACCOUNT),
        (403, 340030, "Forbidden", STOP_ACCOUNT),
        (403, None, "Your account is not KYC compliant", STOP_ACCOUNT),
        (403, None, "Your account has been suspended", STOP_ACCOUNT),
        (403, None, "Calls from a deactivated account are not allowed", STOP_ACCOUNT),
        (403, None, "Your account is blocked for repeated DND violations", STOP_ACCOUNT),
        (403, None, "Call can not be made because of TRAI NDNC regulations", REFUSED_NUMBER),
        (403, None, "Phone number is registered as DND", REFUSED_NUMBER),
        (403, None, "The customer has unsubscribed", REFUSED_NUMBER),
        (403, None, "No free channel for this call", POSTPONED),
        (400, None, "Concurrent call limit reached", POSTPONED),
        (400, None, "All channels of this ExoPhone are in use", POSTPONED),
        (400, None, "CallerId is not a verified number", STOP_ACCOUNT),
        (400, None, "Registered as DND", REFUSED_NUMBER),
        (403, None, "Registered as DND: use a promotional channel", REFUSED_NUMBER),
        (404, None, "not found", STOP_ACCOUNT),
        (429, None, "Too many requests", POSTPONED),
        (503, 35008, "Service unavailable", POSTPONED),
        (301, None, "", STOP_ACCOUNT),
        (308, None, "", STOP_ACCOUNT),
    ],
)
@pytest.mark.parametrize("xml", [False, True])
def test_a_known_refusal(status, code, message, outcome, xml):
    found = judge(status, build_error(RestError(status, message, code), xml=xml))
    assert (found.outcome, found.unknown) == (outcome, False)
    assert str(status) in found.problem


@pytest.mark.parametrize(
    "status, message", [(403, "Forbidden"), (403, ""), (400, "no"), (409, "Conflict"), (418, "x")]
)
def test_a_refusal_that_nobody_knows_stops_the_number_and_says_so(status, message):
    found = refused(status, message)
    assert (found.outcome, found.unknown) == (REFUSED_NUMBER, True)


@pytest.mark.parametrize(
    "message", ["Trial accounts can call verified numbers only", "This number is not verified"]
)
def test_what_a_trial_account_may_not_call_may_be_everybody(message):
    """One such number is one; several in a row are the account: else each promise would break."""
    found = refused(403, message)
    assert (found.outcome, found.unknown) == (REFUSED_NUMBER, True)
    assert "a trial account calls verified numbers only" in found.problem


@pytest.mark.parametrize("status", [302, 303, 304, 408, 499, 500, 502, 503, 504, 520, 599, 999])
def test_what_may_have_called_leaves_a_doubt(status):
    assert refused(status, "whatever").outcome is AMBIGUOUS
    assert judge(status).outcome is AMBIGUOUS


@pytest.mark.parametrize(
    "status, code, waits", [(429, None, 30), (503, 35008, 30), (504, None, 30), (401, None, None)]
)
def test_it_waits_as_long_as_exotel_asked(status, code, waits):
    assert refused(status, "", code, retry_after_s=30.0).retry_after_s == waits


# What is said.


def test_no_number_address_or_secret_is_repeated():
    message = (
        "Invalid parameter StatusCallback: got 'https://hooks.example/status/main/the-secret-1'"
        " for +919811100001 with the-api-token\x1b[2J"
    )
    found = refused(400, message, hide=lambda text: text.replace("the-api-token", "…"))
    for hidden in ("the-secret-1", "9811100001", "the-api-token", "\x1b"):
        assert hidden not in found.problem
    assert found.problem.startswith("the API answered 400 (Invalid parameter StatusCallback: got")
    assert found.problem.endswith(": check exophone, flow and bot")


@settings(deadline=None)
@given(
    st.integers(100, 999),
    st.binary(max_size=300)
    | odd_bodies("Call", "Sid", "From", "RestException", "Status", "Message", "Code"),
)
def test_it_never_raises_and_a_call_is_named_by_a_success_only(status, body):
    found = judge(status, body)
    assert (found.outcome is PLACED) == bool(found.call_sid)
    assert found.outcome is not PLACED or 200 <= status < 300
    assert found.problem.isprintable()
