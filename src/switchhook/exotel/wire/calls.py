"""Exotel's Calls API, version 1: what a client asks for, and what it is answered.

Make a Call, Call Details, Bulk Calls (exotel-platform E.1, E.2, E.4, E.6).
Times in bodies are naive IST.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from switchhook.exotel.wire import xml_text
from switchhook.exotel.wire.active_streams import UnreadableAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.exotel.wire.query import Pairs

ROOT = "TwilioResponse"
LONGEST_STREAM_URL, LONGEST_STREAM_NAME, LONGEST_CUSTOM_FIELD = 600, 32, 128
LONGEST_CALL_S = 14_400
LARGEST_PAGE = 100
_LONGEST_RANGE = timedelta(days=31)
_NO_YEAR = 1970  # the epoch in IST stands for no time (exotel-platform A.4)
_MOST_DIGITS, _MOST_LEGS = 9, 100


class RestError(msgspec.Struct, frozen=True):
    """A refusal: HTTP status, what is wrong, and Exotel's own code where it has one."""

    status: int
    message: str
    code: int | None = None


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


def ist_text(at: datetime | None) -> str | None:
    """`2026-01-05 10:00:00`."""
    return None if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def build_call(record: CallRecord, *, xml: bool, details: bool = False) -> bytes:
    """The body of one call; `details` is what `?details=true` adds (exotel-platform E.4)."""
    return _document("Call", _call(record, details=details), xml=xml)


def parse_call(body: bytes) -> CallRecord | UnreadableAnswer:
    """Read the body of one call, JSON or XML, with details or without; never raises.

    A text that is no number or time where one belongs is None: the body is kept beside.
    """
    tree = _tree(body)
    if isinstance(tree, UnreadableAnswer):
        return tree
    call = _below(tree, "call")
    if call is None:
        error = parse_error(body)
        return UnreadableAnswer(f"a refusal: {error.message}" if error else "no call in the answer")
    said = {str(key).lower(): value for key, value in call.items()}
    details = {str(key).lower(): value for key, value in (_below(call, "details") or {}).items()}
    sid = _said(said, "sid")
    if sid is None:
        return UnreadableAnswer("a call without a Sid")
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


def _tree(body: bytes) -> Any:
    try:
        return xml_text.parse(body) if body.lstrip()[:1] == b"<" else msgspec.json.decode(body)
    except (msgspec.DecodeError, xml_text.XmlError, UnicodeDecodeError, RecursionError) as error:
        return UnreadableAnswer(f"neither JSON nor XML: {str(error)[:120]}")


def _below(tree: Any, name: str) -> dict[str, Any] | None:
    """The object under a name, at the top or in the document's root element."""
    if not isinstance(tree, dict):
        return None
    for key, value in tree.items():
        if isinstance(value, dict):
            if str(key).lower() == name:
                return value
            if key == ROOT:
                return _below(value, name)
    return None


def _said(said: dict[str, Any], name: str) -> str | None:
    value = said.get(name)
    if isinstance(value, dict | list) or value is None:
        return None
    return str(value) or None


def _time(said: dict[str, Any], name: str) -> datetime | None:
    found = _read_time(_said(said, name) or "")
    return None if found is None or found.year <= _NO_YEAR else found


def _count(said: dict[str, Any], name: str) -> int | None:
    text = _said(said, name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _legs(value: Any) -> tuple[dict[str, Any], ...]:
    """The legs, each in a `Leg` of its own or all in one list."""
    several = value if isinstance(value, list) else [value]
    found: list[dict[str, Any]] = []
    for each in several[:_MOST_LEGS]:
        leg = each.get("Leg", each) if isinstance(each, dict) else None
        found += leg if isinstance(leg, list) else [leg] if isinstance(leg, dict) else []
    return tuple(leg for leg in found if isinstance(leg, dict))[:_MOST_LEGS]


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
    calls = [_call(record) for record in records]
    if xml:
        return xml_text.build(ROOT, {"Metadata": metadata, "Calls": {"Call": calls}})
    return msgspec.json.encode({"Metadata": metadata, "Calls": calls})


def build_error(error: RestError, *, xml: bool) -> bytes:
    """The body of a refusal (exotel-platform E.6)."""
    said: dict[str, Any] = {"Status": error.status, "Message": error.message}
    if error.code is not None:
        said["Code"] = error.code
    return _document("RestException", said, xml=xml)


def parse_error(body: bytes) -> RestError | None:
    """A refusal's body; None where it is none."""
    said = _below(_tree(body), "restexception")
    if said is None:
        return None
    code = str(said.get("Code") or "")
    status = str(said.get("Status") or "")
    if not status.isdigit():
        return None
    return RestError(
        int(status), str(said.get("Message") or ""), int(code) if code.isdigit() else None
    )


def _document(name: str, value: dict[str, Any], *, xml: bool) -> bytes:
    if xml:
        return xml_text.build(ROOT, {name: value})
    return msgspec.json.encode({name: value})


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


# Making a call.


class ConnectRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What `Calls/connect` is asked for, in one of its three modes (exotel-platform E.1)."""

    mode: Literal["flow", "two_numbers", "voice_ai"]
    from_: str
    caller_id: str
    to: str | None = None
    app_id: str | None = None
    stream_url: str | None = None
    stream_name: str | None = None
    time_limit_s: int | None = None
    ring_s: int | None = None
    record: bool = False
    status_callback: str | None = None
    status_events: tuple[str, ...] = ()
    status_json: bool = False
    custom_field: str | None = None


_APP = re.compile(r"https?://[^/]+/(?:[^/]+/)?exoml/start(?:_voice)?/([^/?#]+)/?\Z")
_EVENT_KEY = re.compile(r"StatusCallbackEvents(?:\[[0-9]*\])?\Z")
_EVENTS = ("terminal", "answered", "ringing")
_CONTENT_TYPES = ("multipart/form-data", "application/json")


def read_connect(pairs: Pairs, *, encoded_brackets: bool = False) -> ConnectRequest | RestError:
    """Check a request and say which mode it is in; a refusal names the parameter and the remedy.

    `encoded_brackets` refuses `StatusCallbackEvents[…]`: the request had them percent-encoded, and
    Exotel was seen not to take that (exotel-platform G.4).
    """
    said = dict(pairs)
    if encoded_brackets and any(_EVENT_KEY.match(key) and "[" in key for key in said):
        return _wrong("StatusCallbackEvents", "percent-encoded brackets", "raw brackets")
    for name in ("From", "CallerId"):
        if not said.get(name):
            return _wrong(name, "nothing", "a phone number")
    modes = [name for name in ("Url", "To", "StreamUrl") if said.get(name)]
    if not modes:
        return _wrong("Url", "nothing", "Url, To or StreamUrl")
    options = _options(said, tuple(v for k, v in pairs if _EVENT_KEY.match(k)))
    if isinstance(options, RestError):
        return options
    if said.get("StreamUrl") and (problem := _stream_problem(said)):
        return problem
    common = {"from_": said["From"], "caller_id": said["CallerId"], **options}
    if said.get("Url"):
        found = _APP.match(said["Url"])
        if found is None:
            return _wrong(
                "Url", repr(said["Url"][:80]), "http://my.exotel.com/ACCOUNT/exoml/start_voice/APP"
            )
        return ConnectRequest(mode="flow", app_id=found[1], **common)
    if said.get("To"):
        return ConnectRequest(
            mode="two_numbers", to=said["To"], stream_url=said.get("StreamUrl"), **common
        )
    return ConnectRequest(
        mode="voice_ai",
        stream_url=said["StreamUrl"],
        stream_name=said.get("StreamName"),
        **common,
    )


def _stream_problem(said: dict[str, str]) -> RestError | None:
    url = said["StreamUrl"]
    if not url.startswith(("ws://", "wss://")):
        return _wrong("StreamUrl", repr(url[:80]), "a ws:// or wss:// URL")
    if len(url) > LONGEST_STREAM_URL:
        return _wrong("StreamUrl", f"{len(url)} characters", f"at most {LONGEST_STREAM_URL}")
    if not said.get("To") and said.get("StreamType") != "bidirectional":
        return _wrong("StreamType", repr(said.get("StreamType")), "bidirectional")
    if len(said.get("StreamName", "")) > LONGEST_STREAM_NAME:
        return _wrong("StreamName", "a longer name", f"at most {LONGEST_STREAM_NAME} characters")
    return None


def _options(said: dict[str, str], events: tuple[str, ...]) -> dict[str, Any] | RestError:
    found: dict[str, Any] = {}
    for name, field, most in (
        ("TimeLimit", "time_limit_s", LONGEST_CALL_S),
        ("TimeOut", "ring_s", 3600),
    ):
        text = said.get(name)
        if text:
            if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
                return _wrong(name, repr(text[:20]), f"seconds from 1 to {most}")
            found[field] = int(text)
    if said.get("CallType", "trans") != "trans":
        return _wrong("CallType", repr(said["CallType"][:20]), "trans")
    if len(said.get("CustomField", "")) > LONGEST_CUSTOM_FIELD:
        return _wrong("CustomField", "a longer text", f"at most {LONGEST_CUSTOM_FIELD} characters")
    for event in events:
        if event not in _EVENTS:
            return _wrong("StatusCallbackEvents", repr(event[:20]), " or ".join(_EVENTS))
    kind = said.get("StatusCallbackContentType", _CONTENT_TYPES[0])
    if kind not in _CONTENT_TYPES:
        return _wrong("StatusCallbackContentType", repr(kind[:40]), " or ".join(_CONTENT_TYPES))
    callback = said.get("StatusCallback")
    if callback and not callback.startswith(("http://", "https://")):
        return _wrong("StatusCallback", repr(callback[:80]), "an http or https URL")
    if said.get("Record", "false") not in ("true", "false"):
        return _wrong("Record", repr(said["Record"][:20]), "true or false")
    found |= {
        "record": said.get("Record") == "true",
        "status_callback": callback,
        "status_events": events,
        "status_json": kind == _CONTENT_TYPES[1],
        "custom_field": said.get("CustomField"),
    }
    return found


# Listing calls.


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls a list holds (exotel-platform E.4); times in IST."""

    created_from: datetime | None = None
    created_to: datetime | None = None
    status: str | None = None
    direction: str | None = None
    before: str | None = None
    after: str | None = None
    page_size: int = 50


_RANGE = re.compile(r"(gte|lte):(.+)\Z")


def read_filter(pairs: Pairs) -> CallFilter | RestError:
    """The filters of a list; a refusal names the one that is wrong."""
    said = dict(pairs)
    times: dict[str, datetime] = {}
    for part in (said.get("DateCreated") or "").split(";"):
        if not part:
            continue
        found = _RANGE.match(part.strip())
        at = _read_time(found[2]) if found else None
        if found is None or at is None:
            return _wrong("DateCreated", repr(part[:60]), "gte:2026-01-05 10:00:00;lte:…")
        times[found[1]] = at
    first, last = times.get("gte"), times.get("lte")
    if first and last and last - first > _LONGEST_RANGE:
        return _wrong("DateCreated", "a longer range", "at most one month")
    size = said.get("PageSize") or "50"
    if not (size.isascii() and size.isdigit() and 1 <= int(size[:9]) <= LARGEST_PAGE):
        return _wrong("PageSize", repr(size[:20]), f"1 to {LARGEST_PAGE}")
    return CallFilter(
        created_from=first,
        created_to=last,
        status=said.get("Status") or None,
        direction=said.get("Direction") or None,
        before=said.get("Before") or None,
        after=said.get("After") or None,
        page_size=int(size),
    )


def _read_time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None


def _wrong(name: str, said: str, right: str) -> RestError:
    return RestError(400, f"Invalid parameter {name}: got {said}, expected {right}")
