"""The mark of a test: what tells a request that `doctor` or `endpoint test` sent from a caller's.

A header with a number drawn for this one request, the time, and a keyed hash of both by the data
folder's key. So whoever can read the folder can make one, and nobody else: what a stranger sends is
no mark. It is good once, and for a few minutes, as proxies on the way see it.
"""

from __future__ import annotations

import hashlib
import hmac
import re

import msgspec

HEADER = "Switchhook-Test"
LONGEST_S = 300
"""How far a mark's time may be from now, either way."""

_MARK = re.compile(r"1\.([0-9]{1,12})\.([0-9a-f]{16})\.([0-9a-f]{64})")
_PERSON = b"request-test"


class Mark(msgspec.Struct, frozen=True):
    """A mark that this data folder's key made: of which request, and when, in Unix time."""

    test: str
    at_s: int

    def fresh(self, now_s: float) -> bool:
        """Whether its time is near enough to be believed."""
        return abs(now_s - self.at_s) <= LONGEST_S


def make_mark(key: bytes, test: str, at_s: int) -> str:
    """The value of the header for a request; `test` is 16 hex digits drawn for it alone."""
    return f"1.{at_s}.{test}.{_hash(key, test, at_s)}"


def read_mark(key: bytes, text: str) -> Mark | None:
    """The mark in a header's value; None where this folder's key did not make it."""
    found = _MARK.fullmatch(text)
    if found is None:
        return None
    at_s, test = int(found[1]), found[2]
    if not hmac.compare_digest(_hash(key, test, at_s), found[3]):
        return None
    return Mark(test, at_s)


def _hash(key: bytes, test: str, at_s: int) -> str:
    said = f"{at_s}.{test}".encode()
    return hashlib.blake2b(said, digest_size=32, key=key, person=_PERSON).hexdigest()
