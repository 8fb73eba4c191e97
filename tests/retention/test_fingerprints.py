"""What was erased is found again by its fingerprint, in every spelling, and by nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exotel.test_spellings import FOUND, OTHERS
from switchhook.exotel.spellings import FORMS, ErasedNumber, Spellings, Subject
from switchhook.retention.erasure import Erasure
from switchhook.retention.fingerprints import ErasureList, Fingerprints, Remembered, Suspects, again

KEY = b"k" * 32
PRINTS = Fingerprints(KEY)


def erasure(value, subject=Subject.NUMBER, id="1", until=9):
    return Erasure(
        id=id, number=value, masked="m", by="a", asked_ms=5, until_seq=until, subject=subject
    )


ERASED = PRINTS.remember(erasure("+919876543210"))


def found_in(text, erased=ERASED, prints=PRINTS):
    suspects = Suspects(prints, [erased])
    suspects.look_at_text(text)
    return [value for _, value in suspects.found.values()]


@pytest.mark.parametrize("text", FOUND)
def test_a_number_is_found_again_in_every_spelling(text):
    assert found_in(text.encode()) == ["+919876543210"]


@pytest.mark.parametrize("text", [*OTHERS[2:5], "+91 98765 43211", "", "x" * 20_000])
def test_nothing_else_is_found(text):
    assert found_in(text.encode()) == []


def test_what_is_found_is_the_number_of_its_country():
    erased = PRINTS.remember(erasure("+6581234567"))
    assert found_in(b"To=0065 8123 4567&From=9876543210", erased) == ["+6581234567"]


def test_another_key_finds_nothing():
    assert found_in(b"9876543210", prints=Fingerprints(b"x" * 32)) == []


def test_fingerprints_hold_no_number():
    assert "98765" not in repr(ERASED)
    assert "43210" not in repr(ERASED)
    assert PRINTS.of("a", "x") != PRINTS.of("b", "x")


@pytest.mark.parametrize("subject", [Subject.CALL, Subject.CUSTOM_FIELD])
def test_calls_are_found_by_what_they_were_called(subject):
    suspects = Suspects(PRINTS, [PRINTS.remember(erasure("order 77", subject))])
    for text in ("order 7", "order 777", ""):
        suspects.look_at(subject, text)
    suspects.look_at_text(b"order 77")
    assert suspects.found == {}
    suspects.look_at(subject, "order 77")
    assert [value for _, value in suspects.found.values()] == ["order 77"]
    assert suspects.subjects == {subject}


def test_it_is_done_again_up_to_where_it_was_done():
    done = again(ERASED, "+919876543210", 5)
    assert (done.id, done.number, done.until_seq) == ("1", "+919876543210", 5)
    assert again(ERASED, "+919876543210", 50).until_seq == 9
    assert done.forms == FORMS
    assert done.phase == "journal"
    field = PRINTS.remember(erasure("x", Subject.CUSTOM_FIELD))
    assert again(field, "x", 5).phase == "find"


_remembered = st.builds(
    Remembered,
    id=st.sampled_from("abcd"),
    subject=st.just(Subject.CALL),
    masked=st.just(""),
    print=st.just("0" * 64),
    asked_ms=st.just(1),
    until_seq=st.integers(0, 9),
)


@given(st.lists(_remembered), st.lists(_remembered))
def test_lists_are_joined_in_any_order(one, other):
    """Of one that is in both, what covers more is kept: too little would bring data back."""
    empty = ErasureList(7)
    both = empty.with_more(one).with_more(other)
    assert both == empty.with_more(other).with_more(one) == both.with_more(one)
    for each in (*one, *other):
        assert max(x.until_seq for x in both.erasures if x.id == each.id) >= each.until_seq
    assert all(each.until_seq <= 3 for each in both.up_to(3).erasures)


@given(st.sampled_from(FOUND), st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_an_erasure_finds_is_found_again(spelt, before, after):
    """The quick look at a record sees all that the close look does."""
    text = before + spelt.encode() + after
    if Spellings(ErasedNumber("+919876543210")).count(text):
        assert found_in(text) == ["+919876543210"]
