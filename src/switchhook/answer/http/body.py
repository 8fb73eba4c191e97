"""Takes bodies off the wire: counted by Content-Length, or in chunks.

No I/O and no clock here. Both kinds have `body`, what arrived; `problem`, with which nothing more
is wanted; and `feed`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from switchhook.answer.http.messages import (
    BODY_CHUNKS_BROKEN,
    BODY_CHUNKS_WASTEFUL,
    BODY_TOO_LONG,
    LongBody,
)

if TYPE_CHECKING:
    from switchhook.answer.http.messages import ConnectionLimits


def expect_body(
    headers: dict[bytes, bytes], token: object, limits: ConnectionLimits
) -> tuple[Counted | Chunks, float]:
    """What takes the body that a head announces, and the seconds it may take."""
    length, chunked = int(headers.get(b"content-length", b"0")), b"transfer-encoding" in headers
    time = token.read_time if isinstance(token, LongBody) else limits.body_time
    if chunked:
        return Chunks(limits.body_bytes), time
    if isinstance(token, LongBody):
        return Beginning(length, token.read_bytes, token.kept_bytes), time
    return Counted(length, limits.body_bytes), time


class Counted:
    """A body of `length` bytes, of which up to `most` are kept."""

    __slots__ = ("_left", "_most", "body", "problem", "too_long")

    def __init__(self, length: int, most: int) -> None:
        self.body = bytearray()
        self.problem: str | None = None
        self.too_long = length > most  # known before anything of it is here
        self._left = length
        self._most = most

    def feed(self, data: bytes) -> int:
        """Take what arrived; the index behind the body's end, or -1 when more must come."""
        room = self._most - len(self.body)
        part = data[: min(self._left, room)]
        self.body += part
        self._left -= len(part)
        if not self._left:
            return len(part)
        if len(part) == room:
            self.problem = BODY_TOO_LONG
        return -1


class Beginning(Counted):
    """The same, but of a body within `most` only about the first `kept` bytes are held."""

    __slots__ = ("_kept", "_room")

    def __init__(self, length: int, most: int, kept: int) -> None:
        super().__init__(length, most)
        self._kept, self._room = kept, most

    def feed(self, data: bytes) -> int:
        """Take what arrived; the index behind the body's end, or -1 when more must come."""
        part = data[: min(self._left, self._room)]
        self._left -= len(part)
        self._room -= len(part)
        if len(self.body) < self._kept:
            self.body += part
        if not self._left:
            return len(part)
        if not self._room:
            self.problem = BODY_TOO_LONG
        return -1


_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}[ \t]*(?:;.*)?", re.DOTALL)
_LONGEST_CHUNK_LINE = 1024
_FRAMING_FOR_FREE = 64 * 1024


class Chunks:
    """Takes the chunked coding off a body, up to `most` bytes of it.

    Sizes, extensions and trailers may be 64 KB longer than the body itself, and no more.
    """

    __slots__ = (
        "_framing",
        "_in_trailer",
        "_left",
        "_line",
        "_most",
        "body",
        "problem",
        "too_long",
    )

    def __init__(self, most: int) -> None:
        self.body = bytearray()
        self.problem: str | None = None
        self.too_long = False
        self._most = most
        self._left = 0  # of this chunk, its CRLF included
        self._line = bytearray()
        self._in_trailer = False
        self._framing = 0

    def feed(self, data: bytes) -> int:
        """Take what arrived; the index behind the body's end, or -1 when more must come."""
        at = 0
        while at < len(data):
            if self._left > 2:
                part = data[at : at + min(self._left - 2, self._most + 1 - len(self.body))]
                self.body += part
                self._left -= len(part)
                at += len(part)
                if len(self.body) > self._most:
                    del self.body[self._most :]
                    return self._fail(BODY_TOO_LONG)
                continue
            end = data.find(b"\n", at)
            part = data[at : end + 1] if end >= 0 else data[at:]
            at += len(part)
            self._line += part
            self._framing += len(part)
            if len(self._line) > _LONGEST_CHUNK_LINE or (
                self._framing > len(self.body) + _FRAMING_FOR_FREE
            ):
                return self._fail(BODY_CHUNKS_WASTEFUL)
            if end < 0:
                break
            if self._take_line():
                return at
            if self.problem:
                return -1
        return -1

    def _take_line(self) -> bool:
        """Take a line of framing; True at the last one."""
        line = bytes(self._line)
        self._line.clear()
        if not line.endswith(b"\r\n"):
            self._fail(BODY_CHUNKS_BROKEN)
        elif self._in_trailer:
            return line == b"\r\n"
        elif self._left:
            if line != b"\r\n":
                self._fail(BODY_CHUNKS_BROKEN)
            self._left = 0
        elif not _SIZE.fullmatch(line[:-2]):
            self._fail(BODY_CHUNKS_BROKEN)
        else:
            size = int(line.partition(b";")[0], 16)
            self._in_trailer = size == 0
            self._left = size + 2 if size else 0
        return False

    def _fail(self, problem: str) -> int:
        self.problem = problem
        return -1
