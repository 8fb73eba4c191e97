"""What in a request tells that a secret may be in it, so that patterns look only where they must.

Where a compiler was at hand when this was installed, `secret_signs.pyx` takes its place, and does
the same in a third of the time.
"""

from __future__ import annotations

import re

AT, SECRET, PASSTHRU, QUOTE = 1, 2, 4, 8
"""An `@` or an escaped one, `secret`, `passthru`, and a quote that is not escaped, in any case."""

_WS = re.compile(rb"(?i)ws")


def signs_of(raw: bytes) -> tuple[int, int]:
    """Which of them a request has, summed up, and where its first `ws` is; -1 where it has none."""
    # Texts are found 50 times as fast as patterns. To ask by `in` whether bytes have others would
    # raise an error within, each time.
    find = raw.lower().find
    signs = 0
    if b"@" in raw or find(b"%40") >= 0 or find(b"2540") >= 0:
        signs = AT
    if find(b"secret") >= 0:
        signs |= SECRET
    if find(b"passthru") >= 0:
        signs |= PASSTHRU
    if b'"' in raw:
        signs |= QUOTE
    return signs, find(b"ws")


def find_ws(raw: bytes, at: int) -> int:
    """Where the next `ws` is, in any case, from a place on; -1 where there is none."""
    found = _WS.search(raw, at)
    return -1 if found is None else found.start()


def standing_in(raw: bytes, texts: list[bytes]) -> list[bytes]:
    """Those of some texts that a request has, in their order."""
    return [each for each in texts if raw.find(each) >= 0]
