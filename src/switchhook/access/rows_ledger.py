"""Rows of users, sessions, tokens and links, read as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.access.roles import Role, Scope
from switchhook.access.users import LinkKind, OneTimeLink, Session, Token, User

if TYPE_CHECKING:
    import apsw

USER = (
    "u.id, u.name, u.role, u.password_hash, u.oidc_subject, u.created_us, u.disabled,"
    " EXISTS (SELECT 1 FROM second_factors f WHERE f.user = u.id)"
    " OR EXISTS (SELECT 1 FROM passkeys p WHERE p.user = u.id)"
)
SESSION = f"s.id, s.created_us, s.used_us, s.proved_us, s.origin, s.agent, {USER}"
SESSIONS = f"SELECT {SESSION} FROM sessions s JOIN users u ON u.id = s.user"  # noqa: S608
TOKEN = f"t.id, t.name, t.scope, t.created_us, t.expires_us, t.used_us, t.revoked_us, {USER}"
TOKENS = f"SELECT {TOKEN} FROM tokens t LEFT JOIN users u ON u.id = t.owner"  # noqa: S608
LINKS = "SELECT id, kind, name, role, created_us, used_us FROM links"


def find_user(c: apsw.Connection, test: str, value: object) -> User | None:
    row = c.execute(f"SELECT {USER} FROM users u WHERE {test}", (value,)).fetchone()  # noqa: S608
    return None if row is None else user_of(row)


def name_key(name: str) -> str:
    return name.casefold()


def user_of(row: Any) -> User:
    number, name, role, password_hash, oidc_subject, created_us, disabled, second_factor = row
    return User(
        id=number,
        name=name,
        role=Role(role),
        password_hash=password_hash,
        oidc_subject=oidc_subject,
        created_us=created_us,
        disabled=bool(disabled),
        second_factor=bool(second_factor),
    )


def session_of(row: Any) -> Session:
    number, created_us, used_us, proved_us, origin, agent, *user = row
    return Session(
        id=number,
        user=user_of(user),
        created_us=created_us,
        used_us=used_us,
        proved_us=proved_us,
        origin=origin,
        agent=agent,
    )


def token_of(row: Any) -> Token:
    number, name, scope, created_us, expires_us, used_us, revoked_us, *owner = row
    return Token(
        id=number,
        name=name,
        scope=Scope(scope),
        owner=None if owner[0] is None else user_of(owner),
        created_us=created_us,
        expires_us=expires_us,
        used_us=used_us,
        revoked_us=revoked_us,
    )


def link_of(row: Any) -> OneTimeLink:
    number, kind, name, role, created_us, used_us = row
    return OneTimeLink(
        id=number,
        kind=LinkKind(kind),
        name=name,
        role=Role(role),
        created_us=created_us,
        used_us=used_us,
    )
