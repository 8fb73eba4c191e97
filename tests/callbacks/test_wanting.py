"""From a passthru whose rules promised a callback to the promise, or to why there is none."""

from __future__ import annotations

import msgspec
import pytest

from switchhook.callbacks.hearing import Wanted
from switchhook.callbacks.promise import Promise, PromiseOrigin, PromiseState
from switchhook.callbacks.refusals import Refusal, RefusalCode
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.wanting import promise_for

from .promised import NOON, NUMBER

OWN = "+918045678900"
SETTINGS = CallbackSettings(exophone=OWN, flow="12", delay_s=60, within_s=3600)
WANTED = Wanted(
    at_ms=NOON,
    endpoint="sales",
    receipt="r1",
    call_sid="c1",
    numbers=(NUMBER,),
    outbound=False,
    reason="no free stream",
    class_="vip",
    proven=True,
)


def found(settings=SETTINGS, account="main", **changes):
    wanted = msgspec.structs.replace(WANTED, **changes)
    return promise_for(wanted, account, settings, {OWN}, "abc")


def test_a_caller_is_promised_a_callback_that_is_to_be_proven():
    assert found() == Promise(
        token="abc",
        account="main",
        number=NUMBER,
        class_="vip",
        reason="no free stream",
        origin=PromiseOrigin.RULE,
        endpoint="sales",
        call_sid="c1",
        receipt="r1",
        made_ms=NOON,
        due_ms=NOON + 60_000,
        until_ms=NOON + 3_600_000,
        state=PromiseState.UNPROVEN,
        since_ms=NOON,
    )


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({"account": ""}, RefusalCode.NOT_CONFIGURED, "endpoint sales belongs to no account"),
        ({"settings": None}, RefusalCode.NOT_CONFIGURED, "account main calls nobody back"),
        ({"proven": False}, RefusalCode.UNCONFIRMED, "its request proved no secret"),
        (
            {"call_sid": ""},
            RefusalCode.UNCONFIRMED,
            "its request names no call that Exotel could confirm",
        ),
        (
            {"outbound": True},
            RefusalCode.CAMPAIGN,
            "they were called, and only those who call in are called back",
        ),
        (
            {"numbers": ()},
            RefusalCode.UNREADABLE,
            "its number is withheld, or none that can be read",
        ),
        ({"numbers": (OWN,)}, RefusalCode.UNDIALABLE, "it is an ExoPhone of yours"),
        ({"numbers": ("+911234",)}, RefusalCode.UNDIALABLE, "its country has no such number"),
    ],
)
def test_why_nobody_is_owed_one(changes, code, why):
    refused = found(**changes)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.why) == (code, why)
    assert (refused.at_ms, refused.receipt, refused.reason) == (NOON, "r1", "no free stream")
    assert NUMBER not in refused.why


@pytest.mark.parametrize("numbers", [(NUMBER, OWN), (OWN, NUMBER)])
def test_the_callee_of_a_campaign_is_whoever_is_not_us(numbers):
    campaigns = msgspec.structs.replace(SETTINGS, campaigns=True)
    promise = found(campaigns, outbound=True, numbers=numbers)
    assert promise.number == NUMBER
