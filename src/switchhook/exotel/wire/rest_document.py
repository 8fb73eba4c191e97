"""The documents of Exotel's API: one named object, as JSON or in XML's root element."""

from __future__ import annotations

from typing import Any

import msgspec

from switchhook.exotel.wire import xml_text
from switchhook.exotel.wire.active_streams import UnreadableAnswer

ROOT = "TwilioResponse"


def build_document(name: str, value: dict[str, Any], *, xml: bool) -> bytes:
    """A document with one object."""
    if xml:
        return xml_text.build(ROOT, {name: value})
    return msgspec.json.encode({name: value})


def parse_document(body: bytes) -> Any:
    """What a body says, JSON or XML; `UnreadableAnswer` where it is neither."""
    try:
        return xml_text.parse(body) if body.lstrip()[:1] == b"<" else msgspec.json.decode(body)
    except (msgspec.DecodeError, xml_text.XmlError, UnicodeDecodeError, RecursionError) as error:
        return UnreadableAnswer(f"neither JSON nor XML: {str(error)[:120]}")


def find_object(tree: Any, name: str) -> dict[str, Any] | None:
    """The object under a name, at the top or in the document's root element."""
    if not isinstance(tree, dict):
        return None
    for key, value in tree.items():
        if isinstance(value, dict):
            if str(key).lower() == name:
                return value
            if key == ROOT:
                return find_object(value, name)
    return None
