"""What the answer program and the shipper say to each other, on a Unix socket in the data folder.

Both send numbers of the journal and nothing else, 8 bytes each, little-endian: answer "durable here
up to N", the shipper "kept twice up to N". The last number counts.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOCKET_NAME = "hand-over.sock"
_LONGEST_ADDRESS = 107  # what a Unix socket's address may have, in bytes
_SEQ = Struct("<Q")

pack = _SEQ.pack
"""A number as it is sent."""


class Seqs:
    """Numbers as they arrive, in whatever parts."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> int | None:
        """The last number that is whole by now; None where none became whole."""
        data = self._rest + data
        end = len(data) - len(data) % _SEQ.size
        self._rest = data[end:]
        if not end:
            return None
        seq: int = _SEQ.unpack_from(data, end - _SEQ.size)[0]
        return seq


@contextmanager
def address_in(folder: Path, name: str = SOCKET_NAME) -> Iterator[str]:
    """The socket's address, for as long as this goes on: to bind it or to connect.

    A path that is too long for an address is reached through an open descriptor of the folder.
    Raises OSError.
    """
    path = str(folder / name)
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield path
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
