"""Records as the spans of their calls. No I/O and no clock here.

A call's trace has its id from the CallSid alone, so that a bot which knows the CallSid can put its
own spans into the same trace: the first 16 bytes of BLAKE2b. No span holds a telephone number.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import FAILURES
from switchhook.exotel.passthru import StreamStatus
from switchhook.journal.receipt import id_of
from switchhook.streams.parsed_record import CallbackRecord
from switchhook.streams.story import FINALITY, finality_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.exotel.passthru import Stream
    from switchhook.streams.parsed_record import PassthruRecord

_LONGEST = 256
Value = str | int | float | bool


class Span(msgspec.Struct, frozen=True):
    """One span; times in ns of Unix time. `problem` makes it an error, `incoming` a request."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]
    problem: str | None = None
    incoming: bool = False


def trace_id_of(call_sid: str) -> int:
    """The id of a call's trace: 16 bytes, big-endian."""
    return int.from_bytes(hashlib.blake2b(call_sid.encode(), digest_size=16).digest())


def span_id_of(*parts: str) -> int:
    """The id of a span that has the same one whenever it is told: 8 bytes, big-endian."""
    said = "\0".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8, person=b"span").digest())


def root_id_of(call_sid: str) -> int:
    """The id of the span that is the whole call."""
    return span_id_of("call", call_sid)


def spans_of(parsed: PassthruRecord | CallbackRecord, node: int) -> tuple[str, list[Span]] | None:
    """The CallSid of the call that a record is about, and its spans; None where it has none.

    `node` is the journal's. A passthru that only repeats another has none.
    """
    name = id_of(parsed.record, node)
    if isinstance(parsed, CallbackRecord):
        return _of_callback(parsed, name)
    call_sid = parsed.passthru.call_sid
    if not call_sid or not parsed.enters_stories:
        return None
    spans = [_of_passthru(parsed, call_sid, name)]
    stream = parsed.passthru.stream
    if stream is not None and finality_of(stream) > FINALITY[StreamStatus.UNKNOWN]:
        spans.append(_of_stream(parsed, stream, call_sid, name))
    return call_sid, spans


def _of_passthru(parsed: PassthruRecord, call_sid: str, name: str) -> Span:
    receipt, passthru = parsed.receipt, parsed.passthru
    decision, start_ns = receipt.decision, receipt.received_us * 1000
    return Span(
        f"passthru {receipt.endpoint}",
        trace_id_of(call_sid),
        span_id_of("passthru", name),
        root_id_of(call_sid),
        start_ns,
        start_ns + receipt.decided_in_us * 1000,
        _said(
            ("switchhook.endpoint", receipt.endpoint),
            ("switchhook.receipt", name),
            ("switchhook.option", decision.option.value),
            ("switchhook.rule", decision.rule),
            ("switchhook.defects", len(passthru.noted)),
            ("exotel.call_sid", call_sid),
            ("exotel.flow_id", passthru.flow_id),
            ("http.request.method", receipt.method),
            ("http.response.status_code", receipt.http_status),
        ),
        incoming=True,
    )


def _of_stream(parsed: PassthruRecord, stream: Stream, call_sid: str, name: str) -> Span:
    """A stream that has ended: it ended when it was told, and began as long before as it lasted."""
    cause, error = parsed.verdict.cause, parsed.verdict.error
    problem = cause.value if cause in FAILURES else None
    kind = error.kind.value if error is not None else cause.value
    told_ns, duration_s = parsed.receipt.received_us * 1000, stream.duration_s or 0
    return Span(
        "stream",
        trace_id_of(call_sid),
        span_id_of("stream", call_sid, stream.sid or name),
        root_id_of(call_sid),
        told_ns - duration_s * 1_000_000_000,
        told_ns,
        _said(
            ("exotel.call_sid", call_sid),
            ("exotel.stream_sid", stream.sid),
            ("exotel.stream.status", None if stream.state is None else stream.state.value),
            ("exotel.stream.duration_s", duration_s),
            ("switchhook.cause", cause.value),
            ("error.type", kind if problem else None),
            ("server.address", parsed.facet.host),
        ),
        problem=problem,
    )


def _of_callback(parsed: CallbackRecord, name: str) -> tuple[str, list[Span]] | None:
    """A moment in its call; `name` tells it from every other."""
    callback, received = parsed.callback, parsed.received
    if callback is None or not callback.call_sid:
        return None
    call_sid, at_ns = callback.call_sid, received.received_us * 1000
    span = Span(
        "status callback",
        trace_id_of(call_sid),
        span_id_of("status", name),
        root_id_of(call_sid),
        at_ns,
        at_ns,
        _said(
            ("exotel.call_sid", call_sid),
            ("exotel.call.status", callback.status),
            ("exotel.event_type", callback.event_type),
            ("switchhook.account", received.account),
        ),
        incoming=True,
    )
    return call_sid, [span]


class OpenCall(msgspec.Struct):
    """A call of which more may come; what is known of it so far."""

    call_sid: str
    start_ns: int
    end_ns: int
    heard_ms: int
    problem: str | None = None

    def hear(self, spans: list[Span], now_ms: int) -> None:
        """Take in what was told of it."""
        self.start_ns = min(self.start_ns, *(span.start_ns for span in spans))
        self.end_ns = max(self.end_ns, *(span.end_ns for span in spans))
        self.problem = next((span.problem for span in spans if span.problem), self.problem)
        self.heard_ms = now_ms

    def root(self) -> Span:
        """The span that is the whole call."""
        return Span(
            "call",
            trace_id_of(self.call_sid),
            root_id_of(self.call_sid),
            None,
            self.start_ns,
            self.end_ns,
            _said(("exotel.call_sid", self.call_sid)),
            problem=self.problem,
        )


def _said(*pairs: tuple[str, Value | None]) -> dict[str, Value]:
    """What is said, each text cut to a length that collectors take."""
    return {
        key: value[:_LONGEST] if isinstance(value, str) else value
        for key, value in pairs
        if value is not None and value != ""
    }


class TraceSettings(msgspec.Struct, frozen=True):
    """Where traces go: the collector's OTLP address for traces, and headers that it asks for.

    `share` of the calls are traced, 0 to 1: whole calls, the same ones everywhere.
    """

    endpoint: str
    headers: Mapping[str, str] = {}
    share: float = 1.0
