"""Users, sessions, tokens and one-time links.

What opens something is kept as its SHA-256. Each change and its entry in the audit log are one
transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, column, delete, exists, or_, select, table, update

from switchhook.access import audit_ledger
from switchhook.access.credentials_ledger import LedgerPasses
from switchhook.access.passkeys_ledger import LedgerPasskeys
from switchhook.access.roles import Role
from switchhook.access.rows_ledger import (
    LINKS,
    USERS,
    find_user,
    link_of,
    links,
    name_key,
    tokens,
    user_of,
    users,
)
from switchhook.access.second_factors_ledger import LedgerSecondFactors, end_sessions, forget
from switchhook.access.users import LinkKind, OneTimeLink
from switchhook.ledger.sql import Flag, Text, add

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from switchhook.access.audit import Deed
    from switchhook.access.users import User
    from switchhook.ledger.database import Ledger

_unused = links.c.used_us.is_(None)
_saved_views = table("saved_views", column("by", Text), column("shared", Flag))
"""Of a higher folder: what a user leaves there."""


class LedgerUsers:
    """`Users` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def all(self) -> list[User]:
        asked = USERS.where(users.c.deleted_us.is_(None)).order_by(users.c.id)
        with self._ledger.reading() as connection:
            return [user_of(row) for row in connection.execute(asked)]

    def named(self, name: str) -> User | None:
        with self._ledger.reading() as connection:
            return find_user(connection, users.c.name_key == name_key(name))

    def by_subject(self, oidc_subject: str) -> User | None:
        with self._ledger.reading() as connection:
            return find_user(connection, users.c.oidc_subject == oidc_subject)

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
        with self._ledger.writing() as connection:
            user = _add(connection, name, role, now_us, password_hash, oidc_subject)
            if user is not None:
                audit_ledger.append(connection, deed, now_us)
            return user

    def set_role(self, user_id: int, role: Role, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as connection:
            if role < Role.ADMINISTRATOR and _is_last_administrator(connection, user_id):
                return False
            other = update(users).where(users.c.id == user_id, users.c.role != int(role))
            if connection.execute(other.values(role=int(role))).rowcount:
                _end_all(connection, user_id, now_us)
            audit_ledger.append(connection, deed, now_us)
            return True

    def set_disabled(self, user_id: int, disabled: bool, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as connection:
            if disabled and _is_last_administrator(connection, user_id):
                return False
            connection.execute(update(users).where(users.c.id == user_id).values(disabled=disabled))
            if disabled:
                _end_all(connection, user_id, now_us)
            audit_ledger.append(connection, deed, now_us)
            return True

    def delete(self, user_id: int, deed: Deed, now_us: int) -> bool:
        with self._ledger.writing() as connection:
            user = find_user(connection, and_(users.c.id == user_id, users.c.deleted_us.is_(None)))
            if user is None or _is_last_administrator(connection, user_id):
                return False
            _end_all(connection, user_id, now_us)
            forget(connection, user_id)
            _make_nobody(connection, user, now_us)
            audit_ledger.append(connection, deed, now_us)
            return True

    def set_password(
        self, user_id: int, password_hash: str, deed: Deed, now_us: int, *, keep: int | None = None
    ) -> None:
        with self._ledger.writing() as connection:
            _set_password(connection, user_id, password_hash, now_us, keep)
            audit_ledger.append(connection, deed, now_us)

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
        with self._ledger.writing() as connection:
            if by is not None and not _administers(connection, by):
                return None
            same = and_(links.c.kind == kind.value, links.c.name == name)
            _void(connection, same, now_us)
            number = add(
                connection,
                links,
                hash=hashed,
                kind=kind.value,
                name=name,
                role=int(role),
                by=by,
                created_us=now_us,
            )
            audit_ledger.append(connection, deed, now_us)
            return OneTimeLink(id=number, kind=kind, name=name, role=role, created_us=now_us)

    def link(self, hashed: bytes) -> OneTimeLink | None:
        with self._ledger.reading() as connection:
            return _link(connection, hashed)

    def links(self, now_us: int) -> list[OneTimeLink]:
        with self._ledger.reading() as connection:
            rows = connection.execute(LINKS.where(_unused).order_by(links.c.id))
            found = [link_of(row) for row in rows]
        return [link for link in found if link.works(now_us) or link.kind is LinkKind.INVITE]

    def void_link(self, link_id: int, deed: Deed, now_us: int) -> None:
        with self._ledger.writing() as connection:
            _void(connection, links.c.id == link_id, now_us)
            audit_ledger.append(connection, deed, now_us)

    def use_link(
        self, hashed: bytes, name: str, password_hash: str, deed: Deed, now_us: int
    ) -> User | None:
        with self._ledger.writing() as connection:
            link = _link(connection, hashed)
            if link is None or not link.works(now_us):
                return None
            if link.kind is LinkKind.RESET:
                enabled = and_(users.c.name_key == name_key(link.name), ~users.c.disabled)
                user = find_user(connection, enabled)
                if user is not None:
                    _set_password(connection, user.id, password_hash, now_us, None)
                    user = find_user(connection, users.c.id == user.id)
            else:
                chosen = name if link.kind is LinkKind.FIRST else link.name
                user = _add(connection, chosen, link.role, now_us, password_hash, None)
            if user is not None:
                _void(connection, links.c.id == link.id, now_us)
                audit_ledger.append(connection, deed, now_us)
            return user


class LedgerAccess:
    """`AccessLedger` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.users = LedgerUsers(ledger)
        self.passes = LedgerPasses(ledger)
        self.second_factors = LedgerSecondFactors(ledger)
        self.passkeys = LedgerPasskeys(ledger)
        self.audit = audit_ledger.LedgerAudit(ledger)


def _add(
    connection: Connection,
    name: str,
    role: Role,
    now_us: int,
    password_hash: str | None,
    oidc_subject: str | None,
) -> User | None:
    if find_user(connection, users.c.name_key == name_key(name)) is not None:
        return None
    number = add(
        connection,
        users,
        name=name,
        name_key=name_key(name),
        role=int(role),
        password_hash=password_hash,
        oidc_subject=oidc_subject,
        created_us=now_us,
    )
    return find_user(connection, users.c.id == number)


def _link(connection: Connection, hashed: bytes) -> OneTimeLink | None:
    row = connection.execute(LINKS.where(links.c.hash == hashed)).first()
    return None if row is None else link_of(row)


def _void(connection: Connection, which: ColumnElement[bool], now_us: int) -> None:
    """Let links that nobody has used work no more."""
    connection.execute(update(links).where(which, _unused).values(used_us=now_us))


def _set_password(
    connection: Connection, user_id: int, password_hash: str, now_us: int, keep: int | None
) -> None:
    chosen = update(users).where(users.c.id == user_id)
    connection.execute(chosen.values(password_hash=password_hash))
    _end_all(connection, user_id, now_us, keep)


def _end_all(connection: Connection, user_id: int, now_us: int, keep: int | None = None) -> None:
    """End a user's sessions but one, their tokens, and the links that they made or could use."""
    end_sessions(connection, user_id, keep)
    works = update(tokens).where(tokens.c.owner == user_id, tokens.c.revoked_us.is_(None))
    connection.execute(works.values(revoked_us=now_us))
    name = select(users.c.name).where(users.c.id == user_id).scalar_subquery()
    theirs = and_(links.c.kind == LinkKind.RESET.value, links.c.name == name)
    _void(connection, or_(links.c.by == user_id, theirs), now_us)


def _make_nobody(connection: Connection, user: User, now_us: int) -> None:
    """Leave a row that names nobody: tokens and the audit log tell of its number.

    Its key holds a character that no name can have, so nobody can take it.
    """
    pseudonym = f"deleted user {user.id}"
    connection.execute(
        update(users)
        .where(users.c.id == user.id)
        .values(
            name=pseudonym,
            name_key=f"\0{pseudonym}",
            password_hash=None,
            oidc_subject=None,
            disabled=True,
            deleted_us=now_us,
        )
    )
    connection.execute(delete(links).where(links.c.name == user.name))
    # Whoever gets the name next must not find the views of the one before.
    mine = _saved_views.c.by == user.name
    connection.execute(delete(_saved_views).where(mine, ~_saved_views.c.shared))
    connection.execute(update(_saved_views).where(mine).values(by=pseudonym))


def _administers(connection: Connection, user_id: int) -> bool:
    asked = select(users.c.role).where(users.c.id == user_id, ~users.c.disabled)
    return bool(connection.scalar(asked) == Role.ADMINISTRATOR)


def _is_last_administrator(connection: Connection, user_id: int) -> bool:
    """Whether nobody else can administer: somebody with a way to sign in who is not disabled."""
    other = exists().where(
        users.c.role == int(Role.ADMINISTRATOR),
        ~users.c.disabled,
        users.c.id != user_id,
        or_(users.c.password_hash.is_not(None), users.c.oidc_subject.is_not(None)),
    )
    return not connection.scalar(select(other)) and _administers(connection, user_id)
