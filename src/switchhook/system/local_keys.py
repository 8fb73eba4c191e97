"""What opens a switchhook that nobody has given accounts or secrets: made of its folder's key.

Proxies on this machine connect from loopback and may say anything else about themselves, so where
a request comes from proves nothing. Whoever can read the data folder can make these again.
"""

from __future__ import annotations

import base64
import hashlib

OPEN = "/open/"
"""The address of an open console's link, up to its token."""


def link_token(key: bytes) -> str:
    """What the link to an open console ends with, and what programs show as their token."""
    return _made(key, b"link", "", 24)


def link_proof(key: bytes) -> str:
    """What a browser that has used the link shows: a cookie gives the link away to nobody."""
    return _made(key, b"proof", "", 24)


def link_cookie(key: bytes) -> str:
    """One for each data folder: browsers send a cookie to every port of a host."""
    return f"switchhook-open-{_made(key, b'cookie', '', 6)}"


def endpoint_secret(key: bytes, endpoint: str) -> str:
    """The secret of an endpoint that was configured with none."""
    return _made(key, b"endpoint", endpoint, 24)


def _made(key: bytes, use: bytes, name: str, size: int) -> str:
    """Text for URLs. `use` keeps it apart from fingerprints, which the same key makes."""
    made = hashlib.blake2b(name.encode(), digest_size=size, key=key, person=use)
    return base64.urlsafe_b64encode(made.digest()).decode()
