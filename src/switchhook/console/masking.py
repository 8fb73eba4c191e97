"""The API's objects for those who may not see numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from switchhook.access import masked

_NUMBERS = frozenset(
    {
        "from",
        "from_raw",
        "to",
        "to_raw",
        "number",
        "number_raw",
        "caller_id",
        "dial_whom_number",
        "outgoing_number",
        "forwarded_from",
        "exophone",
        "digits",
    }
)
_IDENTIFIERS = frozenset(
    {
        "id",
        "sid",
        "call_sid",
        "account_sid",
        "flow_id",
        "tenant_id",
        "repeat_of",
        "settled_by",
        "receipts",
        "release",
        "next",
        "hash",
        "version",
    }
)
_TIMES = re.compile(r"(?:.*_)?at(?:_raw)?")
_SHORTEST = 7
# Escapes first, so that their digits begin no number; then dates, numbers, and words that only
# begin with digits.
_PARTS = re.compile(
    r"%(?:25)*[0-9A-Fa-f]{2}"
    r"|(?<![0-9A-Za-z])(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(?![0-9])"
    r"|(?P<number>[0-9]+(?:(?:[ +().-]|%20|%2[8-9BbDd])[0-9]+)*)(?![0-9A-Za-z])"
    r"|[0-9A-Za-z]+"
)


def mask_text(text: str) -> str:
    """A text, percent-encoded or not, with everything masked that looks like a number."""
    return _PARTS.sub(_masked_part, text)


def _masked_part(part: re.Match[str]) -> str:
    number = part["number"]
    if number is None or sum(c.isdigit() for c in number) < _SHORTEST:
        return part[0]
    return re.sub(r"[0-9](?=(?:[^0-9]*[0-9]){2})", "•", number)


def _sees_nothing(call_sid: str) -> bool:
    return False


def mask_json(value: Any, sees: Callable[[str], bool] = _sees_nothing) -> Any:
    """An object of the API with numbers masked, but of calls that `sees` says may be seen."""
    if isinstance(value, list):
        return [mask_json(each, sees) for each in value]
    if isinstance(value, str):
        return mask_text(value)
    if not isinstance(value, dict):
        return value
    call_sid = value.get("call_sid")
    if isinstance(call_sid, str) and sees(call_sid):
        return value
    return {key: _member(key, member, sees) for key, member in value.items()}


def _member(key: str, member: Any, sees: Callable[[str], bool]) -> Any:
    if key in _NUMBERS and isinstance(member, str):
        return masked(member)
    if _TIMES.fullmatch(key) or (key in _IDENTIFIERS and not _holds_objects(member)):
        return member
    return mask_json(member, sees)


def _holds_objects(member: Any) -> bool:
    return isinstance(member, list) and any(isinstance(each, dict) for each in member)
