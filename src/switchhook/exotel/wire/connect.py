"""Make a Call: what `Calls/connect` is asked for (exotel-platform E.1, E.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from switchhook.exotel.wire.query import build_pairs
from switchhook.exotel.wire.rest_error import RestError, invalid
from switchhook.exotel.wire.scalar import whole_number

if TYPE_CHECKING:
    from switchhook.exotel.wire.query import Pairs

LONGEST_STREAM_URL, LONGEST_STREAM_NAME, LONGEST_CUSTOM_FIELD = 600, 32, 128
LONGEST_CALL_S = 14_400


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


FORM = "application/x-www-form-urlencoded"


def build_connect(request: ConnectRequest, account_sid: str) -> bytes:
    """The form of a request, of the content type `FORM`.

    The brackets of `StatusCallbackEvents[0]` are sent raw: encoded ones were seen to be refused
    (exotel-platform G.4). A flow's address is the same in all regions (exotel-platform E.1).
    """
    said = {"From": request.from_, "CallerId": request.caller_id, "CallType": "trans"}
    if request.mode == "flow":
        said["Url"] = f"http://my.exotel.com/{account_sid}/exoml/start_voice/{request.app_id}"
    if request.to is not None:
        said["To"] = request.to
    if request.stream_url is not None:
        said |= {"StreamUrl": request.stream_url, "StreamType": "bidirectional"}
    options = {
        "StreamName": request.stream_name,
        "TimeLimit": request.time_limit_s,
        "TimeOut": request.ring_s,
        "Record": "true" if request.record else None,
        "StatusCallback": request.status_callback,
        "StatusCallbackContentType": _CONTENT_TYPES[1] if request.status_json else None,
        "CustomField": request.custom_field,
    }
    pairs = [*said.items(), *((k, str(v)) for k, v in options.items() if v is not None)]
    pairs += [(f"StatusCallbackEvents[{n}]", each) for n, each in enumerate(request.status_events)]
    return build_pairs(pairs, raw_brackets=True)


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
        return invalid("StatusCallbackEvents", "percent-encoded brackets", "raw brackets")
    for name in ("From", "CallerId"):
        if not said.get(name):
            return invalid(name, "nothing", "a phone number")
    modes = [name for name in ("Url", "To", "StreamUrl") if said.get(name)]
    if not modes:
        return invalid("Url", "nothing", "Url, To or StreamUrl")
    options = _options(said, tuple(v for k, v in pairs if _EVENT_KEY.match(k)))
    if isinstance(options, RestError):
        return options
    if said.get("StreamUrl") and (problem := _stream_problem(said)):
        return problem
    common = {"from_": said["From"], "caller_id": said["CallerId"], **options}
    if said.get("Url"):
        found = _APP.match(said["Url"])
        if found is None:
            return invalid(
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
        return invalid("StreamUrl", repr(url[:80]), "a ws:// or wss:// URL")
    if len(url) > LONGEST_STREAM_URL:
        return invalid("StreamUrl", f"{len(url)} characters", f"at most {LONGEST_STREAM_URL}")
    if not said.get("To") and said.get("StreamType") != "bidirectional":
        return invalid("StreamType", repr(said.get("StreamType")), "bidirectional")
    if len(said.get("StreamName", "")) > LONGEST_STREAM_NAME:
        return invalid("StreamName", "a longer name", f"at most {LONGEST_STREAM_NAME} characters")
    return None


def _options(said: dict[str, str], events: tuple[str, ...]) -> dict[str, Any] | RestError:
    found: dict[str, Any] = {}
    for name, field, most in (
        ("TimeLimit", "time_limit_s", LONGEST_CALL_S),
        ("TimeOut", "ring_s", 3600),
    ):
        text = said.get(name)
        if text:
            number = whole_number(text)
            if number is None or not 1 <= number <= most:
                return invalid(name, repr(text[:20]), f"seconds from 1 to {most}")
            found[field] = number
    if said.get("CallType", "trans") != "trans":
        return invalid("CallType", repr(said["CallType"][:20]), "trans")
    if len(said.get("CustomField", "")) > LONGEST_CUSTOM_FIELD:
        return invalid("CustomField", "a longer text", f"at most {LONGEST_CUSTOM_FIELD} characters")
    for event in events:
        if event not in _EVENTS:
            return invalid("StatusCallbackEvents", repr(event[:20]), " or ".join(_EVENTS))
    kind = said.get("StatusCallbackContentType", _CONTENT_TYPES[0])
    if kind not in _CONTENT_TYPES:
        return invalid("StatusCallbackContentType", repr(kind[:40]), " or ".join(_CONTENT_TYPES))
    callback = said.get("StatusCallback")
    if callback and not callback.startswith(("http://", "https://")):
        return invalid("StatusCallback", repr(callback[:80]), "an http or https URL")
    if said.get("Record", "false") not in ("true", "false"):
        return invalid("Record", repr(said["Record"][:20]), "true or false")
    found |= {
        "record": said.get("Record") == "true",
        "status_callback": callback,
        "status_events": events,
        "status_json": kind == _CONTENT_TYPES[1],
        "custom_field": said.get("CustomField"),
    }
    return found
