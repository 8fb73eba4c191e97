"""Who looks at the console, and what each may see and do.

Numbers are masked for everybody until they are revealed: an operator reveals those of one call, or
all for a quarter of an hour, and each reveal is in the audit log. A page asks its `Viewer`:
`sees_numbers` (all of them, now), `sees(call_sid)` (those of one call, now), `may_reveal` (whether
to offer the button, which POSTs to /calls/{call_sid}/reveal or /reveal).
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum, StrEnum

import msgspec

EVERYTHING = "*"
"""In place of a CallSid: all calls."""
REVEALED_FOR_US = 15 * 60 * 1_000_000
THIS_MACHINE = "this machine"


class Role(IntEnum):
    """What somebody may do; each role may do all that the ones below it may."""

    VIEWER = 1
    """Sees everything but full numbers."""
    OPERATOR = 2
    """Reveals numbers, each reveal noted; acknowledges, silences, exports."""
    ADMINISTRATOR = 3
    """Also users, tokens, the audit log, retention and erasure."""

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role | None:
        """The role of that word; None where there is none."""
        return next((role for role in cls if role.word == word), None)


class Scope(StrEnum):
    """What an API token may do, at the most; its maker's role may allow less."""

    READ = "read"
    OPERATE = "operate"
    RELEASE = "release"
    """What `operate` may; also releases rules and sets flags."""
    ADMIN = "admin"
    FLAGS = "flags"
    """Reads flags on the listener for bots, and opens nothing else."""

    @property
    def role(self) -> Role:
        return _SCOPE_ROLES[self]


_SCOPE_ROLES = {
    Scope.READ: Role.VIEWER,
    Scope.OPERATE: Role.OPERATOR,
    Scope.RELEASE: Role.OPERATOR,
    Scope.ADMIN: Role.ADMINISTRATOR,
    Scope.FLAGS: Role.VIEWER,
}
RELEASING = frozenset((Scope.RELEASE, Scope.ADMIN))
"""The scopes of tokens that may release, where their makers may."""


class Viewer(msgspec.Struct, frozen=True):
    """Who makes a request: a user, a token, or this machine where there are no users yet.

    `session` names the session, token or machine that spoke, for closing its live feeds.
    `revealed` has the CallSids whose numbers it may see just now, or `EVERYTHING`; `origin` is the
    address it asks from.
    """

    name: str
    role: Role
    session: str = ""
    open: bool = False
    """Whether nobody had to sign in: every page says so then, and masks nothing."""
    revealed: frozenset[str] = frozenset()
    origin: str = ""
    token: bool = False
    """Whether an API token spoke, not somebody in a browser."""
    releases: bool = False
    """Whether the role, or the token's scope, has the right to release."""

    @property
    def sees_numbers(self) -> bool:
        """Whether all numbers are shown, now."""
        return self.open or EVERYTHING in self.revealed

    def sees(self, call_sid: str) -> bool:
        """Whether the numbers of one call are shown, now."""
        return self.sees_numbers or call_sid in self.revealed

    @property
    def may_reveal(self) -> bool:
        """Whether the role may reveal numbers."""
        return self.role >= Role.OPERATOR

    @property
    def may_release(self) -> bool:
        """Whether this may release rules and pools, and set flags."""
        return self.open or self.releases

    def may(self, role: Role) -> bool:
        """Whether this may do what that role may."""
        return self.role >= role


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[console.oidc]`: who may sign in by an OpenID Connect provider, and as what.

    With `emails` or `domains` (lower case) only those may. `role_claim` names the claim (a text or
    a list of texts; dots lead into objects) whose values `roles` turns into a role; the highest
    counts, and without any `default_role`.
    """

    issuer: str
    client_id: str
    client_secret: str = ""
    label: str = "OpenID Connect"
    emails: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    role_claim: str = ""
    roles: tuple[tuple[str, Role], ...] = ()
    default_role: Role | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")

    def __repr__(self) -> str:
        return f"OidcSettings(issuer={self.issuer!r}, client_id={self.client_id!r}, …)"


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may look, as configured.

    `users` demands accounts also while nobody has one; `loopback` is whether the console listens
    there only; `url` is how people reach it (scheme and host, no slash at its end; "" is how it
    listens). From the role `second_factor` on, whoever signs in by password needs a second factor;
    from `release_role` on people may release.
    """

    users: bool = False
    loopback: bool = True
    url: str = ""
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    session_hours: float = 12
    idle_hours: float = 4
    oidc: OidcSettings | None = None
    second_factor: Role | None = None
    release_role: Role = Role.OPERATOR

    def open(self, accounts: bool) -> bool:
        """Whether this machine may look without signing in; `accounts`: somebody has one."""
        return self.loopback and not self.users and not accounts
