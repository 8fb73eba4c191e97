"""What a record holds, as one number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from switchhook.cluster.content import Handed, content_hash, is_same, numbers_hash
from switchhook.journal.masking import ERASED_ASKED
from switchhook.journal.segment import Record

RECORD = Record(7, 1, 1_764_000_000_000, 123, 456, 1, b"CallSid=a1")
NUMBERS = st.integers(-(2**63), 2**63 - 1)
RECORDS = st.builds(
    Record, NUMBERS, NUMBERS, NUMBERS, *[st.none() | NUMBERS] * 3, body=st.binary(max_size=50)
)


def handed(record: Record, *, maskable: bool = False) -> Handed:
    return Handed(record.seq, content_hash(record), numbers_hash(record), maskable)


def test_it_is_kept_in_databases_and_so_never_changes():
    assert content_hash(RECORD) == 1166393980172192882
    assert numbers_hash(RECORD) == -2975987193898511252


@given(RECORDS)
def test_every_record_has_one_that_fits_the_column(record):
    for found in (content_hash(record), numbers_hash(record)):
        assert -(2**63) <= found < 2**63
    assert is_same(record, handed(record))


@pytest.mark.parametrize(
    "changed",
    [
        *({"seq": 8}, {"kind": 2}, {"at": 1}, {"mono": None}, {"asked": None}, {"option": 0}),
        *({"body": b"CallSid=a2"}, {"mono": 0}),
    ],
    ids=str,
)
def test_whatever_differs_makes_it_another(changed):
    other = replace(RECORD, **changed)
    assert content_hash(other) != content_hash(RECORD)
    assert is_same(other, handed(RECORD)) is False


def test_none_is_not_zero():
    assert content_hash(replace(RECORD, mono=None)) != content_hash(replace(RECORD, mono=0))


def test_masked_on_either_side_it_is_the_same_by_its_numbers():
    masked = replace(RECORD, asked=ERASED_ASKED, body=b"CallSid=xx")
    assert is_same(masked, handed(RECORD))
    assert is_same(RECORD, handed(masked, maskable=True))
    assert not is_same(replace(masked, mono=124), handed(RECORD))


def test_what_is_damaged_on_either_side_is_told_from_nothing():
    damaged = Record(7, -1, 0, None, None, None, b"?", "it can't be read")
    assert is_same(damaged, handed(RECORD))
    assert is_same(RECORD, handed(damaged))
    assert content_hash(damaged) == content_hash(replace(damaged, body=b"", damage="otherwise"))
