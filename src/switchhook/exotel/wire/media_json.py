"""The JSON of the media protocol, in any spelling: messages and their members, read and built.

Exotel's numbers are texts (exotel-platform C.4).
"""

from __future__ import annotations

import binascii
from typing import Any

import msgspec


class Style(msgspec.Struct, frozen=True):
    """How Exotel spells: `streamSid` instead of `stream_sid`, numbers instead of texts."""

    camel_keys: bool = False
    int_numbers: bool = False


PLAIN = Style()


class UnreadableMessage(msgspec.Struct, frozen=True):
    """A message that isn't one."""

    problem: str


class Verbatim(dict[str, str]):
    """A table whose keys and values are the operator's: neither style touches them."""


def build_message(said: dict[str, Any], style: Style) -> bytes:
    """The text of a message whose keys are snake_case and whose numbers are numbers."""
    return msgspec.json.encode(_styled(said, style))


def _styled(value: Any, style: Style) -> Any:
    if isinstance(value, Verbatim):
        return dict(value)
    if isinstance(value, dict):
        return {spelt(key, style): _styled(below, style) for key, below in value.items()}
    if isinstance(value, int):
        return value if style.int_numbers else str(value)
    return value


def spelt(key: str, style: Style) -> str:
    """A snake_case key in a style."""
    if not style.camel_keys:
        return key
    first, *rest = key.split("_")
    return first + "".join(part.capitalize() for part in rest)


def decode_payload(text: str) -> tuple[bytes, str | None]:
    """The bytes of base64 as far as it goes, and what is wrong with it."""
    try:
        return binascii.a2b_base64(text, strict_mode=True), None
    except (binascii.Error, ValueError) as error:
        problem = f"the payload is not base64: {str(error).lower()[:80]}"
    try:
        return binascii.a2b_base64(text + "==="), problem
    except (binascii.Error, ValueError):
        return b"", problem


def parse_message(text: bytes) -> dict[str, Any] | UnreadableMessage:
    """The members of a message, unless it is no JSON object."""
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return UnreadableMessage(f"not JSON: {str(error)[:80]}")
    return said if isinstance(said, dict) else UnreadableMessage("JSON, but no object")


def object_in(said: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under a key in either spelling; empty where there is none."""
    found = said.get(key, said.get(spelt(key, Style(camel_keys=True))))
    return found if isinstance(found, dict) else {}


def text_in(said: dict[str, Any], key: str) -> str | None:
    """The text under a key in either spelling."""
    found = said.get(key, said.get(spelt(key, Style(camel_keys=True))))
    return found if isinstance(found, str) else None


def int_in(said: dict[str, Any], key: str) -> int:
    """The number under a key in either spelling, also where it is a text; 0 where there is none."""
    found = said.get(key, said.get(spelt(key, Style(camel_keys=True))))
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    digits = "".join(c for c in str(found)[:18] if c in "0123456789")
    return int(digits) if digits else 0
