"""An authenticator in software, and the browser around it: real keys, real signatures (ES256)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class Authenticator:
    """Makes one passkey. What a test changes is what it lies about; `steps` is how it counts."""

    def __init__(self, steps: int = 1) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential = secrets.token_bytes(32)
        self.count, self.steps = 0, steps
        self.flags = PRESENT | VERIFIED

    def public_key(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def create(self, options, origin, *, challenge=None, rp_id=None, kind="webauthn.create"):
        """What a browser says after making the passkey, as JSON."""
        rp_id = rp_id or options["rp"]["id"]
        held = len(self.credential).to_bytes(2, "big") + self.credential + self.public_key()
        data = self._data(rp_id, self.flags | ATTESTED) + bytes(16) + held
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client(kind, challenge or options["challenge"], origin)
        return self._said({"clientDataJSON": text(client), "attestationObject": text(made)})

    def get(self, options, origin, *, challenge=None, rp_id=None, kind="webauthn.get"):
        """What a browser says after using it, as JSON."""
        self.count += self.steps
        data = self._data(rp_id or options["rpId"], self.flags)
        client = self._client(kind, challenge or options["challenge"], origin)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._said(
            {
                "clientDataJSON": text(client),
                "authenticatorData": text(data),
                "signature": text(signature),
            }
        )

    def _data(self, rp_id: str, flags: int) -> bytes:
        return (
            hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
        )

    def _client(self, kind: str, challenge: str, origin: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _said(self, response: dict[str, str]) -> str:
        named = text(self.credential)
        said = {"id": named, "rawId": named, "type": "public-key", "response": response}
        return json.dumps(said)
