"""A receipt comes back as it was kept, and its id says when, where and which."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.passthru import Defect
from switchhook.journal.receipt import (
    Auth,
    ClockStep,
    ConfigApplied,
    Counters,
    HeartbeatReceived,
    Keep,
    Late,
    Receipt,
    RecordKind,
    Sample,
    StatusReceived,
    decode_receipt,
    encode,
    parse_receipt_id,
    receipt_id,
)
from switchhook.rules.decide import Decision, Option
from switchhook.rules.rollout import RolloutSeen
from switchhook.rules.variables import AccountFacts

PLAIN = Receipt(
    received_us=1_795_000_000_000_123,
    endpoint="default",
    method="GET",
    raw=b"CallSid=a1&From=%ff\xff\x00",
    decision=Decision(Option.A, "default", "0" * 64, "no rule matched"),
    http_status=200,
)
FULL = Receipt(
    received_us=-1,
    endpoint="sales",
    method="POST",
    raw=b"",
    decision=Decision(
        Option.B,
        "r1",
        "f" * 64,
        "é",
        (Defect("rule.r0", "failed"),),
        "people",
        "sales",
        "vip",
        "no room",
    ),
    http_status=302,
    body=bytes(range(256)),
    content_type="application/json; charset=é",
    head_problem="header lines: odd",
    body_problem="cut short",
    auth=Auth("ok", "basic"),
    peer="2001:db8::1",
    facts=AccountFacts(active=7, allowed=10, headroom=3, age_s=0.5),
    zone="Asia/Singapore",
    region="SG",
    mode="async",
    repeat_of="0" * 26,
    decided_in_us=250,
    test="0" * 16,
    rollout=RolloutSeen(7, "e" * 64, 500, 9_999),
    flags={"sale": True, "greeting": "é", "limit": 3, "part": 0.5, "vips": ["+919820000001"]},
    engine="1",
    keep=Keep.TWO_COPIES,
)


@pytest.mark.parametrize("receipt", [PLAIN, FULL], ids=["plain", "full"])
def test_a_receipt_comes_back_as_it_was_kept(receipt):
    assert decode_receipt(encode(receipt)) == receipt


def test_a_full_receipt_has_every_field():
    """So that none can be forgotten above."""
    defaults = msgspec.structs.asdict(PLAIN)
    assert {name for name in defaults if getattr(FULL, name) == defaults[name]} == set()


def test_a_decision_from_before_promises_is_the_same_bytes():
    """A receipt of a rule that promises nothing is kept as it was before rules could."""
    before = {"option": "A", "rule": "default", "release": "0" * 64, "reason": "no rule matched"}
    assert msgspec.msgpack.decode(encode(PLAIN))["decision"] == before
    assert decode_receipt(encode(PLAIN)).decision.promise == ""


NUMBERS = st.integers(-(2**63), 2**63 - 1)
DECISIONS = st.builds(
    Decision,
    st.sampled_from(Option),
    st.text(),
    st.text(),
    st.text(),
    st.lists(st.builds(Defect, st.text(), st.text()), max_size=3).map(tuple),
    st.text(),
    st.text(),
    st.text(),
    st.text(),
)


@given(
    st.builds(
        Receipt,
        received_us=NUMBERS,
        endpoint=st.text(),
        method=st.text(),
        raw=st.binary(),
        decision=DECISIONS,
        http_status=NUMBERS,
        body=st.binary(),
        content_type=st.none() | st.text(),
        auth=st.builds(Auth, st.text(), st.none() | st.text()),
        facts=st.builds(
            AccountFacts, active=st.none() | NUMBERS, age_s=st.none() | st.floats(0, 1e9)
        ),
        repeat_of=st.none() | st.text(),
    )
)
def test_any_receipt_comes_back_as_it_was_kept(receipt):
    kept = encode(receipt)
    assert decode_receipt(kept) == receipt
    assert encode(decode_receipt(kept)) == kept


@pytest.mark.parametrize(
    "record",
    [
        Late(7, 1200),
        ConfigApplied("rules/sales", "0" * 64, "[default]\n", "reload"),
        ClockStep(-2500),
        Counters({"failed to decide": 1}),
        Counters({"answered": 3, "answer_ms <= 2": 3}, {"waiting": 2}),
        Sample("default", "wrong secret", b"CallSid=a1\xff", None),
        StatusReceived(1, "main", b"CallSid=a1\xff", "application/json", "198.51.100.7"),
        HeartbeatReceived(1, "main", b'{"status_type":"OK"}', None, "cut short"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_every_other_record_comes_back_as_it_was_kept(record):
    assert msgspec.msgpack.decode(encode(record), type=type(record)) == record


def test_counters_of_before_there_were_peaks_are_read():
    old = msgspec.msgpack.encode({"counts": {"answered": 1}})
    assert msgspec.msgpack.decode(old, type=Counters) == Counters({"answered": 1})


def test_what_is_kept_holds_no_defaults():
    """Ten million receipts: what every one of them says need not be said."""
    kept = msgspec.msgpack.decode(encode(PLAIN))
    assert set(kept) == {"received_us", "endpoint", "method", "raw", "decision", "http_status"}


def test_a_receipt_of_a_later_release_can_be_read():
    later = msgspec.msgpack.decode(encode(FULL)) | {"unheard_of": 1}
    assert decode_receipt(msgspec.msgpack.encode(later)) == FULL


def changed(**fields: object) -> bytes:
    kept = msgspec.msgpack.decode(encode(PLAIN)) | fields
    return msgspec.msgpack.encode({name: value for name, value in kept.items() if value != "gone"})


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (b"", "truncated"),
        (encode(PLAIN)[:-1], "truncated"),
        (encode(PLAIN) + b"\0", "trailing"),
        (b"\xc1", "malformed"),
        (b"\x00", "Expected `object`, got `int`"),
        (encode(Late(1, 2)), "missing required field `received_us`"),
        (changed(raw="gone"), "missing required field `raw`"),
        (changed(raw=5), r"Expected `bytes`, got `int` - at `\$.raw`"),
        (changed(decision={"option": "C"}), r"Invalid enum value 'C' - at `\$.decision.option`"),
    ],
)
def test_bytes_that_are_no_receipt_are_refused_with_the_place(kept, said):
    with pytest.raises(msgspec.DecodeError, match=said):
        decode_receipt(kept)


@given(st.binary() | st.integers(0, len(encode(FULL)) - 1).map(lambda end: encode(FULL)[:end]))
def test_bytes_that_are_no_receipt_raise_one_kind_of_error(kept):
    with pytest.raises(msgspec.DecodeError):
        decode_receipt(kept)


def test_the_numbers_of_kinds_are_kept_for_ever():
    numbers = {kind.name: kind.value for kind in RecordKind}
    assert (
        numbers
        | {
            "LOST": 0,
            "PASSTHRU": 1,
            "LATE": 2,
            "TAKEOVER": 3,
            "CLOCK": 4,
            "COUNTERS": 5,
            "SAMPLE": 6,
        }
        == numbers
    )


# Ids.

PLACES = st.tuples(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**32 - 1))


def id_of(place: tuple[int, int, int]) -> str:
    at_ms, seq, node = place
    return receipt_id(at_ms, node, seq)


@given(PLACES)
def test_an_id_goes_round(place):
    at_ms, seq, node = place
    name = id_of(place)
    assert parse_receipt_id(name) == (at_ms, node, seq)
    assert len(name) == 26
    assert name.isalnum()
    assert name == name.lower()


@given(st.lists(PLACES, unique=True))
def test_ids_sort_by_time_then_number_and_are_unique_across_nodes(places):
    assert [id_of(place) for place in sorted(places)] == sorted({id_of(each) for each in places})


@pytest.mark.parametrize(
    "text",
    ["", "0" * 25, "0" * 27, "U" * 26, "u" * 26, "0" * 25 + "O", "0" * 25 + "٣", " " * 26,
     id_of((1, 2, 3)).upper().replace("0", "O")],
)  # fmt: skip
def test_a_text_that_is_no_id_has_no_place(text):
    assert parse_receipt_id(text) is None


@given(st.text(max_size=40) | st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=26, max_size=26))
def test_any_text_is_an_id_or_not(text):
    """One that is read is the id of what was read."""
    place = parse_receipt_id(text)
    if place is not None:
        at_ms, node, seq = place
        assert receipt_id(at_ms, node, seq) == text
