"""What was answered before a stream, and what its bot reports, as the JSON objects of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.journal.receipt import AddressGiven, AdmissionGiven, RecordKind, id_of
from switchhook.streams.json import receipt_json, unreadable_json
from switchhook.streams.parsed_record import parse_passthru_record, reason_of
from switchhook.streams.routed_record import ReportedRecord, RoutedRecord, read_routed
from switchhook.streams.store import UNMARKED
from switchhook.web.json import text_of, time_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.journal.receipt import Receipt
    from switchhook.journal.source import JournalRecord
    from switchhook.streams.store import Marks
    from switchhook.web.json import Json


def beside_json(record: JournalRecord, node: int, marks: Mapping[int, Marks]) -> Json:
    """A record that a receipt's id can name and that is no caller's passthru after a stream."""
    name = id_of(record, node)
    read = read_routed(record)
    if isinstance(read, ReportedRecord):
        return report_json(name, read)
    if read is not None:
        return routed_json(name, read, marks)
    if record.kind == RecordKind.TEST and not record.damage:
        try:
            passthru = parse_passthru_record(record)
        except Exception as error:  # noqa: BLE001 - said of this one record, as of a passthru
            return unreadable_json(name, record.at, f"can't be read ({type(error).__name__})")
        shown = receipt_json(name, passthru.receipt, passthru.passthru)
        return shown | {"kind": "passthru", "test": passthru.receipt.test}
    reason = record.damage or reason_of(ValueError("of another release"))
    return unreadable_json(name, record.at, f"can't be read ({reason.partition(':')[0]})")


def routed_json(name: str, read: RoutedRecord, marks: Mapping[int, Marks]) -> Json:
    """A receipt from before the stream: a passthru's fields, and what was given."""
    of = marks.get(read.record.seq, UNMARKED)
    shown = receipt_json(name, read.receipt, read.passthru, marks=of)
    return shown | given_json(read.receipt)


def given_json(receipt: Receipt) -> Json:
    """What a receipt from before the stream has beside those of a passthru."""
    if isinstance(receipt, AdmissionGiven):
        return _admission(receipt)
    if isinstance(receipt, AddressGiven):
        return _address(receipt)
    return {"kind": "passthru", "test": receipt.test}


def _admission(receipt: AdmissionGiven) -> Json:
    seen = receipt.admission
    budget = None if seen is None else seen.budget
    return {
        "kind": "admit",
        "test": receipt.test,
        "account": receipt.account or None,
        "admitted": receipt.admitted,
        "class": seen and seen.class_,
        "room": seen and seen.room,
        "budget": budget and budget.room,
        "given_since": seen and seen.used,
        "reserve": None if seen is None or budget is None else budget.reserves.get(seen.class_, 0),
    }


def _address(receipt: AddressGiven) -> Json:
    route = receipt.route
    return {
        "kind": "voicebot",
        "test": receipt.test,
        "account": receipt.account or None,
        "pool": route and route.pool,
        "asked_pool": route and (route.asked or route.pool),
        "member": route and route.member,
        "address": receipt.address or None,
        "fallback": receipt.fallback,
        "key": route and route.key,
        "eligible": [
            {"member": each.member, "weight": each.weight}
            for each in (route.eligible if route is not None else ())
        ],
        "hands": list(route.hands) if route is not None else [],
        "degraded": route is not None and route.degraded,
        "problem": (route and route.problem) or None,
    }


def report_json(name: str, read: ReportedRecord) -> Json:
    """What a bot reports of one event of a stream; `at` is by its own clock."""
    report, received = read.report, read.received
    return {
        "id": name,
        "kind": "report",
        "received_at": time_of(received.received_us),
        "endpoint": received.endpoint,
        "account": received.account or None,
        "call_sid": report.call_sid,
        "stream_sid": report.stream_sid,
        "event": report.said,
        "at": None if report.at_us is None else time_of(report.at_us),
        "ended_by": report.by or None,
        "error": report.error or None,
        "raw": text_of(received.raw),
        "defects": [{"field": each.field, "problem": each.problem} for each in report.defects],
    }
