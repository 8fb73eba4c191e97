"""What the store keeps of one passthru beside its facet: hashes and digits to find it by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.fields import Unusable, e164
from switchhook.exotel.number_keys import number_keys
from switchhook.exotel.passthru import Direction, StreamStatus
from switchhook.streams.facet import exophone_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.exotel.passthru import Passthru
    from switchhook.journal.receipt import Receipt
    from switchhook.streams.parsed_record import PassthruRecord

UNKNOWN = StreamStatus.UNKNOWN.value
BESIDE = "&"
"""Begins the key of a number that is no stream's `from` or `to`: a leg's, a callback's."""

CALL, STREAM, STATUS, FLOW, NOTE, STORY, RULE, SAID = range(8)
_KINDS = 8
"""What a hash was made of: its three lowest bits say so."""

Form = tuple[str, str, tuple[tuple[str, str], ...], tuple[str, ...]]
"""Endpoint, dialect, defects by field and problem, and the keys that have no field of ours."""


class Digest(msgspec.Struct, frozen=True, gc=False):
    """What the store keeps of a passthru; `stream` is the hash of the stream it tells of.

    `alone` is a stream without an id: no other receipt can tell of it, and it needs no hash.
    """

    mentions: list[int]
    callers: list[str]
    form: Form
    stream: int | None = None
    alone: bool = False


def digest(parsed: PassthruRecord) -> Digest:
    """What to keep of a passthru; raises whatever its texts can make a hash raise."""
    passthru = parsed.passthru
    call_sid, stream = passthru.call_sid, passthru.stream
    mentions, key, alone = [], None, False
    if call_sid is not None:
        mentions.append(hash_of(CALL, call_sid))
    if stream is not None:
        if stream.sid is not None:
            mentions.append(hash_of(STREAM, stream.sid))
        if parsed.enters_stories:
            alone = stream.sid is None
            key = None if alone else hash_of(STORY, call_sid, stream.sid, None)
            mentions.append(hash_of(RULE, parsed.receipt.decision.rule))
        if parsed.facet.status == UNKNOWN:
            mentions.append(hash_of(STATUS, (stream.status or "").lower()))
        if passthru.flow_id:
            mentions.append(hash_of(FLOW, passthru.flow_id))
        mentions += said_keys(passthru.custom_field, passthru.digits)
    from_, to = passthru.from_, passthru.to
    callers = caller_keys(from_, to, passthru.direction) + _beside(passthru, from_, to)
    return Digest(mentions, callers, _form(parsed.receipt, passthru), key, alone)


def caller_keys(from_: str | None, to: str | None, direction: str | None) -> list[str]:
    """What a stream is found by among numbers.

    The number called in an inbound call is the facet's ExoPhone: that finds it.
    """
    keys = list(number_keys(from_)) if from_ else []
    if to and to != from_ and (direction == Direction.OUTBOUND or not exophone_of(None, None, to)):
        keys += number_keys(to)
    return keys


def said_keys(custom_field: str | None, digits: str | None) -> list[int]:
    """What a stream is found by among what was said of its call, whatever the letter case."""
    said = {"custom_field": custom_field, "digits": digits}
    return [hash_of(SAID, name, text.casefold()) for name, text in said.items() if text]


def beside_keys(texts: Iterable[str | None], region: str) -> list[str]:
    """What a record is found by, for erasing, when it holds other people's numbers."""
    keys = []
    for text in texts:
        if text:
            number = e164(text, region)
            found = number_keys(text if isinstance(number, Unusable) or not number else number)
            keys += [BESIDE + key for key in found[:1]]
    return keys


def caller_keys_of(number: str) -> tuple[str, ...]:
    """What all records are found by that name a number in E.164."""
    keys = number_keys(number)
    return (*keys, BESIDE + keys[0]) if keys else ()


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
