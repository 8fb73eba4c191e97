"""What a record holds, as one number: by which the same one is known when it comes again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.journal import segment
from switchhook.journal.checking import UNREADABLE
from switchhook.journal.masking import ERASED_ASKED

if TYPE_CHECKING:
    from switchhook.journal.segment import Record


def content_hash(record: Record) -> int:
    """A signed number of 64 bits, of a record's numbers and its body.

    A damaged record has that of a hole: what is read of it one day is not what is read another.
    """
    if record.damage:
        return _hole(record.seq)
    return segment.content_hash(*_numbers(record), record.asked, record.option, record.body)


def numbers_hash(record: Record) -> int:
    """The same of what masking leaves as it is: all numbers, and whether something was asked."""
    if record.damage:
        return _hole(record.seq)
    asked = None if record.asked is None else ERASED_ASKED
    return segment.content_hash(*_numbers(record), asked, record.option, b"")


class Handed(msgspec.Struct, frozen=True):
    """What the database tells of a record that it has.

    `maskable` is whether it may have been masked there.
    """

    seq: int
    hash: int
    numbers: int
    maskable: bool = False


def is_same(record: Record, handed: Handed) -> bool:
    """Whether a record of the journal is the one of its number that was handed over.

    What is damaged on one side can't be told from anything. What may have been masked since has its
    numbers compared: two clocks in ms among them, which two machines don't share for long.
    """
    if record.damage or handed.hash == _hole(handed.seq):
        return True
    if content_hash(record) == handed.hash:
        return True
    maskable = handed.maskable or may_be_masked(record.asked)
    return maskable and numbers_hash(record) == handed.numbers


def may_be_masked(asked: int | None) -> bool:
    """Whether a record with this fingerprint of a question is masked, or can be without a sign."""
    return asked is None or asked == ERASED_ASKED


def _numbers(record: Record) -> tuple[int, int, int, int | None]:
    return record.seq, record.kind, record.at, record.mono


def _hole(seq: int) -> int:
    return segment.content_hash(seq, UNREADABLE, 0, None, None, None, b"")
