"""The calls of Exotel's Calls API, version 1: one with its details, and a page of many.

Call Details and Bulk Calls (exotel-platform E.4). Times in bodies are naive IST.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.wire import xml_text
from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.ist_time import ist_text, parse_ist
from switchhook.exotel.wire.rest_document import (
    ROOT,
    build_document,
    find_object,
    parse_document,
)
from switchhook.exotel.wire.rest_error import parse_error
from switchhook.exotel.wire.scalar import whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_YEAR = 1970  # the epoch in IST stands for no time (exotel-platform A.4)
_MOST_LEGS = 100


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A call as the API tells it; None is what is not known yet, "" what was not said.

    Times are naive IST.
    """

    sid: str
    account_sid: str
    from_: str
    to: str | None
    phone_number_sid: str
    status: str
    direction: str
    created: datetime | None
    updated: datetime | None
    started: datetime | None = None
    ended: datetime | None = None
    duration_s: int | None = None
    price: str | None = None
    answered_by: str | None = None
    recording_url: str | None = None
    custom_field: str | None = None
    talk_s: int | None = None
    leg1_status: str | None = None
    leg2_status: str | None = None
    legs: tuple[dict[str, Any], ...] = ()


def build_call(record: CallRecord, *, xml: bool, details: bool = False) -> bytes:
    """The body of one call; `details` is what `?details=true` adds (exotel-platform E.4)."""
    return build_document("Call", _call(record, details=details), xml=xml)


def parse_call(body: bytes) -> CallRecord | UnreadableAnswer:
    """Read the body of one call, JSON or XML, with details or without; never raises.

    A text that is no number or time where one belongs is None: the body is kept beside.
    """
    tree = parse_document(body)
    if isinstance(tree, UnreadableAnswer):
        return tree
    call = find_object(tree, "call")
    if call is None:
        return _no("call", body)
    return _record(call) or UnreadableAnswer("a call without a Sid")


def _no(what: str, body: bytes) -> UnreadableAnswer:
    error = parse_error(body)
    said = f"a refusal: {error.message}" if error else f"no {what} in the answer"
    return UnreadableAnswer(said)


def _record(call: dict[str, Any]) -> CallRecord | None:
    """A call as it was said; None where it has no Sid."""
    said, details = _lower_keys(call), _lower_keys(find_object(call, "details") or {})
    sid = _said(said, "sid")
    if sid is None:
        return None
    return CallRecord(
        sid=sid,
        account_sid=_said(said, "accountsid") or "",
        from_=_said(said, "from") or "",
        to=_said(said, "to"),
        phone_number_sid=_said(said, "phonenumbersid") or "",
        status=_said(said, "status") or "",
        direction=_said(said, "direction") or "",
        created=_time(said, "datecreated"),
        updated=_time(said, "dateupdated"),
        started=_time(said, "starttime"),
        ended=_time(said, "endtime"),
        duration_s=_count(said, "duration"),
        price=_said(said, "price"),
        answered_by=_said(said, "answeredby"),
        recording_url=_said(said, "recordingurl"),
        custom_field=_said(said, "customfield"),
        talk_s=_count(details, "conversationduration"),
        leg1_status=_said(details, "leg1status"),
        leg2_status=_said(details, "leg2status"),
        legs=_legs(details.get("legs")),
    )


def _lower_keys(tree: dict[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in tree.items()}


def _said(said: dict[str, Any], name: str) -> str | None:
    value = said.get(name)
    if isinstance(value, dict | list) or value is None:
        return None
    return str(value) or None


def _time(said: dict[str, Any], name: str) -> datetime | None:
    found = parse_ist(_said(said, name) or "")
    return None if found is None or found.year <= _NO_YEAR else found


def _count(said: dict[str, Any], name: str) -> int | None:
    return whole_number(_said(said, name))


def _legs(value: Any) -> tuple[dict[str, Any], ...]:
    """The legs, each in a `Leg` of its own or all in one list."""
    several = value if isinstance(value, list) else [value]
    found: list[dict[str, Any]] = []
    for each in several[:_MOST_LEGS]:
        leg = each.get("Leg", each) if isinstance(each, dict) else None
        found += leg if isinstance(leg, list) else [leg] if isinstance(leg, dict) else []
    return tuple(leg for leg in found if isinstance(leg, dict))[:_MOST_LEGS]


class CallsPage(msgspec.Struct, frozen=True):
    """A page of the list; `total` and `following` (a path) are None where they were not said."""

    records: tuple[CallRecord, ...]
    total: int | None = None
    following: str | None = None


def parse_page(body: bytes) -> CallsPage | UnreadableAnswer:
    """Read a page of the list, JSON or XML; never raises.

    A row that can't be read makes the whole unreadable: who looks for a call must not miss it.
    """
    tree = parse_document(body)
    if isinstance(tree, UnreadableAnswer):
        return tree
    top = find_object(tree, ROOT.lower()) or tree
    said = _lower_keys(top) if isinstance(top, dict) else {}
    if "calls" not in said:
        return _no("list of calls", body)
    records: list[CallRecord] = []
    for row in _rows(said["calls"]):
        record = _record(row) if isinstance(row, dict) else None
        if record is None:
            return UnreadableAnswer("a call without a Sid in the list")
        records.append(record)
    metadata = _lower_keys(find_object(top, "metadata") or {})
    return CallsPage(tuple(records), _count(metadata, "total"), _said(metadata, "nextpageuri"))


def _rows(calls: Any) -> list[Any]:
    """The rows: a list, or what XML makes of elements: one, several under one name, or none."""
    rows = calls.get("Call", calls) if isinstance(calls, dict) else calls
    if isinstance(rows, list):
        return [row.get("Call", row) if isinstance(row, dict) else row for row in rows]
    return [] if rows in (None, "") else [rows]


def build_page(
    records: Sequence[CallRecord],
    *,
    total: int,
    page_size: int,
    first: str,
    previous: str | None,
    following: str | None,
    xml: bool,
) -> bytes:
    """A page of the list, with links to its neighbours."""
    metadata = {
        "Total": total,
        "PageSize": page_size,
        "FirstPageUri": first,
        "PrevPageUri": previous,
        "NextPageUri": following,
    }
    # A row has no CustomField: what was asked for can't be found by it (exotel-platform E.4).
    calls = [{k: v for k, v in _call(each).items() if k != "CustomField"} for each in records]
    if xml:
        return xml_text.build(ROOT, {"Metadata": metadata, "Calls": {"Call": calls}})
    return msgspec.json.encode({"Metadata": metadata, "Calls": calls})


def _call(record: CallRecord, *, details: bool = False) -> dict[str, Any]:
    said: dict[str, Any] = {
        "Sid": record.sid,
        "ParentCallSid": None,
        "DateCreated": ist_text(record.created),
        "DateUpdated": ist_text(record.updated),
        "AccountSid": record.account_sid,
        "To": record.to,
        "From": record.from_,
        "PhoneNumberSid": record.phone_number_sid,
        "Status": record.status,
        "StartTime": ist_text(record.started),
        "EndTime": ist_text(record.ended),
        "Duration": record.duration_s,
        "Price": record.price,
        "Direction": record.direction,
        "AnsweredBy": record.answered_by,
        "ForwardedFrom": None,
        "CallerName": None,
        "Uri": f"/v1/Accounts/{record.account_sid}/Calls/{record.sid}",
        "RecordingUrl": record.recording_url,
        "CustomField": record.custom_field,
    }
    if details:
        said["Details"] = {
            "ConversationDuration": record.talk_s,
            "Leg1Status": record.leg1_status,
            "Leg2Status": record.leg2_status,
            "Legs": [{"Leg": leg} for leg in record.legs],
        }
    return said
