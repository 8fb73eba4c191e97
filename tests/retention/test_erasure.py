"""Finding one phone number however it is spelt, and masking it where it stands."""

from __future__ import annotations

import json
from hashlib import sha256
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from switchhook.exotel.spellings import ErasedNumber, NotANumber, Spellings, read_number
from switchhook.journal.closed import Segment, SegmentState
from switchhook.retention.erasure import (
    Erasure,
    ErasurePlan,
    Phase,
    SearchedPlace,
    digest_of,
    plan_erasure,
    proof_of,
)

NUMBER = ErasedNumber("+919876543210")
SPELLINGS = Spellings(NUMBER)

FOUND = [
    b"9876543210",
    b"CallFrom=09876543210&To=08047112233",
    b"From=919876543210",
    b"From=%2B919876543210&",
    b"From=+919876543210",
    b"From=%252B919876543210",
    b"From=00919876543210",
    b"From=+91 98765 43210",
    b"From=+91+98765+43210",
    b"From=%2B91%2098765%2043210",
    b"From=%2B91-98765-43210",
    b"From=%2B91%2D9876%2D543%2D210",
    b"From=(0)98765-43210",
    b"From=%2B91(0)9876543210",
    b"From=0919876543210",
    b"From=98765.....43210",
    b"From=%39%38%37%36%35%34%33%32%31%30",
    b"From=%2539%2538%2537%2536%2535%2534%2533%2532%2531%2530",
    b"%7B%22From%22%3A%229876543210%22%7D",
    b"%257B%2522From%2522%253A%25229876543210%2522%257D",
    b'{"From":"+919876543210"}',
    b'{"From":"\\u002b919876543210"}',
    b'{"From":"\\u00229876543210"}',
    b"To=sip:+919876543210@gw.example",
    b"To=sip%3A9876543210%40gw.example",
    b"CustomField=customer_9876543210_renewal",
    b"CustomField=%209876543210",
    b"a\xc2\xa098765\xc2\xa043210b",
]
OTHERS = [
    b"",
    b"From=9876543211",
    b"From=98765432101",
    b"From=19876543210",
    b"From=%319876543210",
    b"From=9876543210%31",
    b"Id=4409876543210",
    b"StartTime=1700000000&EndTime=1700000100",
    b"From=98765&To=43210",
    b"From=987654321",
]


@pytest.mark.parametrize("text", FOUND)
def test_a_number_is_found_however_it_is_spelt(text):
    assert len(SPELLINGS.find(text)) == 1


@pytest.mark.parametrize("text", OTHERS)
def test_another_number_is_left_alone(text):
    assert SPELLINGS.mask(text) == (text, 0)


def test_masking_keeps_length_and_everything_around():
    text = b"CallSid=a1&From=%2B919876543210&To=sip:98765%2043210@gw&Digits=9"
    masked, count = SPELLINGS.mask(text)
    assert count == 2
    assert masked == b"CallSid=a1&From=%2B91erasedxxxx&To=sip:erasedxxxxxxx@gw&Digits=9"
    assert len(masked) == len(text)
    assert SPELLINGS.mask(masked) == (masked, 0)


def test_text_is_masked_too_in_any_script():
    assert SPELLINGS.mask_text("नमस्ते 09876543210 ✓") == ("नमस्ते 0erasedxxxx ✓", 1)
    assert SPELLINGS.mask_text("\ud800 nothing") == ("\ud800 nothing", 0)


_separators = st.sampled_from(["", " ", "-", ".", " -", ") "])
_prefixes = st.sampled_from(["", "0", "+91", "91", "0091", "+91 ", "+91-", "+91 (0)"])


@given(
    digits=st.from_regex(r"[6-9][0-9]{9}", fullmatch=True),
    prefix=_prefixes,
    gaps=st.lists(_separators, min_size=9, max_size=9),
    encodings=st.lists(st.sampled_from([quote, quote_plus, json.dumps]), max_size=2),
    around=st.tuples(
        st.sampled_from(["", "a", "From=", "=", "&x"]), st.sampled_from(["", "z", "&"])
    ),
)
def test_no_spelling_escapes(digits, prefix, gaps, encodings, around):
    """Whatever is between the digits and however it is encoded, none of them is left."""
    spelt = prefix + "".join(map("".join, zip(digits, [*gaps, ""], strict=True)))
    for encode in encodings:
        spelt = encode(spelt)
    text = f"{around[0]}{spelt}{around[1]}".encode()
    masked, count = Spellings(ErasedNumber("+91" + digits)).mask(text)
    assert count == 1
    assert len(masked) == len(text)
    assert digits.encode() not in masked.translate(None, b" -.()+%025")


@given(st.binary(max_size=400))
def test_masking_never_raises_and_ends_at_once(text):
    """Whatever the bytes, a second pass finds nothing."""
    masked, count = SPELLINGS.mask(text)
    assert len(masked) == len(text)
    assert (count == 0) == (masked == text)
    assert SPELLINGS.find(masked) == []


@pytest.mark.parametrize(
    "text, expected",
    [
        ("+91 98765 43210", "+919876543210"),
        ("09876543210", "+919876543210"),
        (" 919876543210 ", "+919876543210"),
        ("+6581234567", "+6581234567"),
        ("+1 415 555 2671", "+14155552671"),
    ],
)
def test_a_number_is_read_as_people_write_it(text, expected):
    assert read_number(text) == ErasedNumber(expected)


@pytest.mark.parametrize("text", ["", "43210", "XXXXXX3210", "sip:bob@example", "+91", "*"])
def test_what_would_hit_others_is_refused(text):
    assert isinstance(read_number(text), NotANumber)


def test_other_countries():
    spellings = Spellings(ErasedNumber("+6581234567"))
    assert len(spellings.find(b"From=6581234567&To=%2B65+8123+4567&x=81234567")) == 3
    assert spellings.find(b"From=1181234567") == []


ERASURE = Erasure(
    id="1", number=NUMBER.e164, masked=NUMBER.masked, by="asha", asked_ms=1, until_seq=9
)


def test_an_erasure_is_complete_when_everything_was_searched_and_nothing_is_left():
    assert not ERASURE.complete
    searched = SearchedPlace("journal", searched=9, found=2, spellings=3)
    done = replace(ERASURE.on(Phase.DONE), number=None, done_ms=2, places=(searched,))
    assert done.complete
    assert done.found == 2
    assert not replace(done, places=(searched, SearchedPlace("audit", left=1))).complete


def test_counts_add_up_by_place():
    places = ERASURE.noted("journal", searched=5, found=1)
    places = replace(ERASURE, places=places).noted("journal", searched=2)
    assert places == (SearchedPlace("journal", searched=7, found=1),)
    assert replace(ERASURE, places=places).place("ledger") == SearchedPlace("ledger")


def test_a_proof_names_no_number_and_shows_a_change():
    proof = proof_of(replace(ERASURE, places=(SearchedPlace("journal", searched=9, found=2),)))
    assert "9876543210" not in repr(proof)
    said = msgspec.to_builtins(proof)
    assert said["proof"] == hash_of_proof(said)
    assert said["proof"] != hash_of_proof({**said, "by": "somebody else"})


def hash_of_proof(said):
    """What anybody computes who was given a proof, as docs/api.md has it."""
    proved = {**said, "proof": ""}
    text = json.dumps(proved, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def test_a_plan_says_what_will_be_searched():
    def segment(first, last, state):
        return Segment(f"{first}", state, first, last, first, last, 100)

    there = (segment(1, 10, SegmentState.SEALED), segment(11, 20, SegmentState.OPEN))
    assert plan_erasure(NUMBER.masked, there, 10) == ErasurePlan(NUMBER.masked, 10, 1, 100, False)
    assert plan_erasure(NUMBER.masked, there, 15) == ErasurePlan(NUMBER.masked, 15, 2, 200, True)
    assert plan_erasure(NUMBER.masked, (), 0).segments == 0


def test_a_digest_depends_on_records_and_their_place():
    one = digest_of([(1, b"a"), (2, b"b")])
    assert one == digest_of([(1, b"a"), (2, b"b")])
    assert len({one, digest_of([(1, b"ab")]), digest_of([(2, b"a"), (1, b"b")])}) == 3
