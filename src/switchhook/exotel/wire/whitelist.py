"""Whether a number may be called although it is registered as DND: Exotel's customer whitelist.

`GET /v1/Accounts/{sid}/CustomerWhitelist/{number}`. Who called an ExoPhone is on it for six months,
for transactional calls (exotel-platform E.8).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.rest_document import build_document, find_object, parse_document
from switchhook.exotel.wire.rest_error import parse_error

_LONGEST = 12  # digits of seconds


class WhitelistStatus(StrEnum):
    """How a number stands on the list."""

    WHITELIST = "Whitelist"
    BLACKLIST = "Blacklist"
    """It has unsubscribed: it is not called."""
    NEUTRAL = "Neutral"
    """It isn't on it: it is called where it isn't registered as DND."""
    UNKNOWN = ""
    """Another word."""


class WhitelistEntry(msgspec.Struct, frozen=True):
    """A number's entry: `kind` is Customer, Agent, API or empty, who put it there.

    `expires_s` are the seconds for which it stays so, None where it has no end.
    """

    status: WhitelistStatus
    kind: str = ""
    expires_s: int | None = None


def build_whitelist(entry: WhitelistEntry, *, xml: bool) -> bytes:
    """The body of an entry."""
    expiry = -1 if entry.expires_s is None else entry.expires_s
    said = {"Status": str(entry.status), "Type": entry.kind, "Expiry": expiry}
    return build_document("Result", said, xml=xml)


def parse_whitelist(body: bytes) -> WhitelistEntry | UnreadableAnswer:
    """Read the body of an entry, JSON or XML; never raises."""
    tree = parse_document(body)
    if isinstance(tree, UnreadableAnswer):
        return tree
    result = find_object(tree, "result")
    if result is None:
        error = parse_error(body)
        said = f"a refusal: {error.message}" if error else "no entry of the whitelist in the answer"
        return UnreadableAnswer(said)
    told = {str(key).lower(): value for key, value in result.items()}
    expires_s = _expires(told.get("expiry"))
    return WhitelistEntry(_status(told.get("status")), _text(told.get("type")), expires_s)


def _status(value: object) -> WhitelistStatus:
    word = _text(value).capitalize()
    known = {str(each): each for each in WhitelistStatus}
    return known.get(word, WhitelistStatus.UNKNOWN)


def _text(value: object) -> str:
    return value.strip()[:40] if isinstance(value, str) else ""


def _expires(value: object) -> int | None:
    """Seconds, of more digits than other counts have: half a year, in a number or a text."""
    text = str(value).strip() if isinstance(value, int | str) else ""
    fits = len(text) <= _LONGEST and text.isascii() and text.isdigit()
    return int(text) if fits else None
