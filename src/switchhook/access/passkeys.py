"""Passkeys (WebAuthn) as the second factor of local accounts: asked for, checked, kept.

Challenges and clocks are arguments; that a challenge is used once is for whoever made it to see to.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    from switchhook.access.audit import Deed

CHALLENGE_BYTES = 32
CHALLENGE_LIFE_US = 5 * 60 * 1_000_000
MOST_PASSKEYS = 20
"""Of one user."""
LONGEST_ID = 1_023
"""Bytes of a credential's id, as the standard has it."""
_RP_NAME = "Switchhook"
_BY_ADDRESS = (
    "no browser makes passkeys for an IP address: open the console by its name, or localhost"
)
_IN_THE_CLEAR = "browsers make passkeys over https only, or at localhost"


class RelyingParty(msgspec.Struct, frozen=True):
    """The console as a browser has it: passkeys are made for its `id`, a host's name.

    A `problem` says why none can be made or used there.
    """

    id: str
    origin: str
    problem: str = ""


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """One that a user has enrolled. `sign_count` is 0 for those that don't count."""

    id: int
    credential: bytes
    public_key: bytes
    """COSE, in CBOR."""
    sign_count: int
    rp_id: str
    name: str
    made_us: int
    used_us: int | None = None

    def __repr__(self) -> str:
        return f"Passkey(id={self.id}, rp_id={self.rp_id!r})"


class NewPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """What an authenticator has made for us."""

    credential: bytes
    public_key: bytes
    sign_count: int
    rp_id: str


class Assertion(msgspec.Struct, frozen=True):
    """A passkey has signed our challenge, and says it has signed so often."""

    passkey: Passkey
    sign_count: int


class Unproven(msgspec.Struct, frozen=True):
    """What an authenticator said proves nothing; `why` names nobody."""

    why: str


class Passkeys(Protocol):
    """Passkeys in the ledger. Raises LedgerError."""

    def of(self, user_id: int) -> list[Passkey]: ...

    def add(
        self,
        user_id: int,
        new: NewPasskey,
        name: str,
        codes: Sequence[bytes],
        deed: Deed,
        now_us: int,
        *,
        keep: int | None = None,
    ) -> bool:
        """Enrol one; hashed recovery codes, where there are any, take the place of those before.

        Ends the user's sessions but `keep`. False where it is enrolled already, here or by another
        user, or the user has as many as one may.
        """

    def use(self, passkey_id: int, sign_count: int, now_us: int) -> bool:
        """Note a use; False where the count did not grow since the last one, or it is gone."""

    def remove(
        self, user_id: int, passkey_id: int, deed: Deed, now_us: int, *, keep: int | None = None
    ) -> bool:
        """Forget one, and the recovery codes with the last factor; ends sessions but `keep`.

        False where the user has no such passkey.
        """


def relying_party(origin: str) -> RelyingParty:
    """The console at an origin, such as `https://console.example:8443`."""
    parts = urlsplit(origin)
    host = (parts.hostname or "").lower()
    problem = ""
    if _is_address(host) or not host:
        problem = _BY_ADDRESS
    elif parts.scheme != "https" and host != "localhost":
        problem = _IN_THE_CLEAR
    return RelyingParty(host, origin, problem)


class Owner(Protocol):
    """Whose a passkey is."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def created_us(self) -> int: ...


def user_handle(user: Owner) -> bytes:
    """What authenticators know a user by: the same each time, and no name."""
    return hashlib.sha256(f"switchhook passkeys {user.id} {user.created_us}".encode()).digest()


def copied(kept: int, said: int) -> bool:
    """Whether a count of signatures tells of a second device with the same key."""
    return (kept > 0 or said > 0) and said <= kept


def creation_options(
    party: RelyingParty, user: Owner, challenge: bytes, known: Sequence[Passkey]
) -> str:
    """What a browser makes a passkey by, as JSON. None is made where one of `known` is."""
    # Loaded by those who have passkeys: it would slow every start.
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import (
        AttestationConveyancePreference,
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=party.id,
        rp_name=_RP_NAME,
        user_name=user.name,
        user_id=user_handle(user),
        challenge=challenge,
        timeout=CHALLENGE_LIFE_US // 1_000,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_described(known),
        supported_pub_key_algs=[COSEAlgorithmIdentifier(each) for each in _ALGORITHMS],
    )
    return options_to_json(options)


def request_options(party: RelyingParty, challenge: bytes, known: Sequence[Passkey]) -> str:
    """What a browser asks one of `known` by, as JSON."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=CHALLENGE_LIFE_US // 1_000,
        allow_credentials=_described(known),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return options_to_json(options)


def enrolled(said: str, challenge: bytes, party: RelyingParty) -> NewPasskey | Unproven:
    """What an authenticator has made, as its browser says it in JSON."""
    from webauthn import verify_registration_response
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    try:
        made = verify_registration_response(
            credential=said,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(each) for each in _ALGORITHMS],
        )
        # Nothing was signed: that the key is one would else show at the first sign-in.
        decoded_public_key_to_cryptography(decode_credential_public_key(made.credential_public_key))
    except _garbled() as error:
        return Unproven(_why(error))
    if len(made.credential_id) > LONGEST_ID:
        return Unproven("its id is too long")
    return NewPasskey(
        credential=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        rp_id=party.id,
    )


def asserted(
    said: str, challenge: bytes, party: RelyingParty, known: Sequence[Passkey]
) -> Assertion | Unproven:
    """Which of `known` has signed the challenge, as a browser says it in JSON."""
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json

    try:
        credential = parse_authentication_credential_json(said)
        passkey = next((each for each in known if each.credential == credential.raw_id), None)
        if passkey is None or passkey.rp_id != party.id:
            return Unproven("it is no passkey of this user here")
        shown = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            # The count is looked at by us (`copied`), once the signature is known to hold.
            credential_current_sign_count=0,
        )
    except _garbled() as error:
        return Unproven(_why(error))
    return Assertion(passkey, shown.new_sign_count)


_ALGORITHMS = (-7, -8, -257)
"""COSE's numbers of ES256, EdDSA and RS256: what authenticators have."""


def _garbled() -> tuple[type[Exception], ...]:
    """What the library raises for what is not so, and lets through for what is garbled."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from webauthn.helpers.exceptions import WebAuthnException

    return (
        WebAuthnException,
        UnsupportedAlgorithm,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
    )


def _why(error: Exception) -> str:
    return f"it does not hold ({type(error).__name__})"


def _described(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [PublicKeyCredentialDescriptor(id=each.credential) for each in known]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
