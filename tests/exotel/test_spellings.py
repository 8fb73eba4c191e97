"""One number in every spelling, and nothing else; a record emptied of all that came with it."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept_receipts import receipt
from switchhook.exotel.spellings import (
    FORMS,
    LOOKED_FOR,
    CallTraces,
    ErasedNumber,
    NotANumber,
    Spellings,
    Subject,
    read_subject,
    wiped,
)
from switchhook.journal.receipt import Sample, StatusReceived, decode_receipt, encode

NUMBER = ErasedNumber("+919876543210")
SPELLINGS = Spellings(NUMBER)

FOUND = [
    # Next to letters and underscores, in values and in names of parameters.
    "cust9876543210",
    "CustomField=cust9876543210x",
    "id_9876543210_order",
    "?tel9876543210=yes&CallSid=a1b2c3",
    "phone[9876543210]=1",
    "deadbeef9876543210cafe",
    # Any separator.
    "98765/43210",
    "9-8-7-6-5-4-3-2-1-0",
    "98765 – 43210",
    "98765\u200b43210",
    "98765\u00a043210",
    "98765:43210",
    "98765\t43210",
    "(98765)*(43210)",
    "<b>98765</b><i>43210</i>",
    # Any script.
    "९८७६५४३२१०",
    "९८७६५ ४३२१०",
    "٩٨٧٦٥٤٣٢١٠",
    "９８７６５４３２１０",
    "𝟗𝟖𝟕𝟔𝟓𝟒𝟑𝟐𝟏𝟎",
    "98765४३२१०",
    "九八七六五四三二一〇",
    # Escapes, several deep, mixed.
    quote("९८७६५४३२१०"),
    quote(quote(quote("+91 98765 43210"))),
    "%25252539%2538%37" + "6543210",
    json.dumps("९८७६५४३२१०"),
    json.dumps(json.dumps({"a": "९८७६५४३२१०"})),
    "\\u0039\\u00387\\u00365\\u00343210",
    "&#57;&#56;76543210",
    "&#x39;876543210",
    "98765&nbsp;43210",
    html.escape("<98765>&43210").replace("<", ""),
    quote(json.dumps({"From": "+91-98765-43210"})),
    # What looks like something else.
    "₹9876543210",
    "Rs.9876543210",
    "011919876543210",
    "x=1&From=9876543210&To=08047112233",
    "09876543210, 08047112233",
    "09876543210;08047112233",
]
OTHERS = [
    "19876543210x",
    "९९८७६५४३२१०",
    "98765432109",
    "98765a43210",
    "98765&To=43210",
    "%319876543210",
    "9876543210%31",
    "\\u00319876543210",
    "nine eight seven six five four three two one zero",
    base64.b64encode(b"9876543210").decode(),
]


@pytest.mark.parametrize("text", FOUND)
def test_every_spelling_is_found_and_masked_in_place(text):
    whole = text.encode()
    masked, count = SPELLINGS.mask(whole)
    assert count == 1
    assert len(masked) == len(whole)
    assert SPELLINGS.count(masked) == 0
    assert b"erased" in masked


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_another_number_or_is_said_not_to_be_looked_for_stays(text):
    assert SPELLINGS.mask(text.encode()) == (text.encode(), 0)


@pytest.mark.parametrize("text", FOUND)
@pytest.mark.parametrize("before", [b"", bytes(range(256)) * 40, "é".encode() * 5000])
def test_it_is_found_wherever_it_stands_in_the_bytes_of_a_file(text, before):
    """Also across what is looked at together, and beside bytes that are no text."""
    for shift in (0, 1, 7):
        whole = before + b"\n" * shift + b" \xff " + text.encode() + b" \xfe "
        assert SPELLINGS.count(whole) == 1, shift


_scripts = st.sampled_from(["0123456789", "०१२३४५६७८९", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９"])
_gaps = st.text(st.sampled_from(" -./:()*,–\u00a0\u200b_"), max_size=3)
_escapes = st.lists(
    st.sampled_from([quote, json.dumps, lambda text: quote(text, safe=""), html.escape]), max_size=3
)


@given(
    digits=st.from_regex(r"[6-9][0-9]{9}", fullmatch=True),
    prefix=st.sampled_from(["", "0", "+91", "91", "0091", "+91 (0)", "cust", "x_"]),
    script=_scripts,
    gaps=st.lists(_gaps, min_size=9, max_size=9),
    escapes=_escapes,
    after=st.sampled_from(["", "z", " then", "&b=2x", '"']),
)
def test_no_spelling_escapes(digits, prefix, script, gaps, escapes, after):
    """Whatever script, whatever between the digits, however often it was escaped."""
    spelt = "".join(
        script[int(digit)] + gap for digit, gap in zip(digits, [*gaps, ""], strict=True)
    )
    text = f"a={prefix}{spelt}{after}"
    for escape in escapes:
        text = escape(text)
    whole = text.encode()
    masked, count = Spellings(ErasedNumber("+91" + digits)).mask(whole)
    assert count == 1
    assert len(masked) == len(whole)
    assert Spellings(ErasedNumber("+91" + digits)).count(masked) == 0


@given(st.binary(max_size=3000))
def test_a_record_stays_one(raw):
    """What is masked lies within one text of it: its form is never touched."""
    body = encode(receipt(raw + b"9876543210" + raw))
    masked, _ = SPELLINGS.mask(body)
    assert decode_receipt(masked).endpoint == "default"


@pytest.mark.slow
def test_hostile_bytes_take_linear_time():
    """A megabyte of digits, separators or escapes is looked through in seconds."""
    for part in (b"1", b"9 ", b"%39", b"\\u0039", b"98765 ", b"&#57;", "९".encode(), b"<b>9"):
        begun = time.perf_counter()
        SPELLINGS.count(part * (300_000 // len(part)))
        assert time.perf_counter() - begun < 60, part


def test_the_forms_are_said():
    assert all(LOOKED_FOR[form] for form in range(1, FORMS + 1))


@pytest.mark.parametrize(
    "subject, text, expected",
    [
        (Subject.NUMBER, "098765 43210", "+919876543210"),
        (Subject.NUMBER, "43210", None),
        (Subject.CALL, " 5f0a1b2c3d4e5f60718293a4b5c6198p ", "5f0a1b2c3d4e5f60718293a4b5c6198p"),
        (Subject.CALL, "c1", None),
        (Subject.CALL, "a b c d e f g", None),
        (Subject.CUSTOM_FIELD, "order 77", "order 77"),
        (Subject.CUSTOM_FIELD, "", None),
        (Subject.CUSTOM_FIELD, "x" * 1001, None),
    ],
)
def test_what_is_asked_for_is_read(subject, text, expected):
    found = read_subject(subject, text)
    assert isinstance(found, NotANumber) if expected is None else found == expected


@pytest.mark.parametrize(
    "record",
    [
        receipt(b"CallSid=the-call-sid&From=9876543210", body=b"secret", peer="192.0.2.1"),
        StatusReceived(1, "a", b"CallSid=the-call-sid", query=b"x=secret", peer="::1"),
        Sample("sales", "wrong", b"CallSid=the-call-sid&secret", "::1"),
    ],
)
def test_a_record_is_emptied_and_can_still_be_read(record):
    body = encode(record)
    empty, count = CallTraces(("the-call-sid",)).mask(body)
    assert count >= 1
    found = msgspec.msgpack.decode(empty, type=type(record))
    assert found.raw == b"erased"
    assert found.peer is None
    assert b"secret" not in empty
    assert CallTraces(("the-call-sid",)).count(empty) == 0
    assert wiped(empty) == empty


@given(st.binary(max_size=200))
def test_what_is_no_record_is_emptied_too(body):
    assert b"the-call-sid" not in wiped(body + b"the-call-sid")


@pytest.mark.parametrize(
    "text, count",
    [
        ("CallSid=the-call-sid&x", 1),
        ("CallSid%3Dthe-call-sid%26x", 1),
        ("%22the%2Dcall%2Dsid%22", 1),
        ("xthe-call-sid", 0),
        ("the-call-sidx", 0),
        ("the-call-sid2", 0),
    ],
)
def test_a_sid_is_found_as_a_whole(text, count):
    assert CallTraces(("the-call-sid",)).count(text.encode()) == count
