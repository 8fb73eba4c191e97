"""What the store keeps of one record: hashes and digits to find it by, and its facet."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import classify
from switchhook.exotel.fields import Unusable, e164
from switchhook.exotel.number_keys import number_keys
from switchhook.exotel.passthru import Direction, Passthru, StreamStatus
from switchhook.journal.kept import read_passthru
from switchhook.journal.receipt import Receipt, decode_receipt, receipt_id
from switchhook.journal.source import JournalRecord
from switchhook.streams.facet import Facet, exophone_of, host_of
from switchhook.streams.story import ParsedReceipt, ReceiptRef, enters_stories

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = StreamStatus.UNKNOWN.value
BESIDE = "&"
"""Begins the key of a number that is no stream's `from` or `to`: a leg's, a callback's."""

CALL, STREAM, STATUS, FLOW, NOTE, STORY = range(6)
_KINDS = 8  # room for more
"""What a hash was made of: its three lowest bits say so."""

Form = tuple[str, str, tuple[tuple[str, str], ...], tuple[str, ...]]
"""Endpoint, dialect, defects by field and problem, and the keys that have no field of ours."""


class Digest(msgspec.Struct, frozen=True, gc=False):
    """A receipt as the store sees it; `stream` is the hash of the stream it tells of.

    `alone` is a stream without an id: no other receipt can tell of it, and it needs no hash.
    """

    record: JournalRecord
    receipt: Receipt
    passthru: Passthru
    facet: Facet
    mentions: list[int]
    callers: list[str]
    form: Form
    stream: int | None = None
    alone: bool = False

    def told(self, node: int) -> ParsedReceipt:
        """What it tells. Few are asked: only those of which another receipt tells, too."""
        return _told(self.record, self.receipt, self.passthru, node)


def digest(record: JournalRecord) -> Digest:
    """Read the receipt in a record; raises whatever a receipt can make its readers raise."""
    receipt = decode_receipt(record.body)
    passthru = read_passthru(receipt)
    call_sid, stream = passthru.call_sid, passthru.stream
    verdict = classify(passthru)
    status, mentions, key, alone = "", [], None, False
    if call_sid is not None:
        mentions.append(hash_of(CALL, call_sid))
    if stream is not None:
        state = stream.state
        status = "" if state is None else str(state)
        if stream.sid is not None:
            mentions.append(hash_of(STREAM, stream.sid))
        if enters_stories(receipt):
            alone = stream.sid is None
            key = None if alone else hash_of(STORY, call_sid, stream.sid, None)
        if state is StreamStatus.UNKNOWN:
            mentions.append(hash_of(STATUS, (stream.status or "").lower()))
        if passthru.flow_id:
            mentions.append(hash_of(FLOW, passthru.flow_id))
    from_, to, direction = passthru.from_, passthru.to, passthru.direction
    facet = Facet(
        receipt.endpoint,
        status,
        str(verdict.cause),  # `value` of an enum is slow to ask
        str(receipt.decision.option),
        str(verdict.kind or ""),
        host_of(stream),
        exophone_of(direction, from_, to),
    )
    callers = caller_keys(from_, to, direction) + _beside(passthru, from_, to)
    form = _form(receipt, passthru)
    return Digest(record, receipt, passthru, facet, mentions, callers, form, key, alone)


def read_told(record: JournalRecord, node: int) -> ParsedReceipt:
    """What the receipt in a record tells; raises as `digest` does."""
    receipt = decode_receipt(record.body)
    return _told(record, receipt, read_passthru(receipt), node)


def _told(record: JournalRecord, receipt: Receipt, passthru: Passthru, node: int) -> ParsedReceipt:
    name, option = receipt_id(record.at, node, record.seq), receipt.decision.option.value
    return ParsedReceipt(ReceiptRef(name, receipt.received_us, receipt.endpoint, option), passthru)


def caller_keys(from_: str | None, to: str | None, direction: str | None) -> list[str]:
    """What a stream is found by among numbers.

    The number called in an inbound call is the facet's ExoPhone: that finds it.
    """
    keys = list(number_keys(from_)) if from_ else []
    if to and to != from_ and (direction == Direction.OUTBOUND or not exophone_of(None, None, to)):
        keys += number_keys(to)
    return keys


def beside_keys(texts: Iterable[str | None], region: str) -> list[str]:
    """What a record is found by, for erasing, when it holds other people's numbers."""
    keys = []
    for text in texts:
        if text:
            number = e164(text, region)
            found = number_keys(text if isinstance(number, Unusable) or not number else number)
            keys += [BESIDE + key for key in found[:1]]
    return keys


def _beside(passthru: Passthru, from_: str | None, to: str | None) -> list[str]:
    texts = {
        passthru.dial_whom_number,
        passthru.outgoing_number,
        passthru.forwarded_from,
        *(text for leg in passthru.legs for text in (leg.number, leg.caller_id)),
    }
    return beside_keys(texts, passthru.region) if texts != {None} else []


def _form(receipt: Receipt, passthru: Passthru) -> Form:
    return (
        receipt.endpoint,
        str(passthru.dialect),
        tuple((defect.field, defect.problem) for defect in passthru.defects),
        tuple(key for key, _ in passthru.extra),
    )


def hash_of(kind: int, *texts: str | None) -> int:
    """63 bits, the same in every process; texts of different kinds don't meet."""
    whole = "\0".join(["\1" if text is None else text for text in texts])
    raw = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(raw, "big") >> 1 & -_KINDS) | kind


def kind_of(key: int) -> int:
    """What a hash was made of."""
    return key % _KINDS
