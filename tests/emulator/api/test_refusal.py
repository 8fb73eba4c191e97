"""Who may be called, and what the API says instead."""

from __future__ import annotations

import pytest

from switchhook.emulator.api.refusal import injected, injected_for_now, why_not_called
from switchhook.emulator.plan.plan import Account, Caller, Fault

ONE, OTHER = "+919811100001", "+919811100002"


@pytest.mark.parametrize(
    ("account", "caller", "whitelisted", "refused"),
    [
        (Account(), Caller(), False, None),
        (Account(), Caller(dnd=True), True, None),
        (Account(), Caller(dnd=True), False, (403, None)),
        (Account(), Caller(unsubscribed=True), True, (403, None)),
        (Account(standing="trial", verified=(ONE,)), Caller(), False, None),
        (Account(standing="trial", verified=(OTHER,)), Caller(), True, (403, None)),
        (Account(standing="no-kyc"), Caller(), True, (403, 340030)),
        (Account(standing="suspended"), Caller(), True, (403, None)),
        (Account(standing="no-balance"), Caller(), True, (402, None)),
    ],
)
def test_why_somebody_is_not_called(account, caller, whitelisted, refused):
    why = why_not_called(account, caller, ONE, whitelisted=whitelisted)
    assert (why and (why.status, why.code)) == refused


@pytest.mark.parametrize(("code", "again"), [(429, "3"), (503, "3"), (500, None), (418, None)])
def test_what_passes_says_when_to_come_again_and_a_broken_api_says_nothing(code, again):
    fault = Fault(what="connect-refused", code=code, seconds=2.5)
    refused = injected_for_now(fault)
    assert (refused.error.status, refused.headers.get("Retry-After")) == (code, again)
    assert injected(fault).headers == {}
