"""Flags as OFREP has them: every field that published SDKs need, and whom a percentage is for."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.some_flags import DAY, FLAGS, LINES, MOST, NOW, OFF, PART, SHARE, VENDOR
from switchhook.exotel.cause import judge
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request
from switchhook.flags.ofrep import (
    LARGEST_BODY,
    RefusedEvaluation,
    etag_of,
    evaluated,
    evaluated_all,
    is_known,
    read_context,
)
from switchhook.rules.decide import flags_for
from switchhook.rules.flags import FlagSetting, Window
from switchhook.rules.rules_file import load_rules

NOBODY = read_context(b"{}")


def context(**said):
    return read_context(msgspec.json.encode({"context": said}))


def setting(flag, value):
    return {flag.name: FlagSetting(flag.name, flag.kind, value)}


@pytest.mark.parametrize(
    ("flag", "settings", "value", "reason", "variant"),
    [
        (OFF, {}, False, "STATIC", "off"),
        (OFF, setting(OFF, True), True, "STATIC", "on"),
        (VENDOR, {}, "a", "STATIC", "default"),
        (VENDOR, setting(VENDOR, "b"), "b", "STATIC", "set"),
        (MOST, setting(MOST, 7), 7, "STATIC", "set"),
        (PART, setting(PART, 3), 3.0, "STATIC", "set"),
        (LINES, {}, ["a"], "STATIC", "default"),
        (DAY, {}, True, "TARGETING_MATCH", "on"),
        (DAY, setting(DAY, Window("15:00", "16:00")), False, "TARGETING_MATCH", "off"),
        (SHARE, setting(SHARE, 100), True, "STATIC", "on"),
        (SHARE, setting(SHARE, 0), False, "STATIC", "off"),
    ],
)
def test_a_flag_that_needs_no_key_is_answered_without_one(flag, settings, value, reason, variant):
    found = evaluated(flag, settings, NOBODY, NOW)
    assert found == {
        "key": flag.name,
        "value": value,
        "reason": reason,
        "variant": variant,
        "metadata": {"kind": flag.kind.value, "set": bool(settings)},
    }
    assert type(found["value"]) is type(value)


def test_a_number_that_is_whole_keeps_its_point():
    """Else SDKs of Python give the bot its own default."""
    found = evaluated(PART, setting(PART, 3), NOBODY, NOW)
    assert b'"value":3.0' in msgspec.json.encode(found)


def test_a_percentage_wants_to_know_for_whom():
    with pytest.raises(RefusedEvaluation, match="send whom as targetingKey") as refused:
        evaluated(SHARE, {}, NOBODY, NOW)
    assert refused.value.code == "TARGETING_KEY_MISSING"
    (failed,) = [each for each in evaluated_all(FLAGS, {}, NOBODY, NOW) if "errorCode" in each]
    assert (failed["key"], failed["errorCode"]) == ("share", "TARGETING_KEY_MISSING")
    assert failed["errorDetails"]


@pytest.mark.parametrize("n", range(12))
def test_a_bot_gets_what_the_rules_got_however_it_writes_the_number(n):
    text = "[[rule]]\nname='a'\nwhen='flags.share'\noption='B'\n[default]\noption='A'\n"
    ruleset = load_rules(text, file="r", flags=FLAGS)
    half = setting(SHARE, 50)
    passthru = parse(Request(f"CallSid=c1&CallFrom=0987654321{n % 10}".encode()))
    assert judge(passthru)
    by_rules = flags_for(ruleset, half, passthru, NOW)["share"]
    digits = f"987654321{n % 10}"
    for said in (f"0{digits}", f"+91{digits}", f"91{digits}", f"+91 {digits[:5]} {digits[5:]}"):
        assert evaluated(SHARE, half, context(targetingKey=said), NOW)["value"] is by_rules
    assert evaluated(SHARE, half, context(targetingKey=f"call-{n}"), NOW)["reason"] == "SPLIT"


def test_a_number_without_its_country_is_read_in_the_region_that_is_said():
    assert context(targetingKey="91234567", region="SG").key == "+6591234567"
    assert context(targetingKey="91234567", region=["SG"]).key == "91234567"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"[]", "PARSE_ERROR"),
        (b"\xff", "PARSE_ERROR"),
        (b"[" * 5_000, "PARSE_ERROR"),
        (b" " * (LARGEST_BODY + 1), "PARSE_ERROR"),
        (b'{"context": 3}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 3}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "' + b"x" * 257 + b'"}}', "INVALID_CONTEXT"),
    ],
)
def test_what_is_no_context_is_refused_by_the_protocols_code(body, code):
    with pytest.raises(RefusedEvaluation) as refused:
        read_context(body)
    assert refused.value.code == code
    assert refused.value.details


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"context": null}', b'{"context": {}}', b'{"context": {"targetingKey": ""}}'],
)
def test_sdks_may_send_no_context(body):
    """Python's does where the bot gives none."""
    assert read_context(body).key == ""


@given(st.binary(max_size=200))
def test_any_body_is_a_context_or_refused(body):
    try:
        found = read_context(body)
    except RefusedEvaluation:
        return
    assert evaluated_all(FLAGS, {}, found, NOW)


def test_the_tag_covers_the_flags_and_the_context():
    """Two contexts that get the same answer today may not tomorrow."""
    one, other = context(targetingKey="a"), context(targetingKey="a", plan="x")
    same = read_context(b'{"context": {"plan": "x", "targetingKey": "a"}}')
    found = evaluated_all([OFF], {}, one, NOW)
    changed = evaluated_all([OFF], setting(OFF, True), one, NOW)
    assert etag_of(found, one) == etag_of(found, one)
    assert etag_of(found, other) == etag_of(found, same)
    assert len({etag_of(found, one), etag_of(found, other), etag_of(changed, one)}) == 3


def test_a_client_may_write_the_tag_as_http_lets_it():
    for said in ('"a"', 'W/"a"', '"b", "a"', "a", "*"):
        assert is_known(said, '"a"')
    for said in ("", '"b"', '"a b"'):
        assert not is_known(said, '"a"')
