"""A request that one node passes on to another: where it came from, and proof that it may say so.

    said = Forwarded(client="10.0.0.9", node=7, at_ms=now_ms)
    headers.append((HEADER, said.header(key, request)))
    received(value, key, request, now_ms)    # Forwarded, or raises ForwardError

The proof is an HMAC by the key that all nodes share, over all that is said and what is asked for.
It is good for `WINDOW_MS` by the database's clock, so that no node's clock matters.
"""

from __future__ import annotations

import hmac

import msgspec

from switchhook.errors import SwitchhookError

HEADER = b"x-switchhook-forwarded"
WINDOW_MS = 30_000
_VERSION, _PARTS, _LONGEST = "1", 5, 400
_PURPOSE = b"switchhook: forwarded by a node"


class ForwardError(SwitchhookError):
    """A header that proves nothing."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(f"{problem} ({hint})")


class Asked(msgspec.Struct, frozen=True):
    """What a request asks for: its `target` is path and query as they were sent."""

    method: str
    target: bytes
    host: bytes


class Forwarded(msgspec.Struct, frozen=True):
    """Who asked a node, which node that was, and when."""

    client: str
    node: int
    at_ms: int

    def header(self, key: bytes, asked: Asked) -> bytes:
        """The value of `HEADER`."""
        said = self._said()
        return f"{said} {_proof(key, said, asked)}".encode()

    def _said(self) -> str:
        return f"{_VERSION} {self.at_ms:d} {self.node:d} {self.client or '-'}"


def received(value: bytes, key: bytes, asked: Asked, now_ms: int) -> Forwarded:
    """What another node said of a request, proven. Raises ForwardError."""
    parts = value.decode("latin-1").split(" ") if len(value) <= _LONGEST else []
    if len(parts) != _PARTS or parts[0] != _VERSION:
        hint = "run the same release on both nodes"
        raise ForwardError("another node forwarded it in a form that is not known here", hint)
    _, at, node, client, proof = parts
    if not hmac.compare_digest(proof.encode(), _proof(key, " ".join(parts[:-1]), asked).encode()):
        hint = "only nodes of this cluster may; a proxy between them must not change it"
        raise ForwardError("its proof that a node forwarded it is wrong", hint)
    said = Forwarded("" if client == "-" else client, int(node), int(at))
    if abs(now_ms - said.at_ms) > WINDOW_MS:
        raise ForwardError("it was forwarded too long ago", "ask again")
    return said


def _proof(key: bytes, said: str, asked: Asked) -> str:
    own = hmac.digest(key, _PURPOSE, "sha256")
    parts = (said.encode("latin-1"), asked.method.encode("latin-1"), asked.target, asked.host)
    told = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.digest(own, told, "sha256").hex()
