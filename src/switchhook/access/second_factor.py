"""The second factor of local accounts: codes of an authenticator app (RFC 6238), recovery codes.

Secrets, chance and clocks are arguments; what was used is the ledger's to remember.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.access.audit import Deed

ISSUER = "Switchhook"
STEP_US = 30_000_000
DIGITS = 6
SKEW = 1
"""Steps that the two clocks may differ by, either way."""
SECRET_BYTES = 20
RECOVERY_CODES = 10
RECOVERY_BYTES = 15
"""120 bits each: below 112 a plain hash would be too little (ASVS 5.0, 6.5.2)."""
_GROUP = 4


class SecondFactor(msgspec.Struct, frozen=True, kw_only=True):
    """A user's app. `last_step` is that of the newest code used; none counts twice."""

    secret: bytes
    last_step: int
    enrolled_us: int

    def __repr__(self) -> str:
        return f"SecondFactor(enrolled_us={self.enrolled_us})"


class SecondFactors(Protocol):
    """Apps as second factors, and recovery codes, in the ledger. Raises LedgerError."""

    def of(self, user_id: int) -> SecondFactor | None: ...

    def enrol(
        self,
        user_id: int,
        secret: bytes,
        step: int,
        codes: Sequence[bytes],
        deed: Deed,
        now_us: int,
        *,
        keep: int | None = None,
    ) -> bool:
        """Enrol a secret whose code of a step was shown, with hashed recovery codes.

        Ends the user's sessions but `keep`. False where there is one already.
        """

    def use_step(self, user_id: int, step: int) -> bool:
        """Use the code of a step up; False where that one or a later one was used before."""

    def use_code(self, user_id: int, hashed: bytes, deed: Deed, now_us: int) -> bool:
        """Use a recovery code up; False where it is none, or was used."""

    def renew_codes(
        self, user_id: int, codes: Sequence[bytes], deed: Deed, now_us: int
    ) -> None: ...

    def codes_left(self, user_id: int) -> int: ...

    def remove_app(self, user_id: int, deed: Deed, now_us: int, *, keep: int | None = None) -> None:
        """Forget the app, and the recovery codes with the last factor; ends sessions but `keep`."""

    def remove(self, user_id: int, deed: Deed, now_us: int, *, keep: int | None = None) -> None:
        """Forget app, passkeys and codes, so that the password alone does again; ends likewise."""


def step_of(now_us: int) -> int:
    """The number of a moment's step."""
    return now_us // STEP_US


def code_at(secret: bytes, step: int) -> str:
    """The code that an app shows during a step."""
    # Loaded by those who have a second factor: it would slow every start.
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.hotp import HOTP

    # SHA-1 is what every app knows; an HMAC of it is not what its weakness breaks.
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303


def matching_step(secret: bytes, code: str, now_us: int, last_step: int) -> int | None:
    """The step whose code was typed; None for a wrong, an old or a used one."""
    typed = "".join(code.split())
    if len(typed) != DIGITS or not typed.isascii() or not typed.isdigit():
        return None
    now = step_of(now_us)
    steps = range(max(now - SKEW, last_step + 1, 0), now + SKEW + 1)
    found = [step for step in steps if hmac.compare_digest(code_at(secret, step), typed)]
    return found[-1] if found else None


def shown_secret(secret: bytes) -> str:
    """As people type it into an app: base32, in groups."""
    return _grouped(base64.b32encode(secret).decode().rstrip("="), " ")


def provisioning_uri(secret: bytes, name: str) -> str:
    """What the QR code says."""
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    totp = TOTP(secret, DIGITS, SHA1(), STEP_US // 1_000_000)  # noqa: S303
    return totp.get_provisioning_uri(name, ISSUER)


def recovery_code(chance: bytes) -> str:
    """A recovery code as it is shown, of RECOVERY_BYTES at random."""
    return _grouped(base64.b32encode(chance).decode().rstrip("=").lower(), "-")


def hashed_recovery(code: str) -> bytes | None:
    """As the ledger keeps one, however it was typed; None for what can't be one."""
    typed = "".join(c for c in code.lower() if c.isascii() and c.isalnum())
    if len(typed) != RECOVERY_BYTES * 8 // 5 or len(code) > 2 * len(typed):
        return None
    return hashlib.sha256(typed.encode()).digest()


def _grouped(text: str, between: str) -> str:
    return between.join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
