"""The link in a message by which whoever has it says "I am on it", without signing in.

It names one alert as it fired once, and the destination that it was sent to; made with the data
folder's key, it is for nothing else. It works once: who follows it when somebody is on it already,
or when the alert is over, is told so.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from switchhook.alerts.alert import Alert

PATH = "/on-it/"
LONGEST = 400


class OnIt(msgspec.Struct, frozen=True):
    """What a link names: the alert's `id`, when it fired in Unix ms, and the destination."""

    id: str
    fired_ms: int
    destination: str

    def names(self, alert: Alert) -> bool:
        """Whether it is of this alert, and not of one before it."""
        return alert.id == self.id and alert.fired_ms == self.fired_ms


def make_link(key: bytes, on_it: OnIt) -> str:
    """What follows `PATH`."""
    said = f"{on_it.id}-{on_it.fired_ms}-{on_it.destination}"
    return f"{said}-{_proof(key, said)}"


def read_link(key: bytes, text: str) -> OnIt | None:
    """What a link names; None for one that was not made with the key."""
    said, proof = text[:-_PROOF_LENGTH].removesuffix("-"), text[-_PROOF_LENGTH:]
    if len(text) > LONGEST or not hmac.compare_digest(_proof(key, said).encode(), proof.encode()):
        return None
    id, fired_ms, destination = said.split("-", 2)
    return OnIt(id, int(fired_ms), destination)


def _proof(key: bytes, said: str) -> str:
    made = hashlib.blake2b(said.encode(), digest_size=18, key=key, person=b"on it")
    return base64.urlsafe_b64encode(made.digest()).decode().replace("-", "~")


_PROOF_LENGTH = 24
