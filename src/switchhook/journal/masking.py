"""Masking one record where it stands."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from switchhook.journal.segment import COLUMNS, checksum, fits

ERASED_ASKED = -(2**63)
"""What the fingerprint of a question becomes with its record: the real one was made of a number."""

_NO_CRC = -1  # no checksum is

Mask = Callable[[bytes], tuple[bytes, int]]


def mask_row(connection: apsw.Connection, seq: int, mask: Mask, *, crc: bool) -> int:
    """Mask one record; gives how often `mask` struck. What was damaged stays so."""
    row = connection.execute(
        f"SELECT {COLUMNS}{', crc' if crc else ''} FROM record WHERE seq = ?",  # noqa: S608 - ours
        (seq,),
    ).fetchone()
    if row is None:
        return 0
    _, kind, at, mono, asked, option, body = row[:7]
    body, times = mask(body if isinstance(body, bytes) else str(body).encode())
    asked = None if asked is None else ERASED_ASKED
    connection.execute("UPDATE record SET body = ?, asked = ? WHERE seq = ?", (body, asked, seq))
    if crc:
        whole = fits(row)
        new = checksum(seq, kind, at, mono, asked, option, body) if whole else _NO_CRC
        connection.execute("UPDATE record SET crc = ? WHERE seq = ?", (new, seq))
    return times
