"""What the store keeps of one record: hashes to find it by, and the facet it is listed under."""

from __future__ import annotations

import hashlib

import msgspec

from switchhook.cause import judge
from switchhook.passthru import StreamStatus
from switchhook.receipt import decode_receipt, receipt_id
from switchhook.story import JournalRecord, Mention, StreamStory, Told, enters_stories, stream_key
from switchhook.wire.kept import read_passthru

Facet = tuple[str, str, str, str]
"""Endpoint, stream status, cause, option."""

UNKNOWN = StreamStatus.UNKNOWN.value


class Digest(msgspec.Struct, frozen=True):
    """A receipt as the store sees it; `stream` is the hash of the stream it tells of.

    `alone` is a stream without an id: no other receipt can tell of it.
    """

    told: Told
    facet: Facet
    mentions: tuple[int, ...]
    stream: int | None = None
    alone: bool = False


def digest(record: JournalRecord, node: int) -> Digest:
    """Read the receipt in a record; raises whatever a receipt can make its readers raise."""
    receipt = decode_receipt(record.body)
    passthru = read_passthru(receipt)
    stream = passthru.stream
    option = receipt.decision.option.value
    status, mentions = "", []
    if passthru.call_sid is not None:
        mentions.append(hash_of("call", passthru.call_sid))
    if stream is not None:
        state = stream.state
        status = "" if state is None else state.value
        if stream.sid is not None:
            mentions.append(hash_of("stream", stream.sid))
        if state is StreamStatus.UNKNOWN:
            mentions.append(hash_of("status", (stream.status or "").lower()))
    by = Mention(
        receipt_id(record.at, node, record.seq), receipt.received_us, receipt.endpoint, option
    )
    told = Told(by, passthru)
    key = stream_key(told) if enters_stories(receipt) else None
    return Digest(
        told,
        (receipt.endpoint, status, judge(passthru).cause.value, option),
        tuple(mentions),
        None if key is None else hash_of("story", *key),
        key is not None and key[1] is None,
    )


def facet_of(story: StreamStory) -> Facet:
    """What a stream is listed under: the endpoint that heard of it first, and how it stands."""
    state = story.stream.state
    status = "" if state is None else state.value
    return story.first.endpoint, status, story.verdict.cause.value, story.settled_by.option


def hash_of(kind: str, *texts: str | None) -> int:
    """63 bits, the same in every process; texts of different kinds don't meet."""
    whole = "\0".join([kind, *("\1" if text is None else text for text in texts)])
    raw = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(raw, "big") >> 1
