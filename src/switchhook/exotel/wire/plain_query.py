"""A query of plain texts, taken apart: the texts of its keys, and those of its values.

Where a compiler was at hand when this was installed, `plain_query.pyx` takes its place, and does
the same in a fifth of the time.
"""

from __future__ import annotations

from binascii import a2b_qp
from itertools import product

SIGN = "\x1f"
"""What stands between two keys."""
LONGEST = 4096
"""Bytes of a query that is looked at; real ones have about 1,000."""

_PAIR = "\x1e"
"""What stands for `&` while escapes are undone, as `SIGN` does for `=`."""
_MARKS = {"&": _PAIR, "=": SIGN, "+": " ", "%": "=", "?": "\0"}
"""a2b_qp undoes all escapes in one go, where they begin with `=`; `?` may begin a second query."""
_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'%"{')
_MARKED = bytes(
    ord(_MARKS.get(chr(byte), chr(byte))) if 0x21 <= byte < 0x7F else 0 for byte in range(256)
)
_SIGNS = f"{SIGN}{_PAIR}".encode() * (LONGEST // 2 + 1)
_NOTHING = frozenset(map("".join, product("nN", "uU", "lL", "lL")))


def take_apart(raw: bytes) -> tuple[str, list[str]] | None:
    """The keys, joined by `SIGN`, and the values; None unless there are two or more, and all plain.

    Plain is a pair with its `=`, in printable ASCII, that is encoded once; neither quoted, JSON nor
    cut by a `?`. A plain value neither begins nor ends with a blank, nor is the word for nothing.
    """
    if len(raw) > LONGEST:
        return None
    data = a2b_qp(raw.translate(_MARKED))
    pairs = raw.count(b"&") + 1
    if (
        pairs == 1
        or raw.count(b"=") != pairs  # else some of the signs were escaped
        or data.translate(None, _PLAIN) != _SIGNS[: 2 * pairs - 1]
        or len(raw) - len(data) != 2 * raw.count(b"%")
    ):
        return None
    said = data.decode("ascii").replace(_PAIR, SIGN).split(SIGN)
    values = said[1::2]
    if not _NOTHING.isdisjoint(values) or values != [*map(str.strip, values)]:
        return None
    return SIGN.join(said[::2]), values
