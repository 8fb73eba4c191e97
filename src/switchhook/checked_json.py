"""A checksum in each small JSON file of the data folder, by which a flipped bit is noticed.

It is the last member of the object: `{"node":1,"checksum":"89abcdef"}`, the CRC-32 in hex of all
bytes before that member. Readers that don't know it skip it, and a file without one is an older
release's, which is read as it is.
"""

from __future__ import annotations

import re
from zlib import crc32

_MEMBER = re.compile(rb',"checksum":"([0-9a-f]{8})"}\Z')
_LONGEST = 32


def with_checksum(document: bytes) -> bytes:
    """A JSON object, which has other members, with its checksum as the last one."""
    rest = document.rstrip()[:-1].rstrip()
    return rest + b',"checksum":"%08x"}' % crc32(rest)


def has_checksum(content: bytes) -> bool:
    """Whether there is a checksum, fitting or not."""
    return _MEMBER.search(content, max(0, len(content) - _LONGEST)) is not None


def is_whole(content: bytes) -> bool:
    """Whether the checksum fits; True where there is none."""
    found = _MEMBER.search(content, max(0, len(content) - _LONGEST))
    return found is None or int(found[1], 16) == crc32(memoryview(content)[: found.start()])
