"""The answer of `GET /v1/Accounts/{sid}/ActiveStreams`, which is documented twice: JSON and XML.

See exotel-platform D. The parser takes both spellings wherever they stand.
"""

from __future__ import annotations

from typing import Any

import msgspec

from switchhook.exotel.wire import xml_text
from switchhook.exotel.wire.scalar import whole_number


class ActiveStreams(msgspec.Struct, frozen=True):
    """Streams in use and allowed; None is what the answer doesn't say."""

    active: int
    allowed: int | None = None
    account_sid: str | None = None


class UnreadableAnswer(msgspec.Struct, frozen=True):
    """An answer that holds no figure: an alarm, not a zero."""

    problem: str


_ACTIVE = {"activestreams", "activestreamcount"}
_ALLOWED = {"maxallowedstreams", "throttlelimit"}
_ACCOUNT = {"accountsid"}
_STATUS, _FAILED = {"status"}, {"error", "failed", "failure", "fail"}
_DEEPEST = 16


def build_json(value: ActiveStreams) -> bytes:
    """The body that Exotel's article prints (exotel-platform D)."""
    return msgspec.json.encode(
        {
            "status": "success",
            "active_streams": value.active,
            "max_allowed_streams": value.allowed,
            "account_sid": value.account_sid,
        }
    )


def build_xml(value: ActiveStreams) -> bytes:
    """The body of the older pages."""
    stream = {"ActiveStreamCount": value.active, "ThrottleLimit": value.allowed}
    return xml_text.build("TwilioResponse", {"Stream": stream})


def parse(body: bytes) -> ActiveStreams | UnreadableAnswer:
    """Read an answer, whichever form it has; never raises."""
    try:
        if body.lstrip()[:1] == b"<":
            tree: Any = xml_text.parse(body)
        else:
            tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, xml_text.XmlError, UnicodeDecodeError, RecursionError) as error:
        return UnreadableAnswer(f"neither JSON nor XML: {str(error)[:120]}")
    if str(_find(tree, _STATUS)).lower() in _FAILED:
        return UnreadableAnswer("the answer says that it is an error")
    active = whole_number(_find(tree, _ACTIVE))
    if active is None:
        return UnreadableAnswer("no number of active streams in the answer")
    account = _find(tree, _ACCOUNT)
    return ActiveStreams(
        active,
        whole_number(_find(tree, _ALLOWED)),
        account if isinstance(account, str) and account else None,
    )


def _find(tree: Any, names: set[str], depth: int = 0) -> Any:
    """The first value under one of the names, however spelt and wherever it stands."""
    if depth > _DEEPEST:
        return None
    if isinstance(tree, dict):
        for key, value in tree.items():
            if str(key).lower().replace("_", "") in names and not isinstance(value, dict | list):
                return value
    below = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    found = (_find(each, names, depth + 1) for each in below)
    return next((value for value in found if value is not None), None)
