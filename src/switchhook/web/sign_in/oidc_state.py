"""What a browser is sent to the provider with, and what may go wrong there."""

from __future__ import annotations

import base64
import secrets

import msgspec


class OidcProblem(Exception):  # noqa: N818 - the login page turns it into a sentence
    """The provider could not be asked, or what it said can't be believed.

    `why` is a sentence for people, `detail` for the log.
    """

    def __init__(self, why: str, detail: str = "") -> None:
        self.why, self.detail = why, detail
        super().__init__(f"{why}: {detail}" if detail else why)


class OidcState(msgspec.Struct, frozen=True):
    """What the browser keeps while it is away at the provider. Only it can finish signing in."""

    state: str
    nonce: str
    verifier: str
    next: str = "/"
    again: bool = False
    """Whether somebody who is signed in there has to sign in once more."""

    def packed(self) -> str:
        """As a cookie holds it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def unpacked(cls, text: str) -> OidcState | None:
        """None for what is no such cookie."""
        try:
            return msgspec.json.decode(
                base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=cls
            )
        except (ValueError, msgspec.MsgspecError):
            return None


def new_oidc_state(next_path: str, *, again: bool = False) -> OidcState:
    """With 256 random bits each."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return OidcState(state, nonce, verifier, next_path, again)
