"""Calls that are erased whole: by their SIDs, or by the CustomField that they had."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.spellings import CallTraces, ErasedNumber, Spellings, Subject
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request
from switchhook.journal.bot_report import read
from switchhook.journal.receipt import (
    Sample,
    decode_bot_report,
    decode_receipt,
    decode_status,
    read_callback,
    read_passthru,
)

if TYPE_CHECKING:
    from switchhook.exotel.spellings import Traces
    from switchhook.retention.erasure import Erasure

_sample = msgspec.msgpack.Decoder(Sample).decode

_PLAIN = re.compile(r"[A-Za-z0-9]+")


class Named(msgspec.Struct, frozen=True):
    """What a record says of its call: the SIDs of the call and its stream, and the CustomField."""

    sids: tuple[str, ...]
    custom_field: str | None


def named_in(body: bytes) -> Named:
    """What a record of the journal names; nothing where it is none of a call."""
    for read_as in (_of_receipt, _of_report, _of_status, _of_sample):
        try:
            return read_as(body)
        except (msgspec.DecodeError, msgspec.ValidationError):
            continue
    return Named((), None)


def calls_named(body: bytes, custom_field: str) -> tuple[str, ...]:
    """The SIDs in a record that has this CustomField."""
    if not _may_have(body, custom_field):
        return ()
    named = named_in(body)
    return named.sids if named.custom_field == custom_field else ()


def traces_of(erasure: Erasure) -> Traces:
    """What an erasure looks for."""
    assert erasure.number is not None, "an erasure knows what it is about until all is masked"
    match erasure.subject:
        case Subject.NUMBER:
            return Spellings(ErasedNumber(erasure.number))
        case Subject.CALL:
            return CallTraces((erasure.number,))
        case Subject.CUSTOM_FIELD:
            return CallTraces(erasure.calls, partial(_has, erasure.number))


def _has(custom_field: str, body: bytes) -> bool:
    return _may_have(body, custom_field) and named_in(body).custom_field == custom_field


def _may_have(body: bytes, custom_field: str) -> bool:
    """Whether a closer look could find it; letters and digits are hardly ever encoded."""
    return _longest_word(custom_field) in body or b"%25" in body or b"\\u" in body


@lru_cache(maxsize=8)
def _longest_word(text: str) -> bytes:
    return max(_PLAIN.findall(text), key=len, default="").encode()


def _of_receipt(body: bytes) -> Named:
    passthru = read_passthru(decode_receipt(body))
    stream = passthru.stream
    return _named(passthru.call_sid, stream.sid if stream else None, passthru.custom_field)


def _of_report(body: bytes) -> Named:
    report = read(decode_bot_report(body).raw)
    if report is None:
        return Named((), None)
    return _named(report.call_sid, report.stream_sid, None)


def _of_status(body: bytes) -> Named:
    callback = read_callback(decode_status(body))
    if callback is None:
        return Named((), None)
    return _named(callback.call_sid, None, callback.custom_field)


def _of_sample(body: bytes) -> Named:
    passthru = parse(Request(_sample(body).raw))
    return _named(passthru.call_sid, None, passthru.custom_field)


def _named(call: str | None, stream: str | None, custom_field: str | None) -> Named:
    return Named(tuple(sid for sid in (call, stream) if sid), custom_field)
