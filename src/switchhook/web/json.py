"""JSON as the API gives it: times in UTC, and no text that could harm who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.times import moment_of
from switchhook.exotel.wire.scalar import without_surrogates

if TYPE_CHECKING:
    from datetime import datetime

Json = dict[str, Any]


def text_of(raw: bytes) -> str:
    r"""Bytes as text; what is not UTF-8 as `\xNN`."""
    return raw.decode(errors="backslashreplace")


def time_of(microseconds: int) -> str:
    """Unix time as RFC 3339 in UTC with microseconds."""
    moment = moment_of(microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def time_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def encode_json(value: object) -> bytes:
    """Any of these objects as JSON; lone surrogates, which JSON can't carry, as U+FFFD."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(member) for key, member in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
