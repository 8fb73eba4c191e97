"""Records of the journal as promises hear of them."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import urlencode

import msgspec

from switchhook.exotel.wire.status_callback import StatusCallback, build_full
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    Auth,
    Receipt,
    RecordKind,
    StatusReceived,
    encode,
)
from switchhook.journal.segment import Record
from switchhook.rules.decide import Decision, Option
from switchhook.streams.parsed_record import ParsedRecord, parse_record

from .promised import NOON

CALLER, EXOPHONE = "09811100001", "08045678900"
PROMISED = Decision(
    Option.B, "full", "0" * 64, "rule matched", promise="no free stream", class_="sales"
)
PLAIN = Decision(Option.A, "default", "0" * 64, "no rule matched")
THROTTLED = {"StreamSID": "s1", "Status": "failed", "DetailedStatus": "Streaming_call_throttled"}


def talked(seconds: int, by: str = "user", sid: str = "s1") -> dict[str, str]:
    """A stream in which somebody talked."""
    said = {"StreamSID": sid, "Status": "completed", "DisconnectedBy": by}
    return {**said, "Duration": str(seconds)}


_seqs = itertools.count(1)


def _record(kind: RecordKind, body: bytes, at_ms: int) -> Record:
    return Record(next(_seqs), kind, at_ms, at_ms, None, None, body)


def raw(call: str = "c1", stream: dict[str, str] | None = None, **more: str) -> bytes:
    """A passthru's query, of a call that came in."""
    said = {"CallSid": call, "CallFrom": CALLER, "CallTo": EXOPHONE, "Direction": "incoming"}
    flat = {f"Stream[{key}]": text for key, text in (stream or {}).items()}
    return urlencode({**said, **more, **flat}).encode()


def receipt(query: bytes, at_ms: int = NOON, **changes: Any) -> Receipt:
    said: dict[str, Any] = {
        "received_us": at_ms * 1000,
        "endpoint": "sales",
        "method": "GET",
        "raw": query,
        "decision": PLAIN,
        "http_status": 200,
        "auth": Auth("ok", "path"),
        **changes,
    }
    return Receipt(**said)


def passthru(query: bytes, at_ms: int = NOON, **changes: Any) -> ParsedRecord:
    """A passthru, parsed."""
    body = encode(receipt(query, at_ms, **changes))
    return parse_record(_record(RecordKind.PASSTHRU, body, at_ms))


def tried_by_a_person(query: bytes, at_ms: int = NOON, **changes: Any) -> ParsedRecord:
    """What a person's test asked."""
    body = encode(receipt(query, at_ms, **changes))
    return parse_record(_record(RecordKind.TEST, body, at_ms))


def asks_room(query: bytes, at_ms: int = NOON, **changes: Any) -> ParsedRecord:
    """A passthru before the stream."""
    fields = msgspec.structs.asdict(receipt(query, at_ms, **changes))
    return parse_record(_record(RecordKind.ADMISSION, encode(AdmissionGiven(**fields)), at_ms))


def asks_bot(query: bytes, at_ms: int = NOON, **changes: Any) -> ParsedRecord:
    """A dynamic URL's request."""
    fields = msgspec.structs.asdict(receipt(query, at_ms, **changes))
    return parse_record(_record(RecordKind.VOICEBOT, encode(AddressGiven(**fields)), at_ms))


def status(
    call: str = "c9", word: str = "completed", at_ms: int = NOON, **more: Any
) -> ParsedRecord:
    """A status callback."""
    legs = tuple(more.pop("legs", ()))
    callback = StatusCallback(call_sid=call, status=word, legs=legs, **more)
    form, body = build_full(callback, json=True)
    received = StatusReceived(at_ms * 1000, "main", body, form)
    return parse_record(_record(RecordKind.STATUS, encode(received), at_ms))
