"""The tables of users, sessions, tokens and links; their rows, read as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, exists, or_, select, text

from switchhook.access.roles import Role, Scope
from switchhook.access.users import LinkKind, OneTimeLink, Session, Token, User
from switchhook.ledger.sql import COUNTED, KEYED, STRICT, Blob, Flag, Number, Text

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

TABLES = MetaData()
users = Table(
    "users",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    Column("role", Number, nullable=False),
    Column("password_hash", Text),
    Column("oidc_subject", Text, unique=True),
    Column("created_us", Number, nullable=False),
    Column("disabled", Flag, nullable=False, default=False, server_default=text("FALSE")),
    Column("deleted_us", Number),
    **COUNTED,
)
sessions = Table(
    "sessions",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("hash", Blob, nullable=False, unique=True),
    Column("user", Number, ForeignKey("users.id"), nullable=False),
    Column("created_us", Number, nullable=False),
    Column("used_us", Number, nullable=False),
    Column("origin", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("proved_us", Number, nullable=False, server_default=text("0")),
    Index("sessions_of_user", "user"),
    **COUNTED,
)
tokens = Table(
    "tokens",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("hash", Blob, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("owner", Number, ForeignKey("users.id")),
    Column("created_us", Number, nullable=False),
    Column("expires_us", Number, nullable=False),
    Column("used_us", Number),
    Column("revoked_us", Number),
    **COUNTED,
)
links = Table(
    "links",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("hash", Blob, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Number, nullable=False),
    Column("created_us", Number, nullable=False),
    Column("used_us", Number),
    Column("by", Number, ForeignKey("users.id")),
    Index("links_of_maker", "by"),
    **COUNTED,
)
"""`by` is who made it; NULL is this machine."""
second_factors = Table(
    "second_factors",
    TABLES,
    Column("user", Number, ForeignKey("users.id"), primary_key=True, autoincrement=False),
    Column("secret", Blob, nullable=False),
    Column("last_step", Number, nullable=False),
    Column("enrolled_us", Number, nullable=False),
    **STRICT,
)
recovery_codes = Table(
    "recovery_codes",
    TABLES,
    Column("user", Number, ForeignKey("users.id"), primary_key=True, autoincrement=False),
    Column("hash", Blob, primary_key=True),
    Column("used_us", Number),
    **KEYED,
)
passkeys = Table(
    "passkeys",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("user", Number, ForeignKey("users.id"), nullable=False),
    Column("credential", Blob, nullable=False, unique=True),
    Column("public_key", Blob, nullable=False),
    Column("sign_count", Number, nullable=False),
    Column("rp_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("made_us", Number, nullable=False),
    Column("used_us", Number),
    Index("passkeys_of_user", "user"),
    **COUNTED,
)

_USER: tuple[ColumnElement[Any], ...] = (
    *(users.c.id, users.c.name, users.c.role, users.c.password_hash, users.c.oidc_subject),
    *(users.c.created_us, users.c.disabled),
    or_(
        exists().where(second_factors.c.user == users.c.id),
        exists().where(passkeys.c.user == users.c.id),
    ),
)
USERS = select(*_USER)
SESSIONS = select(
    *(sessions.c.id, sessions.c.created_us, sessions.c.used_us, sessions.c.proved_us),
    *(sessions.c.origin, sessions.c.agent, *_USER),
).join_from(sessions, users, users.c.id == sessions.c.user)
TOKENS = select(
    *(tokens.c.id, tokens.c.name, tokens.c.scope, tokens.c.created_us, tokens.c.expires_us),
    *(tokens.c.used_us, tokens.c.revoked_us, *_USER),
).join_from(tokens, users, users.c.id == tokens.c.owner, isouter=True)
LINKS = select(
    *(links.c.id, links.c.kind, links.c.name, links.c.role, links.c.created_us, links.c.used_us)
)


def find_user(connection: Connection, test: ColumnElement[bool]) -> User | None:
    row = connection.execute(USERS.where(test)).first()
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
