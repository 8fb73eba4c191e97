"""Users, their sessions, tokens and one-time links, and the protocol of the ledger that keeps them.

What opens something (a session's cookie, a token, a link) is kept as its SHA-256 only. Times are
Unix microseconds. Every change takes the `Deed` that goes into the audit log with it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.access.roles import RELEASING, Role, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.access.audit import AuditLog, Deed
    from switchhook.access.passkeys import Passkeys
    from switchhook.access.second_factor import SecondFactors

LINK_LIFE_US = 15 * 60 * 1_000_000
INVITATION_LIFE_US = 3 * 24 * 3_600 * 1_000_000
PROOF_LIFE_US = 5 * 60 * 1_000_000
"""How long a password that was just shown counts."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user. With neither a password nor an OpenID subject only a link lets them in."""

    id: int
    name: str
    role: Role
    password_hash: str | None = None
    """argon2's own text of parameters, salt and hash."""
    oidc_subject: str | None = None
    """Issuer and subject of a provider, which stay when the name there changes."""
    created_us: int = 0
    disabled: bool = False
    second_factor: bool = False
    """Whether a password alone does not let them in."""

    def __repr__(self) -> str:
        return f"User(id={self.id}, name={self.name!r}, role={self.role.word})"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A user's session."""

    id: int
    user: User
    created_us: int
    used_us: int
    proved_us: int = 0
    """When its holder last showed a password, with the second factor where there is one."""
    origin: str = ""
    agent: str = ""
    """What the browser calls itself, cut."""

    def fresh(self, now_us: int) -> bool:
        """Whether its holder has shown a password within the last minutes."""
        return 0 <= now_us - self.proved_us < PROOF_LIFE_US

    @property
    def key(self) -> str:
        """As `Viewer.session` names it."""
        return f"session:{self.id}"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An API token; what it is made of is shown once and kept nowhere.

    `owner` is the user who made it: it can do no more than they. None: made on the command line.
    """

    id: int
    name: str
    scope: Scope
    owner: User | None
    created_us: int
    expires_us: int
    used_us: int | None = None
    revoked_us: int | None = None

    @property
    def key(self) -> str:
        """As `Viewer.session` names it."""
        return f"token:{self.id}"

    @property
    def role(self) -> Role:
        """What it may do now."""
        return self.scope.role if self.owner is None else min(self.scope.role, self.owner.role)

    def may_release(self, from_role: Role) -> bool:
        """Whether it may release where people may from that role on."""
        return self.scope in RELEASING and (self.owner is None or self.owner.role >= from_role)

    def works(self, now_us: int) -> bool:
        """Whether it opens anything now."""
        disabled = self.owner is not None and self.owner.disabled
        return self.revoked_us is None and now_us < self.expires_us and not disabled


class LinkKind(StrEnum):
    """What a one-time link is for."""

    FIRST = "first"
    """Makes an administrator, who chooses a name."""
    INVITE = "invite"
    """Makes the user whose name and role it has."""
    RESET = "reset"
    """Gives a user a new password, and ends their sessions and tokens."""

    @property
    def life_us(self) -> int:
        """How long it works: people pass an invitation on, the others are used at once."""
        return INVITATION_LIFE_US if self is LinkKind.INVITE else LINK_LIFE_US


class OneTimeLink(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link; `name` and `role` are those of the user it is for."""

    id: int
    kind: LinkKind
    name: str
    role: Role
    created_us: int
    used_us: int | None = None

    def works(self, now_us: int) -> bool:
        """Whether it can be used: once, and as long as its kind works."""
        return self.used_us is None and self.created_us <= now_us < self.until_us

    @property
    def until_us(self) -> int:
        """When it ends by itself."""
        return self.created_us + self.kind.life_us


class IdentityRow(msgspec.Struct, frozen=True):
    """What the ledger says of who asks, in one look; `accounts`: somebody has one."""

    accounts: bool
    session: Session | None = None
    token: Token | None = None


class Users(Protocol):
    """The users and their links in the ledger. Every deed is in the audit log, or not done.

    Raises LedgerError.
    """

    def all(self) -> list[User]: ...

    def named(self, name: str) -> User | None: ...

    def by_subject(self, oidc_subject: str) -> User | None: ...

    def add(
        self,
        name: str,
        role: Role,
        deed: Deed,
        now_us: int,
        *,
        password_hash: str | None = None,
        oidc_subject: str | None = None,
    ) -> User | None:
        """The new user; None where the name is taken (case does not tell names apart)."""

    def set_role(self, user_id: int, role: Role, deed: Deed, now_us: int) -> bool:
        """Set it, and end the user's sessions and tokens, and the links that they made.

        False where it would leave no administrator who can sign in.
        """

    def set_disabled(self, user_id: int, disabled: bool, deed: Deed, now_us: int) -> bool:
        """Likewise, where it disables."""

    def delete(self, user_id: int, deed: Deed, now_us: int) -> bool:
        """Leave of a user nothing but a number, so that what they did still has a doer.

        Likewise False; also where there is no such user.
        """

    def set_password(
        self, user_id: int, password_hash: str, deed: Deed, now_us: int, *, keep: int | None = None
    ) -> None:
        """Set it, and end the user's sessions but `keep`, their tokens and the links they made."""

    def make_link(
        self,
        kind: LinkKind,
        name: str,
        role: Role,
        by: int | None,
        hashed: bytes,
        deed: Deed,
        now_us: int,
    ) -> OneTimeLink | None:
        """A new link; older ones for the same are void from now on.

        `by` is the user who makes it (None: this machine); None where they are no administrator.
        """

    def link(self, hashed: bytes) -> OneTimeLink | None: ...

    def links(self, now_us: int) -> list[OneTimeLink]:
        """Those that can be used, and invitations that nobody used in time."""

    def void_link(self, link_id: int, deed: Deed, now_us: int) -> None: ...

    def use_link(
        self, hashed: bytes, name: str, password_hash: str, deed: Deed, now_us: int
    ) -> User | None:
        """Use a link up for its purpose; None where it can't be used or the name is taken."""


class Credentials(Protocol):
    """Sessions and tokens in the ledger. Raises LedgerError."""

    def standing(self, session: bytes | None, token: bytes | None) -> IdentityRow:
        """By the hashes of what was sent."""

    def open_session(
        self,
        user_id: int,
        hashed: bytes,
        origin: str,
        agent: str,
        deed: Deed,
        now_us: int,
        *,
        proved_us: int | None = None,
    ) -> Session:
        """A new session, whose holder showed who they are at `proved_us`, else now."""

    def prove(self, session_id: int, deed: Deed, now_us: int) -> None:
        """Note that the session's holder has shown a password again."""

    def touch(self, key: str, now_us: int) -> None:
        """Note that a session or token was used."""

    def sessions(self, user_id: int | None = None) -> list[Session]:
        """A user's, or all."""

    def end_session(self, session_id: int, deed: Deed, now_us: int) -> None: ...

    def drop_sessions(self, created_before_us: int, used_before_us: int) -> int:
        """Forget those that have expired; how many."""

    def make_token(
        self,
        name: str,
        scope: Scope,
        owner_id: int | None,
        hashed: bytes,
        expires_us: int,
        deed: Deed,
        now_us: int,
    ) -> Token: ...

    def tokens(self, owner_id: int | None = None) -> list[Token]:
        """Those of a user, or all."""

    def revoke_token(self, token_id: int, deed: Deed, now_us: int) -> bool: ...

    def living(self, keys: Sequence[str]) -> list[Session | Token]:
        """Of those keys, what is not ended, revoked or its user's disabled."""


class AccessLedger(Protocol):
    """Everything about access that is kept."""

    @property
    def users(self) -> Users: ...

    @property
    def passes(self) -> Credentials: ...

    @property
    def second_factors(self) -> SecondFactors: ...

    @property
    def passkeys(self) -> Passkeys: ...

    @property
    def audit(self) -> AuditLog: ...
