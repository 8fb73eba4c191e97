"""What opens something: made at random, kept as a hash; and the proof that a form is ours."""

from __future__ import annotations

import hashlib
import hmac
import secrets

TOKEN_PREFIX = "shk_"  # noqa: S105 - what a token begins with, so that scanners find lost ones
LONGEST = 256


def new_proof(prefix: str = "") -> str:
    """256 bits at random, URL-safe."""
    return prefix + secrets.token_urlsafe(32)


def hashed(proof: str) -> bytes:
    """As the ledger keeps it. It has all its bits at random, so one SHA-256 is enough."""
    return hashlib.sha256(proof.encode("utf-8", "replace")).digest()


def csrf_of(proof: str) -> str:
    """What the forms of a session carry: nobody can make it who does not have the session."""
    return hmac.new(proof.encode(), b"switchhook csrf", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
