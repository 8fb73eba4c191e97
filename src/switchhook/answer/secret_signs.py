"""What in a request tells that a secret may be in it, so that patterns look only where they must.

Where a compiler was at hand when this was installed, `secret_signs.pyx` takes its place, and does
the same in a third of the time.
"""

from __future__ import annotations

AT, SECRET, PASSTHRU, QUOTE = 1, 2, 4, 8
"""An `@` or an escaped one, `secret`, `passthru`, and a quote that is not escaped, in any case."""


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
