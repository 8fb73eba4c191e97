"""An HTTP request as far as a passthru needs it, and the pairs in its query and body."""

from __future__ import annotations

import re

import msgspec

from switchhook.exotel.wire.json_object import flatten, is_members, parse_value
from switchhook.exotel.wire.query import Pairs, decode, parse_pairs

LONGEST_BODY = 1024 * 1024
"""Bytes of a body that are understood; the rest is said to be missing."""


class Request(msgspec.Struct, frozen=True):
    """Method, query (raw, without `?`), and body with its Content-Type."""

    query: bytes = b""
    method: str = "GET"
    content_type: str | None = None
    body: bytes = b""


NAMELESS = "a part of the multipart body without a name"

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^;,\s]{1,200}))', re.IGNORECASE)
_PART_NAME = re.compile(rb'[;\s]name=(?:"([^"]*)"|([^;\s]+))', re.IGNORECASE)


def body_pairs(request: Request, problems: list[str]) -> Pairs:
    """The parameters in a body; empty where there are none or it can't be read."""
    body = request.body[:LONGEST_BODY]
    if len(request.body) > LONGEST_BODY:
        problems.append("body longer than 1 MB; the rest is not read")
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _multipart(body, request.content_type or "", problems)
    if is_json(request):
        return _json(body, problems)
    return parse_pairs(body.strip(), problems)


def is_json(request: Request) -> bool:
    """Whether the body is JSON, by its Content-Type or, failing that, its first character."""
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    return kind.endswith("json") or request.body.lstrip()[:1] == b"{"


def is_multipart(request: Request) -> bool:
    """Whether the body is multipart/form-data."""
    return (request.content_type or "").lower().lstrip().startswith("multipart/")


def _multipart(body: bytes, content_type: str, problems: list[str]) -> Pairs:
    """RFC 7578, without files: Exotel's callbacks are plain fields."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        problems.append("multipart body without a boundary")
        return []
    # A delimiter stands at the beginning of a line (RFC 2046, section 5.1.1).
    delimiter = b"\n--" + (found[1] or found[2]).encode(errors="replace")
    parts = (b"\n" + body.removesuffix(b"\n")).split(delimiter)[1:]
    if body and not parts:
        problems.append("a multipart body without its boundary")
    pairs: Pairs = []
    for part in parts:
        if part[:2] == b"--":
            break
        head, blank, value = part.partition(b"\r\n\r\n")
        if not blank:
            head, blank, value = part.partition(b"\n\n")
        name = _PART_NAME.search(head)
        if name is None or not blank:
            if NAMELESS not in problems:
                problems.append(NAMELESS)
            continue
        value = value.removesuffix(b"\r")
        key = _unescape(_text(name[1] or name[2] or b"", problems))
        pairs.append((key, _text(value, problems)))
    return pairs


def build_multipart(pairs: Pairs) -> tuple[str, bytes]:
    """Content-Type and body; the boundary is the shortest that occurs in no value."""
    boundary = "switchhook"
    while any(boundary in text for pair in pairs for text in pair):
        boundary += "-"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(key)}"\r\n\r\n{value}\r\n'
        for key, value in pairs
    ]
    return f"multipart/form-data; boundary={boundary}", "".join(
        [*parts, f"--{boundary}--\r\n"]
    ).encode()


def _escape(name: str) -> str:
    """As browsers do (WHATWG HTML, multipart form data)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _unescape(name: str) -> str:
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _text(raw: bytes, problems: list[str]) -> str:
    # decode() undoes percent escapes too; a multipart value has none, so they are shielded.
    return decode(raw.replace(b"%", b"%25").replace(b"+", b"%2B"), problems)


def _json(body: bytes, problems: list[str]) -> Pairs:
    members = parse_value(body.decode(errors="replace"))
    if not is_members(members):
        problems.append("a JSON body that is no object or can't be read")
        return []
    return flatten("", members)
