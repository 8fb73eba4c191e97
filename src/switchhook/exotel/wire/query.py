"""A query or form as ordered pairs, keys with brackets as paths. Knows nothing of telephony.

Pairs, not a mapping: order and repeats are kept. Nothing here raises, whatever the bytes; what
was wrong is said in a list of problems, in words.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from fast_query_parsers import parse_query_string

Pairs = list[tuple[str, str]]

DEEPEST = 8
"""Bracket levels understood; a deeper key is kept as it is."""

INVALID_UTF8 = "bytes that are not UTF-8, shown as U+FFFD"

# Of each byte only whether it is `%`, or begins the escape of a byte that is not ASCII.
_HIGH = bytes(
    ord("%") if byte == ord("%") else ord("H") if byte in b"89ABCDEFabcdef" else ord("_")
    for byte in range(256)
)
_SEGMENT = re.compile(r"\[([^\[\]]*)\]")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_SEMICOLON_PAIR = re.compile(rb";[A-Za-z_][A-Za-z0-9_.%\[\]-]*=")


def parse_pairs(raw: bytes, problems: list[str]) -> Pairs:
    """Decode `a=1&b=2`; a value without `=` is empty; empty pieces are nothing."""
    separator = b"&"
    if b";" in raw and b"&" not in raw and _SEMICOLON_PAIR.search(raw):
        problems.append("parameters separated by ';' instead of '&'")
        separator = b";"
    elif raw.isascii() and b"%H" not in raw.translate(_HIGH) and not _has_escaped_equals(raw):
        pairs: Pairs = parse_query_string(raw, "&")
        for key, value in pairs:
            if not value and ("%" in key or "+" in key):
                break
        else:
            return pairs
    # The fast parser drops what isn't UTF-8, splits a key at an escaped "=", and leaves a key
    # without a value as it stands.
    return [_pair(piece, problems) for piece in raw.split(separator) if piece]


def _has_escaped_equals(raw: bytes) -> bool:
    """Whether a key has one; in values, where most stand, they are no trouble."""
    return _in_a_key(b"%3D", raw) or _in_a_key(b"%3d", raw)


def _in_a_key(sign: bytes, raw: bytes) -> bool:
    at = raw.find(sign)
    while at >= 0:
        if raw.rfind(b"=", 0, at) <= raw.rfind(b"&", 0, at):  # -1 both in a first key
            return True
        end = raw.find(b"&", at)  # the rest of this value is none of a key
        at = raw.find(sign, end) if end >= 0 else -1
    return False


def build_pairs(pairs: Pairs, *, raw_brackets: bool = False) -> bytes:
    """Encode pairs as a query; brackets of keys are escaped unless `raw_brackets`."""
    safe = "[]" if raw_brackets else ""
    return "&".join(
        f"{quote(key, safe=safe)}={quote(value, safe='')}" for key, value in pairs
    ).encode()


def _pair(piece: bytes, problems: list[str]) -> tuple[str, str]:
    key, _, value = piece.partition(b"=")
    return decode(key, problems), decode(value, problems)


def decode(raw: bytes, problems: list[str]) -> str:
    """Undo form encoding once; what isn't UTF-8 becomes U+FFFD, and a problem."""
    data = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        return data.decode()
    except UnicodeDecodeError:
        if INVALID_UTF8 not in problems:
            problems.append(INVALID_UTF8)
        return data.decode(errors="replace")


def has_escape(text: str) -> bool:
    """Whether a decoded text holds another percent escape: it may have been encoded twice."""
    return "%" in text and _ESCAPE.search(text) is not None


def decode_again(text: str) -> str:
    """Undo a second form encoding, in a text that has one."""
    return unquote_plus(text) if "%" in text else text


def key_path(key: str) -> tuple[str, ...] | None:
    """`a[b][c]` as ("a", "b", "c"); `a[]` as ("a", ""); None for brackets that don't pair.

    >>> key_path("Legs[1][Insights][Status]")
    ('Legs', '1', 'Insights', 'Status')
    """
    name, bracket, _ = key.partition("[")
    if not bracket:
        return (key.strip(),) if "]" not in key else None
    rest = key[len(name) :]
    segments = _SEGMENT.findall(rest[: 64 * DEEPEST])
    if len(segments) > DEEPEST or sum(map(len, segments)) + 2 * len(segments) != len(rest.rstrip()):
        return None
    return (name.strip(), *(segment.strip() for segment in segments))
