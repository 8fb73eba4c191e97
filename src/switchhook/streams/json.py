r"""Receipts, streams and calls as the JSON objects of the API.

What a request does not say is null. Where a value is normalised, the text as sent stands beside
it as `…_raw`. Bytes of `raw` and `body` that are not UTF-8 are shown as `\xNN`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Verdict, judge
from switchhook.exotel.passthru import Leg, Passthru, Stream
from switchhook.exotel.stream_error import StreamError
from switchhook.journal.receipt import Receipt
from switchhook.streams.kept_call import copies_of, defects_of, unread
from switchhook.streams.parsed_record import UnreadableRecord
from switchhook.web.json import text_of, time_of, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.kept_call import KeptReceipt
    from switchhook.streams.store import Marks
    from switchhook.streams.story import CallStory, StreamStory
    from switchhook.web.json import Json


def receipt_json(
    id: str,
    receipt: Receipt,
    passthru: Passthru,
    *,
    first: Receipt | None = None,
    marks: Marks | None = None,
    placed_ms: int | None = None,
) -> Json:
    """A receipt; of a repeat, `first` is the one it names, whose rule decided.

    `placed_ms` is where in time it belongs if the system's clock was wrong when it came; `marks`
    None where nobody looked for any.
    """
    verdict = judge(passthru)
    return {
        "id": id,
        "received_at": time_of(receipt.received_us),
        "endpoint": receipt.endpoint,
        "mode": receipt.mode,
        "method": receipt.method,
        "dialect": passthru.dialect.value,
        "auth": receipt.auth.state,
        "raw": text_of(receipt.raw),
        "body": text_of(receipt.body) if receipt.body else None,
        **_parameters(passthru),
        "call": _call(passthru),
        "stream": passthru.stream and _stream(passthru.stream, verdict.error),
        **_verdict(verdict),
        "decision": _decision(receipt, first or receipt),
        "repeat_of": receipt.repeat_of,
        "flags": dict(receipt.flags),
        "defects": [
            {"field": defect.field, "problem": defect.problem}
            for defect in defects_of(receipt, passthru)
        ],
        "extra": _by_key(passthru.extra),
        "decided_in_ms": receipt.decided_in_us / 1000,
        "late_ms": marks and marks.late_ms,
        "copies": copies_of(receipt, marks),
        "placed_at": None if placed_ms is None else time_of(placed_ms * 1000),
    }


def passthru_json(passthru: Passthru) -> Json:
    """What a request says, of which there is no receipt."""
    verdict = judge(passthru)
    return {
        "dialect": passthru.dialect.value,
        **_parameters(passthru),
        "call": _call(passthru),
        "stream": passthru.stream and _stream(passthru.stream, verdict.error),
        **_verdict(verdict),
        "defects": [{"field": each.field, "problem": each.problem} for each in passthru.defects],
        "extra": _by_key(passthru.extra),
    }


def _parameters(passthru: Passthru) -> Json:
    """What a passthru says of the call and the applet beside their own objects."""
    direction = passthru.direction
    return {
        "call_sid": passthru.call_sid,
        "direction": direction and direction.value,
        "direction_raw": passthru.direction_raw,
        "from": passthru.from_,
        "from_raw": passthru.from_raw,
        "to": passthru.to,
        "to_raw": passthru.to_raw,
        "digits": passthru.digits,
        "custom_field": passthru.custom_field,
        "recording_url": passthru.recording_url,
    }


def _decision(receipt: Receipt, first: Receipt) -> Json:
    """How a receipt was answered, and which rule of `first` decided it."""
    decision, decided = receipt.decision, first.decision
    return {
        "option": decision.option.value,
        "http_status": receipt.http_status,
        "rule": decided.rule,
        "release": decided.release,
        "reason": decision.reason,
        "select": decided.select or None,
        "promise": decided.promise or None,
        "class": (decided.class_ or None) if decided.promise else None,
    }


def kept_json(kept: KeptReceipt) -> Json:
    """A receipt as it is kept."""
    read = kept.read
    if isinstance(read, UnreadableRecord):
        return unreadable_json(kept.id, read.record.at, unread(read))
    return receipt_json(
        kept.id,
        read.receipt,
        read.passthru,
        first=kept.first,
        marks=kept.marks,
        placed_ms=kept.placed_ms,
    )


def unreadable_json(id: str, at_ms: int, reason: str) -> Json:
    """A receipt that can't be read: when it came, and why nothing else is said."""
    empty: Json = dict.fromkeys(RECEIPT_KEYS)
    return empty | {
        "id": id,
        "received_at": time_of(at_ms * 1000),
        "defects": [{"field": "receipt", "problem": reason}],
        "extra": {},
    }


def stream_json(story: StreamStory) -> Json:
    """A stream; `id` is that of the first receipt that told of it."""
    verdict = story.verdict
    shown = _stream(story.stream, verdict.error)
    numbers = story.numbers
    return {
        "id": story.first.id,
        "call_sid": story.call_sid,
        "endpoint": story.first.endpoint,
        "from": numbers["from_"][1] if "from_" in numbers else None,
        "to": numbers["to"][1] if "to" in numbers else None,
        **shown,
        **_verdict(verdict),
        "option": story.settled_by.option,
        "settled_by": story.settled_by.id,
        "first_received_at": time_of(story.first.received_us),
        "last_received_at": time_of(story.last.received_us),
    }


def call_json(story: CallStory) -> Json:
    """A call as it was told of last, without its passthrus and streams."""
    text = story.text
    return {
        "call_sid": story.call_sid,
        "first_received_at": time_of(story.first.received_us),
        "last_received_at": time_of(story.last.received_us),
        "from": text("from_"),
        "from_raw": text("from_raw"),
        "to": text("to"),
        "to_raw": text("to_raw"),
        "direction": text("direction"),
        "direction_raw": text("direction_raw"),
        "account_sid": text("account_sid"),
        "status": text("call_status"),
        "type": text("call_type"),
        "dial_status": text("dial_status"),
        "flow_id": text("flow_id"),
        "custom_field": text("custom_field"),
        "recording_url": text("recording_url"),
    }


def _call(passthru: Passthru) -> Json:
    return {
        "status": passthru.call_status,
        "type": passthru.call_type,
        "dial_status": passthru.dial_status,
        "dial_duration_s": passthru.dial_duration_s,
        "dial_duration_raw": passthru.dial_duration_raw,
        "dial_whom_number": passthru.dial_whom_number,
        "outgoing_number": passthru.outgoing_number,
        "legs": [_leg(leg, passthru.region) for leg in passthru.legs],
        "created_at": time_text(passthru.created_at),
        "created_at_raw": passthru.created_raw,
        "started_at": time_text(passthru.started_at),
        "started_at_raw": passthru.started_raw,
        "ended_at": time_text(passthru.ended_at),
        "ended_at_raw": passthru.ended_raw,
        "current_at": time_text(passthru.current_at),
        "current_at_raw": passthru.current_raw,
        "recording_available_raw": passthru.recording_available_raw,
        "account_sid": passthru.account_sid,
        "flow_id": passthru.flow_id,
        "tenant_id": passthru.tenant_id,
        "forwarded_from": passthru.forwarded_from,
        "event_type": passthru.event_type,
        "agent_status": passthru.agent_status,
        "agent_email": passthru.agent_email,
    }


def _leg(leg: Leg, region: str) -> Json:
    return {
        "index": leg.index,
        # A leg's number is written as a caller's is.
        "number": Passthru(from_raw=leg.number, region=region).from_,
        "number_raw": leg.number,
        "type": leg.type,
        "on_call_duration_s": leg.on_call_duration_s,
        "on_call_duration_raw": leg.on_call_duration_raw,
        "cause": leg.cause,
        "cause_code": leg.cause_code,
        "caller_id": leg.caller_id,
        "disconnected_by": leg.disconnected_by,
        "extra": _by_key(leg.extra),
    }


def _stream(stream: Stream, error: StreamError | None) -> Json:
    who = stream.disconnected_by
    return {
        "sid": stream.sid,
        "status": stream.status_word,
        "status_raw": stream.status,
        "duration_s": stream.duration_s,
        "duration_raw": stream.duration_raw,
        "url": stream.url,
        "recording_url": stream.recording_url,
        "disconnected_by": who and who.value,
        "disconnected_by_raw": stream.disconnected_by_raw,
        "detailed_status": stream.detailed_status,
        "error": stream.error,
        "disposition": stream.disposition,
        "error_detail": error and _error(error),
    }


def _error(error: StreamError) -> Json:
    return {
        "code": error.code,
        "kind": error.kind.value,
        "host": error.host,
        "port": error.port,
        "close_code": error.close_code,
    }


def _verdict(verdict: Verdict) -> Json:
    return {
        "cause": verdict.cause.value,
        "advice": verdict.advice,
        "evidence": [{"field": field, "text": text} for field, text in verdict.evidence],
    }


def _by_key(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for key, value in pairs:
        before = found.get(key)
        if before is None:
            found[key] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            found[key] = [before, value]
    return found


RECEIPT_KEYS = tuple(
    receipt_json(
        "",
        msgspec.convert(
            {
                "received_us": 0,
                "endpoint": "",
                "method": "GET",
                "raw": b"",
                "decision": {"option": "B", "rule": "", "release": "", "reason": ""},
                "http_status": 302,
            },
            Receipt,
        ),
        Passthru(),
    )
)
"""The keys of a receipt, in order."""
