"""A file as lines of text: gzip, UTF-16 and byte order marks are undone."""

from __future__ import annotations

import codecs
import gzip
import io
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_GZIP = b"\x1f\x8b"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def lines_of(file: BinaryIO) -> Iterator[str]:
    """Its lines, each as soon as it is there. Raises OSError, EOFError where gzip is damaged."""
    found = cast("io.BufferedReader", file)
    if found.peek(2)[:2] == _GZIP:
        unpacked = io.BufferedReader(_Unpacked(gzip.GzipFile(fileobj=found)))
        yield from lines_of(cast("BinaryIO", unpacked))
        return
    encoding = _encoding(found.peek(4))
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    text = io.TextIOWrapper(found, encoding=encoding, errors=errors, newline="\n")
    try:
        yield from text
    finally:
        text.detach()  # whoever opened it closes it


class _Unpacked(io.RawIOBase):
    """What is packed, piece by piece: what stands before damage has been given when it raises."""

    def __init__(self, packed: gzip.GzipFile) -> None:
        self._packed = packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._packed.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _encoding(begin: bytes) -> str:
    for mark, name in sorted(_MARKS.items(), key=lambda each: -len(each[0])):
        if begin.startswith(mark):
            return name
    if len(begin) >= 4 and begin[1:2] == begin[3:4] == b"\0":
        return "utf-16-le"
    if len(begin) >= 4 and begin[0:1] == begin[2:3] == b"\0":
        return "utf-16-be"
    return "utf-8"
